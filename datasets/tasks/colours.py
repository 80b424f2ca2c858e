"""Pictures in other colours."""

import numpy as np
import tensorflow as tf

# Red, green and blue -> brightness and two axes of colour (YIQ of the NTSC standard).
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)


def recoloured(x, angle, strength):
    """Hues turned around the axis of grey, and stronger or paler; white, grey and black stay.

    Args:
        x: [item, height, width, 3], 0 to 1.
        angle: of each item, radians [item].
        strength: of each item, 1 as they are [item].
    """
    cos, sin = strength * tf.cos(angle), strength * tf.sin(angle)
    one, zero = tf.ones_like(cos), tf.zeros_like(cos)
    turn = tf.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], axis=-1)
    turn = tf.reshape(turn, [-1, 3, 3])  # [item, yiq, yiq]
    mixed = tf.einsum("ya,iab,bc->iyc", np.linalg.inv(YIQ), turn, YIQ)  # [item, rgb, rgb]
    return tf.clip_by_value(tf.einsum("ihwc,iyc->ihwy", x, mixed), 0.0, 1.0)

"""Where a head of a neural Turing machine reads and writes: four steps, and the memory itself.

Axes: ``slot`` is a row of the memory, ``width`` the length of a row; each head has a weight per
slot, non-negative, sum 1. Graves et al. (2014), sections 3.1 to 3.3; book, section 5.3.
"""

import tensorflow as tf

# Added to squared lengths: a row or key of zeros has direction 0 instead of not-a-number.
LENGTH_EPSILON = 1e-8
# Added to weights before the logarithm: a weight of 0 stays 0 for every sharpening.
WEIGHT_EPSILON = 1e-12


def cosine_similarity(key, memory):
    """Cosine of every key with every row.

    Args:
        key: [batch, head, width].
        memory: [batch, slot, width].

    Returns:
        [batch, head, slot], between -1 and 1; 0 for a key or row of zeros.
    """
    # K(k, M(i)) = k . M(i) / (|k| |M(i)|)
    product = tf.matmul(key, memory, transpose_b=True)  # [batch, head, slot]
    key_length = _length(key)[:, :, None]  # [batch, head, 1]
    return product / (key_length * _length(memory)[:, None])


def _length(vector):
    return tf.sqrt(tf.reduce_sum(vector**2, axis=-1) + LENGTH_EPSILON)


def content(key, beta, memory):
    """Step 1, by content: slots whose row points where the key points.

    Args:
        key: [batch, head, width].
        beta: [batch, head], key strength > 0.
        memory: [batch, slot, width].
    """
    # w^c(i) = exp(beta K(k, M(i))) / sum_j exp(beta K(k, M(j)))
    similarity = cosine_similarity(key, memory)
    return tf.nn.softmax(beta[..., None] * similarity, axis=-1)  # [batch, head, slot]


def interpolate(content_weight, previous_weight, gate):
    """Step 2: between content (gate 1) and where the head was (gate 0); any gate in (0, 1), E5.2.

    Args:
        content_weight, previous_weight: [batch, head, slot].
        gate: [batch, head].
    """
    # w^g = g w^c + (1 - g) w_{t-1}
    gate = gate[..., None]  # [batch, head, 1]
    return gate * content_weight + (1 - gate) * previous_weight


def shift(weight, shifts):
    """Step 3, a circular convolution: moves the weights along the slots.

    Args:
        weight: [batch, head, slot].
        shifts: [batch, head, 2 range + 1], share of each move -range, ..., 0, ..., +range. A move
            of +1 goes to the next higher slot, from the last one to slot 0 (E5.3, E5.4).
    """
    # w~(i) = sum_j w^g(j) s((i - j) mod N)
    reach = shifts.shape[-1] // 2
    moved = [tf.roll(weight, move, axis=-1) for move in range(-reach, reach + 1)]
    return tf.add_n(
        [w * s for w, s in zip(moved, tf.split(shifts, 2 * reach + 1, axis=-1), strict=True)]
    )


def sharpen(weight, gamma):
    """Step 4: large weights grow, small ones vanish; ``gamma`` [batch, head], 1 changes nothing.

    Computed from logarithms: a weight of 1/128 to the power of 50 is 0 in float32, and the quotient
    of two zeros is not a number (E5.11).
    """
    # w(i) = w~(i)^gamma / sum_j w~(j)^gamma
    logarithm = tf.math.log(weight + WEIGHT_EPSILON)
    return tf.nn.softmax(gamma[..., None] * logarithm, axis=-1)  # [batch, head, slot]


def read(weight, memory):
    """What the heads see, r = sum_i w(i) M(i): [batch, head, slot], memory -> [.., head, width]."""
    return tf.matmul(weight, memory)


def write(memory, weight, erase, add):
    """Erase, then add; the order of several heads does not matter.

    Args:
        memory: [batch, slot, width].
        weight: [batch, head, slot].
        erase: [batch, head, width], in (0, 1): of the width of a row, not of the slots (E5.1).
        add: [batch, head, width].
    """
    # M~(i) = M_{t-1}(i) (1 - w(i) e);  M_t(i) = M~(i) + w(i) a
    erased = 1 - weight[..., None] * erase[:, :, None]  # [batch, head, slot, width]
    added = tf.matmul(weight, add, transpose_a=True)  # [batch, slot, width]
    return memory * tf.reduce_prod(erased, axis=1) + added

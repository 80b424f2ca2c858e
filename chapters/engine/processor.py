"""oneDNN and threads: what decides about speed on a processor, and about the last bits.

Sums are rounded in another order with another number of threads or other kernels, so a run has the
same bits again only where both are the same. Importing this file loads no TensorFlow.
"""

import os


def prefer_onednn() -> None:
    """Ask for oneDNN's kernels; for a chapter's ``__init__``, before TensorFlow is imported.

    TensorFlow leaves them off without AVX-512 VNNI, where they halve the time of a large batch's
    convolutions. A setting of the user's own stays. Chapters 6 to 8 leave the choice to TensorFlow:
    their many small convolutions, with other weights for each task, are slower with oneDNN on AVX2.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Otherwise the primitives of a convolution's gradients are made anew in every step.
    os.environ.setdefault("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", "0")


def setting() -> dict:
    """What equal bits depend on: ``threads`` of an operation, and whether oneDNN is on."""
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_util_port  # no public name tells TensorFlow's choice

    threads = tf.config.threading.get_intra_op_parallelism_threads()  # 0: as many as there are
    return {"threads": threads or _cores(), "onednn": bool(_pywrap_util_port.IsMklEnabled())}


def wording(threads: int, onednn: bool) -> str:
    """The setting in words."""
    return f"{threads} thread{'s' * (threads != 1)}, oneDNN {'on' if onednn else 'off'}"


def _cores() -> int:
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    if hasattr(os, "sched_getaffinity"):  # Linux: the cores this process may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

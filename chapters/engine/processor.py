"""oneDNN and threads: what decides about speed on a processor, and about the last bits.

Sums are rounded in another order with another number of threads or other kernels, so a run has the
same bits again only where both are the same. Importing this file loads no TensorFlow.
"""

import contextlib
import os

THREADS = "TF_NUM_INTRAOP_THREADS"


def prefer_onednn() -> None:
    """Ask for oneDNN's kernels; for a chapter's ``__init__``, before TensorFlow is imported.

    TensorFlow leaves them off without AVX-512 VNNI, where they halve the time of a large batch's
    convolutions. A setting of the user's own stays. Chapters 6 to 8 leave the choice to TensorFlow:
    their convolutions are small and have one thread each (``prefer_tasks_side_by_side``), where
    oneDNN makes no difference on AVX2.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Otherwise the primitives of a convolution's gradients are made anew in every step.
    os.environ.setdefault("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", "0")


def prefer_tasks_side_by_side() -> None:
    """One thread for each operation; ``mapping`` keeps as many tasks under way as there are cores.

    For programs that adapt to one task after the other by small convolutions: two threads of one
    operation mostly wait for each other, with oneDNN's kernels longest. A step of MAML takes 1.6
    times as long in that way (``python -m chapters.ch06_maml.benchmark``). A setting of the user's
    own stays, and that of a process that computes already.
    """
    import tensorflow as tf

    if THREADS not in os.environ:
        with contextlib.suppress(RuntimeError):  # it computes already
            tf.config.threading.set_intra_op_parallelism_threads(1)


def setting() -> dict:
    """What equal bits depend on: ``threads`` of an operation, and whether oneDNN is on."""
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_util_port  # no public name tells TensorFlow's choice

    threads = tf.config.threading.get_intra_op_parallelism_threads()  # 0: as many as there are
    threads = threads or _asked() or cores()
    return {"threads": threads, "onednn": bool(_pywrap_util_port.IsMklEnabled())}


def wording(threads: int, onednn: bool) -> str:
    """The setting in words."""
    return f"{threads} thread{'s' * (threads != 1)}, oneDNN {'on' if onednn else 'off'}"


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _asked() -> int:
    asked = os.environ.get(THREADS, "")
    return int(asked) if asked.isdecimal() else 0

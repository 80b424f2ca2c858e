"""What every script does around its own work: device, seeds, and errors in one sentence."""

import errno
import sys
from collections.abc import Callable

from chapters.engine import processor, quiet
from chapters.engine.errors import RunError
from datasets import console
from datasets.errors import DataError

FILE_ERRORS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file would be larger than the system allows (see ulimit -f)",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EEXIST: "there is a file where a folder is expected; choose another place",
    errno.ENOTDIR: "there is a file where a folder is expected; choose another place",
    errno.EROFS: "the file system is read-only; choose another folder with --run",
    errno.EACCES: "writing there is not permitted; choose another folder with --run",
    errno.EPERM: "writing there is not permitted; choose another folder with --run",
}

TOO_LARGE = "This does not fit into memory; choose smaller sizes"


def run(main: Callable[[list[str] | None], None], argv: list[str] | None = None) -> None:
    """Call ``main`` and turn expected failures into one sentence and exit code 2.

    An interruption from the keyboard exits with 130. Anything unexpected keeps its traceback:
    that is a defect of this project, not of its user.
    """
    console.print_anything()
    try:
        main(argv)
    except Exception as error:
        sentence = sentence_of(error)
        if not sentence:
            raise
        _leave(f"error: {sentence}", 2)
    except KeyboardInterrupt:
        _leave("\nStopped. The same command with --resume goes on from the last checkpoint.", 130)


def sentence_of(error: Exception) -> str:
    """What the user is told of an expected failure; empty for a defect of this project."""
    if isinstance(error, DataError | RunError):
        return str(error)
    if isinstance(error, OSError) and error.errno in FILE_ERRORS:
        return f"Cannot write {file_error(error)}. A run goes on with --resume."
    if isinstance(error, MemoryError) or _out_of_memory(error):
        reason = str(error).partition("\n")[0][:200] or "no more memory"
        return f"{TOO_LARGE} ({reason})."
    return ""


def excepthook(kind, error, trace) -> None:
    """``sys.excepthook`` of a program that is no function, such as a notebook: as ``run``."""
    sentence = sentence_of(error)
    if not sentence:
        sys.__excepthook__(kind, error, trace)
        return
    _leave(f"error: {sentence}", 2)


def _out_of_memory(error: Exception) -> bool:
    """Whether TensorFlow could not get the memory for a tensor; it is loaded already, or not."""
    tensorflow = sys.modules.get("tensorflow")
    return bool(tensorflow) and isinstance(error, tensorflow.errors.ResourceExhaustedError)


def file_error(error: OSError) -> str:
    """The file that could not be written, and why; a copy that fails is of its second file."""
    where = error.filename2 or error.filename or "a file"
    return f"{where}: {FILE_ERRORS.get(error.errno, error.strerror or str(error))}"


def _leave(sentence: str, code: int) -> None:
    sys.stdout.flush()
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(code)


def prepare(seed: int, side_by_side: bool = False) -> str:
    """Set up devices and seeds; returns a line that names device, threads and oneDNN.

    Memory growth is on for every GPU, so that several programs can share one. Operations are
    deterministic: resuming must give the bits of an unbroken run.

    Args:
        seed: of everything random.
        side_by_side: see ``processor.prefer_tasks_side_by_side``.
    """
    import keras
    import tensorflow as tf

    if side_by_side:
        processor.prefer_tasks_side_by_side()
    for gpu in gpus():
        tf.config.experimental.set_memory_growth(gpu, True)
    # Every evaluation has a graph of its own; TensorFlow takes that for repeated tracing and warns.
    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    if not gpus():
        return f"CPU, {processor.cores()} cores, {processor.wording(**processor.setting())}"
    details = map(tf.config.experimental.get_device_details, gpus())
    names = [one.get("device_name", "?") for one in details]
    return f"{len(names)} GPU: {', '.join(names)}"


def gpus() -> list:
    """The GPUs that TensorFlow sees."""
    import tensorflow as tf

    with quiet.held():  # a machine without a GPU says so in a line that looks like an error
        return tf.config.list_physical_devices("GPU")

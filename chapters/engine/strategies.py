"""Spreading the tasks of a step over devices or machines with ``tf.distribute``."""

import json
import os

import tensorflow as tf

from chapters.engine.errors import RunError

ABORTED = "Collective ops is aborted"  # TensorFlow's words when another worker is lost


def make(name: str) -> tf.distribute.Strategy:
    """The strategy of ``--strategy``: none, mirrored (all local devices), multiworker (TF_CONFIG).

    Raises:
        RunError: multiworker without a usable TF_CONFIG.
    """
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy(
            [device.name for device in tf.config.list_logical_devices(kind)]
        )
    if name == "multiworker":
        _check_cluster()
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(name: str) -> bool:
    """True in the process that writes files."""
    return name != "multiworker" or _check_cluster()["task"]["index"] == 0


def check_share(batches, strategy: tf.distribute.Strategy) -> None:
    """Raise RunError when the tasks of a step cannot be divided evenly among the replicas.

    Args:
        batches: index -> batch, a structure of tensors [task, ...].
        strategy: of the run.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return
    traced = tf.function(lambda index: batches(index), autograph=False)
    shapes = traced.get_concrete_function(tf.TensorSpec([], tf.int32)).structured_outputs
    tasks = tf.nest.flatten(shapes)[0].shape[0]
    if tasks % replicas:
        raise RunError(
            f"A step has {tasks} tasks, which {replicas} devices cannot share evenly; "
            f"use a multiple of {replicas}."
        )


def share(batch, strategy: tf.distribute.Strategy):
    """This replica's tasks of a batch [task, ...]; call inside ``strategy.run``."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batch
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group

    def part(x):
        size = x.shape[0] // replicas
        return tf.ensure_shape(x[replica * size : (replica + 1) * size], [size, *x.shape[1:]])

    return tf.nest.map_structure(part, batch)


def gather(tensors):
    """Tensors [task, ...] of this replica -> the same of all replicas, in the order of the batch.

    For an outer step in which tasks are weighed against each other; call inside ``strategy.run``.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tensors
    replica = tf.distribute.get_replica_context()
    return tf.nest.map_structure(lambda x: replica.all_gather(x, axis=0), tensors)


def averages(model, strategy: tf.distribute.Strategy) -> list:
    """Variables of ``model`` to be averaged over the replicas after each step: moving averages.

    Keras leaves the value of a non-trainable variable to each replica: it would be made of that
    replica's tasks alone, and workers that evaluate with different ones would part ways. Moving
    averages are linear in what they average, so the mean is what one device would have.
    """
    if strategy.num_replicas_in_sync == 1:
        return []
    return [v for v in model.non_trainable_variables if tf.as_dtype(v.dtype).is_floating]


def _check_cluster() -> dict:
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        if cluster["cluster"]["worker"] and isinstance(cluster["task"]["index"], int):
            return cluster
    except (KeyError, TypeError, ValueError):
        pass
    raise RunError(
        "--strategy multiworker needs the environment variable TF_CONFIG, such as "
        '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
        '"task": {"type": "worker", "index": 0}}.'
    )

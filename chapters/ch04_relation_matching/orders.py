"""How much an answer depends on the order in which the support set is given."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from chapters.ch04_relation_matching.context import shuffle_support
from chapters.ch04_relation_matching.matching import log_probability

ORDERS = 20


class OrderSpread(NamedTuple):
    """The same test under several orders of the support set, as shares."""

    mean: float  # accuracy
    deviation: float  # standard deviation of the accuracy over orders
    changed: float  # queries that do not get the same answer under all orders
    orders: int
    episodes: int

    def __str__(self):
        return (
            f"Order of the support set: over {self.orders} orders of the same {self.episodes} "
            f"episodes the accuracy is {100 * self.mean:.2f} % with a standard deviation of "
            f"{100 * self.deviation:.2f}, and {100 * self.changed:.1f} % of the queries change "
            "their answer."
        )


def order_spread(learner, sampler, episodes: int, orders: int = ORDERS) -> OrderSpread:
    """Answer the same test episodes under other orders of their support sets.

    Args:
        learner: MatchingNetwork.
        sampler: of the test episodes.
        episodes: at least this many; rounded up to whole batches.
        orders: how many are tried.
    """

    @tf.function(autograph=False)
    def answers(index):
        """Answers [order, task, query] and labels [task, query]."""
        inputs, query_y = sampler(index)
        support_z, query_z = learner.embed_task(inputs)  # the same under every order
        way = tf.reduce_max(inputs["support_y"]) + 1

        def under(order):
            seed = tf.stack([order, tf.cast(index, tf.int32)])
            task = {"support_x": support_z, "support_y": inputs["support_y"]}
            shuffled = shuffle_support(task, seed)
            similarity = learner.similarity(shuffled["support_x"], query_z)
            log_p = log_probability(similarity, shuffled["support_y"], way)
            return tf.argmax(log_p, axis=-1, output_type=tf.int32)  # [task, query]

        return tf.map_fn(under, tf.range(orders), fn_output_signature=tf.int32), query_y

    batches = -(-episodes // sampler.tasks)
    found = [answers(tf.constant(index)) for index in range(batches)]
    answer = np.concatenate([a.numpy() for a, _ in found], axis=1)  # [order, episode, query]
    label = np.concatenate([y.numpy() for _, y in found])  # [episode, query]
    accuracy = (answer == label).mean(axis=(1, 2))  # [order]
    changed = (answer != answer[0]).any(axis=0).mean()
    return OrderSpread(
        float(accuracy.mean()), float(accuracy.std(ddof=1)), float(changed), orders, len(label)
    )

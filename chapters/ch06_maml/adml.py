"""Adversarial meta-learning, ADML (Yin et al., 2018; sections 6.6 and 6.7 of the book).

Each task is adapted twice: to its clean support set and to an attacked one. The outer step lets
each of the two answer for what it has not seen: weights adapted to attacked items classify clean
queries, weights adapted to clean items classify attacked ones. The book pairs clean with clean,
which trains two MAMLs side by side (E6.17); that is the option ``pairing="parallel"``.
"""

import keras
import tensorflow as tf

from chapters.ch06_maml.adversarial import fgsm
from chapters.ch06_maml.maml import MAML
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.update import apply_gradients

PAIRINGS = ("crossed", "parallel")


@keras.saving.register_keras_serializable(__package__)
class ADML(MAML):
    """MAML that has met attacks. Adapting and predicting are MAML's; only the outer step differs.

    Which weights an attack aims at: support items are attacked once, at theta, where adapting
    starts; query items at the weights that will classify them. An attack on other weights than
    those in use does little harm, and little is learned from it.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        objective: (y, prediction) -> loss [task].
        inner_rate: alpha_2, of the clean adaptation, and of every adaptation at test.
        adversarial_rate: alpha_1, of the adaptation to attacked items; ``inner_rate`` when None.
        epsilon: strength of the attacks, in the unit of the inputs; 0 is MAML.
        pairing: one of ``PAIRINGS``: which weights answer for which queries.
        clean_share: beta_1 / (beta_1 + beta_2), the weight of the clean queries' loss. The paper
            takes two steps, of rates beta_1 and beta_2; here they are one step from one theta.
        low: smallest value of an input, None without bound.
        high: largest value of an input, None without bound.
        options: further ones of MAML.

    Raises:
        ValueError: unknown pairing.
    """

    CONFIG = (
        *MAML.CONFIG, "adversarial_rate", "epsilon", "pairing", "clean_share", "low", "high"
    )  # fmt: skip
    NOT_BY_FIT = "learns from attacked queries as well"

    def __init__(
        self,
        network,
        objective,
        inner_rate,
        adversarial_rate=None,
        epsilon=0.1,
        pairing="crossed",
        clean_share=0.5,
        low=0.0,
        high=1.0,
        **options,
    ):
        if pairing not in PAIRINGS:
            raise ValueError(f"pairing is {pairing!r}; it must be one of {', '.join(PAIRINGS)}")
        super().__init__(network, objective, inner_rate, **options)
        rate = inner_rate if adversarial_rate is None else adversarial_rate
        # Of the same theta; its weights are counted once.
        self.adversary = MAML(network, objective, rate, **options)
        self.adversarial_rate, self.epsilon = adversarial_rate, epsilon
        self.pairing, self.clean_share = pairing, clean_share
        self.low, self.high = low, high

    def attack(self, weights, x, y, support_x=None):
        """FGSM examples [task, item, ...] against ``predict_with(weights, x, support_x)``."""

        def predict(x):
            return self.predict_with(weights, x, support_x)

        return fgsm(predict, self.objective, x, y, self.epsilon, self.low, self.high)

    def predict_pair(self, inputs, query_y):
        """Predictions [task, query, out] for clean and for attacked queries, as the outer step.

        With ``batch_norm="support"`` the statistics are those of the support set, clean or
        attacked, that the weights were adapted to.
        """
        support_x, support_y, query_x = (
            inputs[name] for name in ("support_x", "support_y", "query_x")
        )
        theta = self.adapt(support_x, support_y, 0)
        attacked_x = self.attack(theta, support_x, support_y)
        # theta'_adv = theta - alpha_1 grad L(f_theta, D_adv)
        theta_adv = self.adversary.adapt(attacked_x, support_y, self.inner_steps)
        # theta'_clean = theta - alpha_2 grad L(f_theta, D_clean)
        theta_clean = self.adapt(support_x, support_y, self.inner_steps)
        honest = self.batch_norm == "support"
        clean = theta_clean, support_x if honest else None
        adversarial = theta_adv, attacked_x if honest else None
        crossed = self.pairing == "crossed"
        for_clean, for_attacked = (adversarial, clean) if crossed else (clean, adversarial)
        attacked_query_x = self.attack(for_attacked[0], query_x, query_y, for_attacked[1])
        on_clean = self.predict_with(for_clean[0], query_x, for_clean[1])
        return on_clean, self.predict_with(for_attacked[0], attacked_query_x, for_attacked[1])


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch)`` -> loss and metrics, means over the tasks.

    Args:
        learner: ADML.
        optimizer: of ``learner.trainable_variables``.
        mapping: one of ``chapters.engine.mapping.MODES``.
    """

    def gradient(tasks):
        inputs, query_y = tasks
        with tf.GradientTape() as tape:
            clean, attacked = learner.predict_pair(inputs, query_y)  # [task, query, out]
            # beta_1 L(f_theta'_adv, D_clean) + beta_2 L(f_theta'_clean, D_adv), by their sum
            share = learner.clean_share
            losses = share * learner.objective(query_y, clean)  # [task]
            losses += (1 - share) * learner.objective(query_y, attacked)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, learner.trainable_variables)
        metrics = {"loss": losses}
        for kind, prediction in (("clean", clean), ("adversarial", attacked)):
            measured = learner.task_metrics(query_y, prediction)
            metrics |= {f"{kind}_{name}": value for name, value in measured.items()}
        return gradients, metrics

    def step(batch, seed=None):
        # theta <- theta - beta grad_theta of the sum over tasks
        gradients, metrics = mean_over_tasks(gradient, batch, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics

    return step

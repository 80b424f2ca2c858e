"""Trajectories: what a policy has seen, done and earned, from which it is adapted."""

import numpy as np
import tensorflow as tf

from chapters.experiments import acting
from chapters.experiments.acting.trajectories import rollout
from zoo.kinds.base import Kind

SHAPES = ((2, 40), (4, 9), (20, 30))  # trajectories and their length, in what exports are tried on
QUERIES = 6


class Acted(Kind):
    """Trajectories of one task, and observations that the adapted policy acts on."""

    takes = "trajectories"
    task = "Adapt a policy to a task by what it has earned there, and say what it does next."
    formula = True

    def fixed_input(self, loaded):
        """Some observations."""
        rng = np.random.RandomState(0)  # its stream is frozen: the same in every version of NumPy
        return rng.uniform(-1, 1, [5, *loaded.item_shape]).astype(np.float32)

    def random_tasks(self, loaded):
        """Random trajectories of different numbers and lengths."""
        rng = np.random.default_rng(0)
        spec = loaded.learner.policy.action_spec()
        choices = loaded.learner.policy.network.output_shape[-1]
        return [
            {
                "observation": rng.uniform(-1, 1, [*shape, *loaded.item_shape]).astype(np.float32),
                "action": rng.integers(choices, size=shape).astype(np.int32)
                if spec.dtype.is_integer
                else rng.normal(size=[*shape, choices]).astype(np.float32),
                "reward": rng.normal(size=shape).astype(np.float32),
                "alive": np.ones(shape, np.float32),
                "query_x": rng.uniform(-1, 1, [QUERIES, *loaded.item_shape]).astype(np.float32),
            }
            for shape in SHAPES
        ]

    def real_tasks(self, loaded):
        """Trajectories that the policy itself draws in tasks of its world."""
        config, learner = loaded.config, loaded.learner
        world = acting.make_world(config)
        task, _ = acting.Tasks(world, 2, config.seed)(0)
        count, seed = config.trajectories, tf.constant([config.seed, 9])
        drawn = rollout(world, learner.policy, learner.start(2), task, count, seed)
        observation = drawn.observation.numpy()
        return {
            f"acting in {config.world}": [
                {
                    "observation": observation[k],
                    "action": drawn.action[k].numpy(),
                    "reward": drawn.reward[k].numpy(),
                    "alive": drawn.alive[k].numpy(),
                    "query_x": observation[k, 0, :QUERIES],
                }
                for k in range(2)
            ]
        }


KIND = Acted()

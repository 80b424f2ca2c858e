"""Worlds to act in: what is seen, what an action changes, what it earns.

A world is a few tensor functions over [task, trajectory], so that all tasks and all trajectories of
a step roll out inside one graph; MuJoCo's cheetah alone leaves it for its steps.
``datasets.worlds.gym`` registers each as a gymnasium environment.
"""

from datasets.worlds.bandits import Bandits
from datasets.worlds.cheetah import Cheetah
from datasets.worlds.navigation import Navigation
from datasets.worlds.reacher import Reacher
from datasets.worlds.world import World

WORLDS = {
    "bandits": Bandits,
    "cheetah": Cheetah,
    "navigation": Navigation,
    "reacher": Reacher,
}

__all__ = ["WORLDS", "Bandits", "Cheetah", "Navigation", "Reacher", "World"]

"""The book's toy problem, mended: one layer, 50 inputs, tasks that are hyperplanes.

Prints the lines that the book prints, with the mean loss on queries after adapting instead of one
task's training loss before it (E6.9), and then what the book leaves out: the loss on fresh tasks
after 0, 1, 5 and 10 inner steps (E6.11). ``--as-printed`` keeps the book's labels, which are coin
flips: nobody's loss on fresh points can be below ln 2 = 0.693 then (E6.5).
"""

from chapters.experiments.toy.pictures import learning_curve
from chapters.experiments.toy.tasks import DIM, describe, samplers
from chapters.experiments.toy.testing import FLOOR, Scores, rows, table, test
from chapters.experiments.toy.training import loop, mapping

__all__ = [
    "DIM",
    "FLOOR",
    "Scores",
    "describe",
    "learning_curve",
    "loop",
    "mapping",
    "rows",
    "samplers",
    "table",
    "test",
]

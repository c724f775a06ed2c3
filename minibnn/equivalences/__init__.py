"""When two ways to train a binarized network are the same algorithm, as code that can fail.

``CATALOGUE`` has the statements as objects (``CATALOGUE["E4"].check(case)``), ``verify`` runs them
all or holds somebody else's step functions against them, ``networks`` proves nine of them on whole
networks. Classes: B bit for bit in float32, where nothing under- or overflows; B2 likewise for
constants that are powers of two; Q exactly, in Fractions; T within a stated bound. The docstring of
each module says which statements it has, E1 to E37.

Every one of them is a check. Facts that are not: that the authors' code keeps its bits as float32
(E12), SGDAT's counter (E12: not in this library), statements on ratios over random runs (E1, E5,
E9, E16, E21, E31: one executable case each stands for them), Adam's sup-distance under other
estimators (E10: a limit), KBOP's rule (E20: read as an abstract only), the fastest flipping of the
three jumps (E22: counts of one setting), what s tends to as T falls (E26: a limit), the order of
samples (E30: gradients to rounding), Adam under E37's law (its epsilon 0 divides 0 by 0 at g = 0).
"""

from minibnn.equivalences.case import Broken
from minibnn.equivalences.catalogue import CATALOGUE
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.equivalences.report import Report, Row, explanation
from minibnn.equivalences.verify import chosen, verify

__all__ = [
    "CATALOGUE", "Broken", "Counterexample", "Entry", "Report", "Row", "chosen", "explanation",
    "verify",
]  # fmt: skip

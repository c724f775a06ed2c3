"""When two ways to train a binarized network are the same algorithm, as code that can fail.

``CATALOGUE`` has the statements as objects (``CATALOGUE["E4"].check(case)``), ``verify`` runs them
all or holds somebody else's step functions against them, ``networks`` proves five of them on whole
networks. Classes: B bit for bit in float32; B2 likewise for constants that are powers of two; Q
exactly, in Fractions; T within a stated bound.

E1  latent scale group          E8   the threshold is hysteresis   E15  batch norm absorbs scale
E2  the learning rate           E9   clip and straight-through mask  E16  integer thresholds
E3  inertia form                E10  weight estimators             E17  symmetries of a network
E4  SGD with decay is Bop       E11  flip spacing                  E18  dual views
E5  the moving average          E12  numbers stored per weight     E19  L2 on ±1 weights
E6  Bop's scale                 E13  data parallel training
E7  momentum, two averages      E14  Bop2ndOrder

Every one of them is a check. Facts that are not: that the authors' code keeps its bits as float32
(E12), SGDAT's counter (E12: not in this library), statements on ratios over random runs (E1, E5,
E9, E16: one executable case each stands for them), Adam's sup-distance under other estimators
(E10: a limit).
"""

from minibnn.equivalences.case import Broken
from minibnn.equivalences.catalogue import CATALOGUE
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.equivalences.report import Report, Row, explanation
from minibnn.equivalences.verify import chosen, verify

__all__ = [
    "CATALOGUE",
    "Broken",
    "Counterexample",
    "Entry",
    "Report",
    "Row",
    "chosen",
    "explanation",
    "verify",
]

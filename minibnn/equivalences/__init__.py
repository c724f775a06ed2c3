"""When two ways to train a binarized network are the same algorithm, as code that can fail.

``CATALOGUE`` has the statements as objects (``CATALOGUE["E4"].check(case)``), ``verify`` runs them
all or holds somebody else's step functions against them, ``networks`` proves five of them on whole
networks. Classes: B bit for bit in float32; B2 likewise for constants that are powers of two; Q
exactly, in Fractions; T within a stated bound.

E1  latent scale group          E14  Bop2ndOrder                     E27  Bop in integers
E2  the learning rate           E15  batch norm absorbs scale        E28  signs and votes
E3  inertia form                E16  integer thresholds              E29  accumulation
E4  SGD with decay is Bop       E17  symmetries of a network         E30  symmetries, any optimizer
E5  the moving average          E18  dual views                      E31  order is kept
E6  Bop's scale                 E19  L2 on ±1 weights                E32  sign gradients
E7  momentum, two averages      E20  a projected gradient step       E33  mirror descent
E8  the threshold is hysteresis E21  descent above the curvature     E34  a clamp is a mask
E9  clip and mask               E22  one double well, three jumps    E35  parity of flips
E10 weight estimators           E23  a flip's own gradient           E36  tiny networks
E11 flip spacing                E24  any direction under decay       E37  scaled kernels
E12 numbers stored per weight   E25  priors are constant gradients
E13 data parallel training      E26  BayesBiNN's code

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

"""The catalogue: every statement by its id, E1 to E19."""

from minibnn.equivalences.averages import E5, E11, E19
from minibnn.equivalences.estimators import E9, E10
from minibnn.equivalences.latent import E3, E4, E8, E18
from minibnn.equivalences.layers import E15, E16, E17
from minibnn.equivalences.resources import E12, E13
from minibnn.equivalences.scale import E1, E2, E6
from minibnn.equivalences.second_order import E7, E14

_ENTRIES = (E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13, E14, E15, E16, E17, E18, E19)

CATALOGUE = {entry.id: entry for entry in _ENTRIES}

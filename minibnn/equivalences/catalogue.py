"""The catalogue: every statement by its id, E1 to E37."""

from minibnn.equivalences import (
    averages,
    bayes,
    descent,
    estimators,
    integers,
    latent,
    layers,
    scale,
    second_order,
    symmetry,
    tiny,
    twins,
)
from minibnn.equivalences.entry import Entry

_ROOMS = (scale, latent, averages, second_order, estimators, layers)
_ROOMS += (descent, twins, bayes, integers, symmetry, tiny)
_ENTRIES = {x.id: x for room in _ROOMS for x in vars(room).values() if isinstance(x, Entry)}

CATALOGUE = dict(sorted(_ENTRIES.items(), key=lambda item: int(item[0][1:])))

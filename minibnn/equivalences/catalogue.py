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
_ENTRIES = {id(x): x for room in _ROOMS for x in vars(room).values() if isinstance(x, Entry)}

CATALOGUE = {x.id: x for x in sorted(_ENTRIES.values(), key=lambda entry: int(entry.id[1:]))}

"""The catalogue: every statement by its id, E1 to E37."""

from minibnn.equivalences import (
    averages,
    bayes,
    descent,
    estimators,
    integers,
    latent,
    layers,
    resources,
    scale,
    second_order,
    signs,
    symmetry,
    twins,
)
from minibnn.equivalences.entry import Entry

_ROOMS = (scale, latent, averages, second_order, estimators, resources, layers)
_ROOMS += (descent, twins, bayes, integers, symmetry, signs)
_ENTRIES = {id(x): x for room in _ROOMS for x in vars(room).values() if isinstance(x, Entry)}

CATALOGUE = {x.id: x for x in sorted(_ENTRIES.values(), key=lambda entry: int(entry.id[1:]))}

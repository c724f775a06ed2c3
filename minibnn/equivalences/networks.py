"""Equivalences on whole networks: two optimizers, one stream of images, every sign compared.

Each preset trains copies of one network in lockstep: the first optimizer, its twin, and a control
that drops a precondition. After every step all signs of all layers are held against the first
one's. The twins' constants are powers of two of each other, so the claim is bit for bit.
"""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from minibnn.data import Batches
from minibnn.equivalences.presets import PRESETS
from minibnn.errors import one_of
from minibnn.training.run import Run


@dataclass(frozen=True)
class Comparison:
    """What a preset measured: three sides, the first one, its twin and the control.

    ``weights`` signs of ``layers`` were compared; ``differing`` counts those that differ from the
    first one's, {name: int array (steps, layers)}, ``flips`` are the first one's on the way,
    ``reals`` counts real parameters whose last value is not bit for bit the first one's, and
    ``losses`` are {name: array (steps,)}.
    """

    preset: str
    sides: tuple
    weights: int
    layers: tuple
    differing: dict
    flips: int
    reals: dict
    losses: dict

    @property
    def steps(self):
        return len(next(iter(self.losses.values())))

    @property
    def ok(self):
        """Whether the twin never differs and the control does."""
        _, twin, control = (side.name for side in self.sides)
        return not self.differing[twin].any() and bool(self.differing[control].any())

    def first_difference(self, name):
        """The first step (from 1) after which a sign differs, or None."""
        found = np.flatnonzero(self.differing[name].sum(1))
        return int(found[0]) + 1 if len(found) else None

    def sentence(self, name):
        """Such as "0 of 41,000 signs differ after 200 steps"."""
        count = int(self.differing[name][-1].sum())
        return f"{count:,} of {self.weights:,} signs differ after {self.steps} steps"


def compare_sides(name, net, data, *, steps, batch_size=50, seed=0, augment=None, after_step=None):
    """Run the preset ``name`` from ``net`` (which is not changed); returns a Comparison.

    Every batch of the Dataset ``data`` is seen by all three networks before the next, ``steps``
    times; then ``after_step(step, differing)`` is called, with the Comparison's counts so far.
    InputError for a preset that does not exist.
    """
    sides = tuple(PRESETS[one_of(name, "preset", PRESETS)].sides(net))
    runs = [Run(side.name, side.copy_of(net), side.optimizer, side.loss) for side in sides]
    parameters = [run.net.parameters() for run in runs]
    kernels = [k for k, p in enumerate(parameters[0]) if p.binary]

    def count(side, chosen):
        """Entries of parameters that differ from the first one's."""
        theirs, first = parameters[sides.index(side)], parameters[0]
        pairs = ((sides[0].value(first[k]), side.value(theirs[k])) for k in chosen)
        return [int(np.count_nonzero(a != b)) for a, b in pairs]

    differing = {side.name: np.zeros((steps, len(kernels)), np.int64) for side in sides[1:]}
    losses, flips = np.zeros((steps, len(runs))), np.zeros((steps, len(runs)), np.int64)
    stream = _endless(Batches(data.train_images, data.train_labels, batch_size, seed, augment))
    for step, batch in enumerate(islice(stream, steps)):
        for k, (side, run) in enumerate(zip(sides, runs, strict=True)):
            losses[step, k], flips[step, k] = run.train_step(*side.batch(*batch))
        for side in sides[1:]:
            differing[side.name][step] = count(side, kernels)
        if after_step:
            after_step(step + 1, differing)
    others = [k for k in range(len(parameters[0])) if k not in kernels]
    reals = {side.name: sum(count(side, others)) for side in sides[1:]}
    weights = sum(parameters[0][k].size for k in kernels)
    layers = tuple(parameters[0][k].name for k in kernels)
    losses = {side.name: losses[:, k] for k, side in enumerate(sides)}
    moved = int(flips[:, 0].sum())
    return Comparison(name, sides, weights, layers, differing, moved, reals, losses)


def _endless(batches):
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1

"""Equivalences on whole networks: two optimizers, one stream of pictures, every sign compared.

Each preset trains copies of one network in lockstep: the first optimizer, its twin, and a control
that drops a precondition. After every step all signs of all layers are held against the first
one's. The twins' constants are powers of two of each other, so the claim is bit for bit.
"""

from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from minibnn import optim
from minibnn.data import Batches
from minibnn.errors import InputError
from minibnn.nn import softmax_cross_entropy
from minibnn.training.run import Run

LR, WEIGHT_DECAY = 1.28, 2.0**-7  # so gamma = 0.01
THRESHOLD = 2.0**-15
SCALE = 4.0  # of latent weights
LOSS_SCALE = 2.0**10
ADAM = {"lr": 0.01, "epsilon": 1e-7}


@dataclass(frozen=True)
class Side:
    """One of the networks in a preset: its name, optimizer, and factor of the loss."""

    name: str
    words: str
    optimizer: object = field(repr=False)
    loss_scale: float = 1.0

    def loss(self, logits, labels):
        """The loss of the logits, and its gradient times ``loss_scale``."""
        loss, dlogits = softmax_cross_entropy(logits, labels)
        return loss, dlogits * np.float32(self.loss_scale)


def _side(name, words, binary, loss_scale=1.0):
    real = optim.Adam(lr=ADAM["lr"], epsilon=ADAM["epsilon"] * loss_scale)
    return Side(name, words, optim.Split(binary=binary, real=real), loss_scale)


def start_latents(optimizer, net):
    """The latent weights with which a latent optimizer starts on ``net``, by parameter name."""
    optimizer.prepare([p for p in net.parameters() if p.binary])
    arrays = optimizer.state_dict().items()
    return {key.removesuffix("/latent"): a for key, a in arrays if key.endswith("/latent")}


def _sgd_decay_is_bop(net):
    hyper = {"lr": LR, "decay": "shrink", "clip": None}
    latents = start_latents(optim.LatentSGD(**hyper), net)
    m0 = {name: np.float32(-WEIGHT_DECAY) * latent for name, latent in latents.items()}
    bop = optim.Bop(gamma=LR * WEIGHT_DECAY, threshold=0.0, rule="larq", initial=m0)
    return [
        _side(
            "latent-sgd",
            f"latent SGD, lr {LR:g}, weight decay {WEIGHT_DECAY:g}, no clip",
            optim.LatentSGD(**hyper, weight_decay=WEIGHT_DECAY),
        ),
        _side("bop", f"Bop, gamma {LR * WEIGHT_DECAY:g}, threshold 0, m0 = -decay * w0", bop),
        _side("control", "latent SGD without weight decay", optim.LatentSGD(**hyper)),
    ]


def _latent_scale(net):
    latents = start_latents(optim.LatentSGD(), net)
    hyper = {"momentum": 0.9, "decay": "coupled"}
    base = {"lr": 0.3, "weight_decay": 1e-3, "clip": 1.0, "ste_clip": 1.0}
    scaled = {name: x * SCALE for name, x in base.items()} | {"weight_decay": 1e-3 / SCALE}
    larger = {name: np.float32(SCALE) * np.abs(latent) for name, latent in latents.items()}
    alone = base | {"lr": base["lr"] * SCALE}
    return [
        _side("latent-sgd", "latent SGD, lr 0.3, momentum 0.9", optim.LatentSGD(**hyper, **base)),
        _side(
            "scaled",
            f"rate, start, clip and mask times {SCALE:g}, decay divided by it",
            optim.LatentSGD(**hyper, **scaled, initial=larger),
        ),
        _side("control", f"the rate alone times {SCALE:g}", optim.LatentSGD(**hyper, **alone)),
    ]


def _loss_scale(net):
    gamma = LR * WEIGHT_DECAY
    plain, scaled = (optim.Bop(gamma, THRESHOLD * factor) for factor in (1.0, LOSS_SCALE))
    return [
        _side("bop", f"Bop, threshold {THRESHOLD:.3g}", plain),
        _side(
            "scaled",
            f"loss, threshold and Adam's epsilon times {LOSS_SCALE:g}",
            scaled,
            LOSS_SCALE,
        ),
        _side(
            "control",
            f"loss and Adam's epsilon times {LOSS_SCALE:g}, the threshold kept",
            plain.copy(),
            LOSS_SCALE,
        ),
    ]


def _hysteresis(net):
    schmitt = {"lr": LR, "weight_decay": WEIGHT_DECAY}
    deadband = THRESHOLD / WEIGHT_DECAY
    return [
        _side(
            "bop",
            f"Bop, gamma {LR * WEIGHT_DECAY:g}, threshold {THRESHOLD:.3g}",
            optim.Bop(LR * WEIGHT_DECAY, THRESHOLD),
        ),
        _side(
            "schmitt-sgd",
            f"latent SGD with decay whose bit holds while |w| <= {deadband:.3g}",
            optim.SchmittSGD(**schmitt, deadband=deadband),
        ),
        _side(
            "control",
            "the same without memory: the bit follows the sign",
            optim.SchmittSGD(**schmitt, deadband=0.0),
        ),
    ]


def _inertia(net):
    hyper = {"lr": 0.3, "momentum": 0.9, "weight_decay": 1e-3, "clip": 1.0, "ste_clip": 1.0}
    return [
        _side("latent-sgd", "latent SGD, momentum 0.9, clip 1", optim.LatentSGD(**hyper)),
        _side("inertia-sgd", "bits and inertia |w0|", optim.InertiaSGD(**hyper)),
        _side("control", "bits and another start of inertia", optim.InertiaSGD(**hyper, seed=1)),
    ]


@dataclass(frozen=True)
class Preset:
    """An equivalence to be shown on a network: entry of the catalogue, and its three sides."""

    entry: str
    words: str
    sides: object = field(repr=False)


PRESETS = {
    "sgd-decay-is-bop": Preset("E4", "SGD with weight decay is Bop", _sgd_decay_is_bop),
    "latent-scale": Preset("E1", "a scale of the latent weights changes nothing", _latent_scale),
    "loss-scale": Preset("E6", "a scale of the loss is a scale of the threshold", _loss_scale),
    "hysteresis": Preset("E8", "Bop's threshold is hysteresis", _hysteresis),
    "inertia": Preset("E3", "a latent weight is a bit and its inertia", _inertia),
}


@dataclass(frozen=True)
class Comparison:
    """What a preset measured.

    Attributes
    ----------
    preset : str
    sides : tuple of Side
        The first one, its twin, the control.
    weights : int
        Signs compared.
    layers : tuple of str
        Names of the binary kernels.
    differing : dict of str to (steps, layers) int array
        Signs that differ from the first one's after each step, for twin and control.
    flips : int
        Flips of the first one on the way.
    reals : dict of str to int
        Real parameters whose last value is not bit for bit the first one's.
    losses : dict of str to (steps,) array
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
    if name not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(PRESETS)}; found {name!r}")
    sides = tuple(PRESETS[name].sides(net))
    runs = [Run(side.name, net.copy(), side.optimizer, side.loss) for side in sides]
    first, *others = ([p for p in run.net.parameters()] for run in runs)
    kernels = [k for k, p in enumerate(first) if p.binary]
    differing = {side.name: np.zeros((steps, len(kernels)), np.int64) for side in sides[1:]}
    losses, flips = np.zeros((steps, len(runs))), np.zeros((steps, len(runs)), np.int64)
    stream = _endless(Batches(data.train_images, data.train_labels, batch_size, seed, augment))
    for step, (images, labels) in enumerate(islice(stream, steps)):
        for k, run in enumerate(runs):
            losses[step, k], flips[step, k] = run.train_step(images, labels)
        for counts, theirs in zip(differing.values(), others, strict=True):
            counts[step] = [_differing(first[k], theirs[k]) for k in kernels]
        if after_step:
            after_step(step + 1, differing)
    reals = {
        side.name: sum(_differing(p, q) for p, q in zip(first, theirs, strict=True) if not p.binary)
        for side, theirs in zip(sides[1:], others, strict=True)
    }
    weights, layers = sum(first[k].size for k in kernels), tuple(first[k].name for k in kernels)
    losses = {side.name: losses[:, k] for k, side in enumerate(sides)}
    return Comparison(
        name, sides, weights, layers, differing, int(flips[:, 0].sum()), reals, losses
    )


def _differing(p, q):
    return int(np.count_nonzero(p.value != q.value))


def _endless(batches):
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1

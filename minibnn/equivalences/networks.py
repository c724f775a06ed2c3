"""Equivalences on whole networks: two optimizers, one stream of images, every sign compared.

Each preset of ``minibnn compare --preset`` trains copies of one network in lockstep: the first
optimizer, its twin, and a control that drops a precondition. After every step all signs of all
layers are held against the first one's. The twins' constants are the same,
powers of two of each other or rounded alike, so the claim is bit for bit.
"""

import itertools
from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np

from minibnn import optim
from minibnn.data import Batches
from minibnn.equivalences.bayes import GUARD, bayes_step
from minibnn.errors import InputError, integer, one_of
from minibnn.nn import softmax_cross_entropy
from minibnn.training.run import Run

LR, WEIGHT_DECAY = 1.28, 2.0**-7
GAMMA = LR * WEIGHT_DECAY  # 0.01
THRESHOLD = 2.0**-15
SCALE = 4.0  # of latent weights
LOSS_SCALE = 2.0**10


@dataclass(frozen=True)
class Side:
    """One of the networks in a preset: its name, optimizer, and factor of the loss.

    ``signs``, {name of a parameter: array of ±1}, negate at the start, and again before comparing;
    ``begin(net)`` prepares it; with ``backwards`` it sees the images of a batch in reverse.
    """

    name: str
    words: str
    optimizer: object = field(repr=False)
    loss_scale: float = 1.0
    signs: dict = field(default_factory=dict, repr=False)
    begin: object = field(default=lambda net: None, repr=False)
    backwards: bool = False

    def loss(self, logits, labels):
        """The loss of the logits, and its gradient times ``loss_scale``."""
        loss, dlogits = softmax_cross_entropy(logits, labels)
        return loss, dlogits * np.float32(self.loss_scale)

    def copy_of(self, net):
        """The network as this side starts it."""
        net = net.copy()
        self.begin(net)
        for p in net.parameters():
            p.assign(self.value(p))
        return net

    def value(self, p):
        """A parameter's value as it is compared."""
        return p.value * self.signs.get(p.name, 1)

    def batch(self, images, labels):
        return (images[::-1], labels[::-1]) if self.backwards else (images, labels)


def _side(name, words, binary, loss_scale=1.0, **more):
    real = optim.Adam(lr=0.01, epsilon=1e-7 * loss_scale)
    return Side(name, words, optim.Split(binary=binary, real=real), loss_scale, **more)


def scaled_latents(factor, optimizer, net):
    """``factor`` times the latent weights with which a latent optimizer starts on ``net``."""
    optimizer.prepare([p for p in net.parameters() if p.binary])
    arrays = optimizer.state_dict().items()
    latents = {key.removesuffix("/latent"): a for key, a in arrays if key.endswith("/latent")}
    return {name: np.float32(factor) * latent for name, latent in latents.items()}


def _sgd_decay_is_bop(net):
    hyper = {"lr": LR, "decay": "shrink", "clip": None}
    words = f"latent SGD, lr {LR:g}, weight decay {WEIGHT_DECAY:g}, no clip"
    sgd = optim.LatentSGD(**hyper, weight_decay=WEIGHT_DECAY)
    m0 = scaled_latents(-WEIGHT_DECAY, optim.LatentSGD(**hyper), net)
    bop = optim.Bop(gamma=GAMMA, threshold=0.0, rule="larq", initial=m0)
    return [
        _side("latent-sgd", words, sgd),
        _side("bop", f"Bop, gamma {GAMMA:g}, threshold 0, m0 = -decay * w0", bop),
        _side("control", "latent SGD without weight decay", optim.LatentSGD(**hyper)),
    ]


def _latent_scale(net):
    hyper = {"momentum": 0.9, "decay": "coupled"}
    base = {"lr": 0.3, "weight_decay": 1e-3, "clip": 1.0, "ste_clip": 1.0}
    larger = {name: x * SCALE for name, x in base.items()} | {"weight_decay": 1e-3 / SCALE}
    start = {name: np.abs(w) for name, w in scaled_latents(SCALE, optim.LatentSGD(), net).items()}
    scaled = optim.LatentSGD(**hyper, **larger, initial=start)
    alone = optim.LatentSGD(**hyper, **base | {"lr": larger["lr"]})
    words = f"rate, start, clip and mask times {SCALE:g}, decay divided by it"
    return [
        _side("latent-sgd", "latent SGD, lr 0.3, momentum 0.9", optim.LatentSGD(**hyper, **base)),
        _side("scaled", words, scaled),
        _side("control", f"the rate alone times {SCALE:g}", alone),
    ]


def _loss_scale(net):
    plain, scaled = (optim.Bop(GAMMA, THRESHOLD * factor) for factor in (1.0, LOSS_SCALE))
    both = f"loss, threshold and Adam's epsilon times {LOSS_SCALE:g}"
    kept = f"loss and Adam's epsilon times {LOSS_SCALE:g}, the threshold kept"
    return [
        _side("bop", f"Bop, threshold {THRESHOLD:.3g}", plain),
        _side("scaled", both, scaled, LOSS_SCALE),
        _side("control", kept, plain.copy(), LOSS_SCALE),
    ]


def _hysteresis(net):
    theta = THRESHOLD / WEIGHT_DECAY
    bop = optim.Bop(GAMMA, THRESHOLD)
    band, none = (optim.SchmittSGD(LR, WEIGHT_DECAY, deadband=width) for width in (theta, 0.0))
    words = f"latent SGD with decay whose bit holds while |w| <= {theta:.3g}"
    return [
        _side("bop", f"Bop, gamma {GAMMA:g}, threshold {THRESHOLD:.3g}", bop),
        _side("schmitt-sgd", words, band),
        _side("control", "the same without memory: the bit follows the sign", none),
    ]


def _inertia(net):
    hyper = {"lr": 0.3, "momentum": 0.9, "weight_decay": 1e-3, "clip": 1.0, "ste_clip": 1.0}
    return [
        _side("latent-sgd", "latent SGD, momentum 0.9, clip 1", optim.LatentSGD(**hyper)),
        _side("inertia-sgd", "bits and inertia |w0|", optim.InertiaSGD(**hyper)),
        _side("control", "bits and another start of inertia", optim.InertiaSGD(**hyper, seed=1)),
    ]


def _directed(name):
    """Latent weights along a direction under decay, and Bop on that direction."""
    direction, lr, decay = name.lower(), 0.01, 2.0**-3

    def sides(net):
        latent = optim.LatentDirection(direction=direction, lr=lr, weight_decay=decay)
        m0 = scaled_latents(-decay, latent.copy(), net)
        hyper = {"direction": direction, "gamma": lr * decay, "threshold": 0.0, "rule": "larq"}
        bop, control = optim.DirectedBop(**hyper, initial=m0), optim.DirectedBop(**hyper)
        words = f"latent {name}, lr {lr:g}, weight decay {decay:g}"
        return [
            _side(f"latent-{direction}", words, latent),
            _side("bop", "Bop on its direction, m0 = -decay * w0", bop),
            _side("control", "the same Bop from m0 = 0", control),
        ]

    return sides


def _bayes(net):
    samples = np.float32(50_000)

    def code(temperature):
        def step(latent, g, state, *, lr, weight_decay):
            how = temperature, lr, samples, weight_decay
            new, _ = bayes_step(latent, g, np.float32(0.5), *how)  # u = 1/2 where it draws
            return new, state

        return step

    def twin(latent, g, state, *, lr, weight_decay):
        hyper = {"lr": lr, "weight_decay": weight_decay, "decay": "coupled"}
        s = GUARD / np.float32(1e-10) / GUARD
        return optim.latent_sgd_step(latent, samples * s * g, state, **hyper)

    def side(name, words, step, start):
        # So that no lambda of these many weights comes to lie near 0: a large step, little decay
        # for weights without a gradient.
        by_step = type("BayesBiNN", (optim.LatentSGD,), {"step_function": step})
        return _side(name, words, by_step(lr=128.0, weight_decay=2.0**-20, initial=start))

    return [
        side("bayesbinn", "BayesBiNN's code, T = 1e-10, from ±15", code(1e-10), 15.0),
        side("latent-sgd", "latent SGD with decay on N s g, s = 1e-10 / T / 1e-10", twin, 15.0),
        side("control", "BayesBiNN's code, T = 1e-2, from ±1", code(1e-2), 1.0),
    ]


def _mirror(net):
    """Units of the last hidden layer negated, at random."""
    names = [p.name for p in net.parameters()]
    into, out = [None, None, *(p for p in net.parameters() if p.binary)][-2:]
    between = names[names.index(into.name) : names.index(out.name)] if into else []
    beta = next((name for name in between if name.endswith("/beta")), None)
    if beta is None or out.shape[:-1] != into.shape[-1:]:
        words = "two binary dense layers at its end, the first of them normalised"
        raise InputError(f"the preset mirror takes a network with {words}")
    random = np.random.default_rng(0)
    units = random.choice(np.int8([-1, 1]), into.shape[-1])
    signs = {into.name: units, beta: units, out.name: units[:, None]}
    start = random.choice(np.float32([-0.3, 0.3]), len(units))

    def begin(each):  # no pre-activation of exactly 0, where sign(0) = +1 has no mirror image
        next(p for p in each.parameters() if p.name == beta).assign(start)

    def side(name, words, **more):
        binary = optim.LatentSGD(lr=0.3, momentum=0.9, clip=1.0, ste_clip=1.0)
        return _side(name, words, binary, begin=begin, **more)

    negated = f"{np.count_nonzero(units < 0)} of {len(units)} hidden units negated"
    kept = {name: sign for name, sign in signs.items() if name != out.name}
    return [
        side("latent-sgd", "latent SGD, momentum 0.9"),
        side("mirror", negated, signs=signs),
        side("control", f"{negated}, not the weights out of them", signs=kept),
    ]


def _integers(net):
    """Bop in integers on integer gradients: sums do not depend on the order of a batch."""

    def side(name, words, gradients, **more):
        binary = optim.IntegerBop(shift=6, threshold=0, unit=2.0**-16)

        def begin(each):
            each.gradients = gradients

        return _side(name, words, binary, begin=begin, **more)

    late = "every batch in reverse, float32 sums quantised afterwards"
    return [
        side("integer-bop", "Bop in integers, 8-bit gradients", "int8"),
        side("backwards", "every batch in reverse", "int8", backwards=True),
        side("control", late, "float32", backwards=True),
    ]


# An equivalence to be shown on a network: entry of the catalogue, and sides(net), its three sides.
Preset = namedtuple("Preset", "entry words sides")
PRESETS = {
    "sgd-decay-is-bop": Preset("E4", "SGD with weight decay is Bop", _sgd_decay_is_bop),
    "latent-scale": Preset("E1", "a scale of the latent weights changes nothing", _latent_scale),
    "loss-scale": Preset("E6", "a scale of the loss is a scale of the threshold", _loss_scale),
    "hysteresis": Preset("E8", "Bop's threshold is hysteresis", _hysteresis),
    "inertia": Preset("E3", "a latent weight is a bit and its inertia", _inertia),
    "adamw": Preset("E24", "latent AdamW is Bop on its own direction", _directed("AdamW")),
    "lion": Preset("E24", "latent Lion is Bop on its own direction", _directed("Lion")),
    "signum": Preset("E24", "latent Signum is Bop on its own direction", _directed("Signum")),
    "bayesbinn": Preset("E26", "BayesBiNN's code is latent SGD with decay", _bayes),
    "mirror": Preset("E30", "a network with negated units trains in mirror image", _mirror),
    "integers": Preset("E27", "Bop in integers does not see the order of a sum", _integers),
}


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
    InputError for a preset that does not exist, a number of steps below 1, a network with layers
    that are not binary (not every claim is about those), and for "mirror" one that does not end in
    two dense layers.
    """
    integer(steps, "steps", 1)
    if real := net.machine_dependent():
        raise InputError(f"presets take networks of binary layers alone, found {real[0]}")
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
    batches = Batches(data.train_images, data.train_labels, batch_size, seed, augment)
    stream = itertools.chain.from_iterable(map(batches.epoch, itertools.count()))
    for step, batch in enumerate(itertools.islice(stream, steps)):
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

"""The equations that a port of Bop or of latent SGD must follow, on numbers of all sizes.

Each kind makes cases of single steps, says what they must give, and knows what common mistakes
give instead, so that a report can name the one that fits.
"""

import numpy as np

from minibnn.equivalences.cases import QUARTERS, WHOLE
from minibnn.equivalences.draws import zigzag
from minibnn.optim import BopState, LatentSGDState, bop_step, latent_sgd_step
from minibnn.optim.bop import flip_signs, moving_average

SHAPES = ((1,), (3,), (2,), (2, 3), (7,), (1, 1), (3, 1, 2), (2, 1, 2, 2), (16,))
DIGITS = (
    tuple(zigzag(k) / 10 for k in range(128)) + tuple(zigzag(k) / 97 for k in range(127)) + (-0.0,)
)
SIZES = (1.0, 1e-3, 1e3, 1e-8, 1e8, 1e-5, 1e-20, 1e20, 3e-7)  # far from subnormals and overflow
RATES = (0.5, 0.1, 1.0, 0.01, 0.001, 1e-4, 1e-6, 0.25, 0.9, 0.3, 0.7, 2.0**-7, 0.999, 1 / 3)
THRESHOLDS = (0.0, 0.5, 1e-8, 1e-6, 1e-3, 0.1, 1.0, 10.0, 1e-7, 1e-5, 1e6, 1e-19)


def single(array):
    """Numbers as the float32 ones nearest to them, in nested lists."""
    return np.float32(array).tolist()


def reals(draw, count, shape, lattice=None):
    """A float32 array of ``shape``: from ``lattice``, or digits times one size."""
    if lattice:
        values = np.float32(draw.values(lattice, count))
    else:
        values = np.float32(draw.values(DIGITS, count)) * np.float32(draw.choice(SIZES))
    return values.reshape(shape)


class BopRules:
    """What a step of Bop in the dialect (rule, average) gives."""

    kind, argument, state_type, field = "bop", "bop_step", BopState, "m"
    call = "(w, g, BopState(m), *, gamma, threshold)"
    constants = ("gamma", "threshold")
    value_name = "w"

    def __init__(self, rule, average):
        self.rule, self.average = rule, average
        self.equation = {
            "convex": "m <- (1 - gamma) m + gamma g",
            "lerp": "m <- m + gamma (g - m)",
        }[average]

    def make(self, draw, at_ties=False):
        """A case of one step: on whole numbers and quarters, where ties are common, or any."""
        lattice = draw.flag()
        shape = draw.choice(SHAPES)
        count = int(np.prod(shape))
        case = {
            "w": np.float32(draw.values((1, -1), count)).reshape(shape),
            "m": reals(draw, count, shape, QUARTERS if lattice else None),
            "g": reals(draw, count, shape, WHOLE if lattice else None),
            "gamma": single(draw.choice((0.5, 1.0, 0.25) if lattice else RATES)),
        }
        which = draw.whole(0, count - 1)
        m = np.abs(self.average_of(case).reshape(-1)[which])
        kind = draw.choice(("zero", "at m", "fixed", "just above", "just below"))
        if at_ties:
            kind = "fixed" if lattice else "at m"
        fixed = draw.choice((0.0, 0.25, 0.5, 1.0, 0.125, 2.0) if lattice else THRESHOLDS)
        if kind == "at m":
            fixed = m
        elif kind == "zero":
            fixed = 0.0
        elif kind == "just above" and m:
            fixed = np.nextafter(m, np.float32(np.inf))
        elif kind == "just below" and m:
            fixed = np.nextafter(m, np.float32(0))
        case["threshold"] = single(fixed)
        return {name: x.tolist() if isinstance(x, np.ndarray) else x for name, x in case.items()}

    def make_ties(self, draw):
        return self.make(draw, at_ties=True)

    def make_tiny(self, draw):
        """Subnormal averages, which class B leaves open."""
        signs = draw.values((1, -1), 4)
        m = np.float32(draw.values((1, -1, 2, -3, 5), 4)) * np.float32(1e-39)
        return {
            "w": single(signs),
            "m": m.tolist(),
            "g": [0.0] * 4,
            "gamma": 0.25,
            "threshold": 0.0,
        }

    def arrays(self, case):
        """(w, g, state) and the constants of a case."""
        w, g, m = (np.float32(case[name]) for name in ("w", "g", "m"))
        return w, g, BopState(m), {name: np.float32(case[name]) for name in self.constants}

    def average_of(self, case, average=None):
        m, g, gamma = (np.float32(case[name]) for name in ("m", "g", "gamma"))
        return moving_average(m, g, gamma, average or self.average)

    def result(self, case):
        """What the step must return."""
        w, g, state, hyper = self.arrays(case)
        return bop_step(w, g, state, **hyper, rule=self.rule, average=self.average)

    def checks(self):
        """(id, statement, class, make, check) of the rows about the equation."""
        words = {
            "strict": "flips iff w m > threshold",
            "inclusive": "flips iff |m| >= threshold and sign(m) = w",
            "larq": "flips iff w m > threshold",
        }
        ties = {
            "strict": "at a tie w m = threshold the weight stays",
            "inclusive": "at a tie the weight flips, unless m = 0",
            "larq": "at a tie the weight becomes +1",
        }
        return [
            ("average", self.equation, "B", self.make, self.check_average),
            ("rule", words[self.rule], "B", self.make, self.check_rule),
            ("ties", ties[self.rule], "B", self.make_ties, self.check_ties),
        ]

    def check_average(self, case, result):
        _, state = result
        expected = self.average_of(case)
        return _difference("m", expected, state.m), 0

    def check_rule(self, case, result):
        w, m, expected = self._bits(case, result)
        free = np.abs(m) != np.float32(case["threshold"])
        return _difference("w away from ties", expected[free], w[free]), 0

    def check_ties(self, case, result):
        w, m, expected = self._bits(case, result)
        tied = np.abs(m) == np.float32(case["threshold"])
        return _difference("w at a tie", expected[tied], w[tied]), int(np.count_nonzero(tied))

    def _bits(self, case, result):
        """Bits found, the port's own m, and the bits that follow from that m."""
        w, state = result
        before, threshold = np.float32(case["w"]), np.float32(case["threshold"])
        return w, state.m, flip_signs(before, state.m, threshold, self.rule)

    def mistakes(self, row):
        """{words: function of (case, result) giving what this mistake would give}."""
        if row == "average":
            return {
                f'it is what average="{other}" gives': lambda c, _, other=other: self.average_of(
                    c, other
                )
                for other in ("convex", "lerp")
                if other != self.average
            } | {words: _of_average(formula) for words, formula in _AVERAGES.items()}
        return {
            f'it is what rule="{other}" does': lambda c, r, other=other: flip_signs(
                np.float32(c["w"]), r[1].m, np.float32(c["threshold"]), other
            )
            for other in ("strict", "inclusive", "larq")
            if other != self.rule
        } | {words: _of_flips(self.rule, formula) for words, formula in _FLIPS.items()}

    def found(self, row, result):
        """The array that a row is about."""
        return result[1].m if row == "average" else result[0]


def _fused(a, b, c):
    """a * b + c rounded once."""
    return (a.astype(np.float64) * np.float64(b) + c.astype(np.float64)).astype(np.float32)


def _double(formula):
    return lambda m, g, y: formula(m.astype(np.float64), g.astype(np.float64), float(y)).astype(
        np.float32
    )


_AVERAGES = {
    "it is computed in float64 and rounded": _double(lambda m, g, y: (1 - y) * m + y * g),
    "it is lerp computed in float64 and rounded": _double(lambda m, g, y: m + y * (g - m)),
    "a multiply-add is fused": lambda m, g, y: _fused(g, y, (1 - y) * m),
    "a multiply-add is fused, the other one": lambda m, g, y: _fused(m, 1 - y, y * g),
    "gamma and 1 - gamma are exchanged": lambda m, g, y: y * m + (1 - y) * g,
    "the gradient's sign is wrong": lambda m, g, y: (1 - y) * m - y * g,
    "g is not multiplied by gamma": lambda m, g, y: (1 - y) * m + g,
    "the old m does not decay": lambda m, g, y: m + y * g,
    "m0 is ignored": lambda m, g, y: y * g,
    "m is not updated": lambda m, g, y: m,
    "m is clipped to [-1, 1]": lambda m, g, y: np.clip((1 - y) * m + y * g, -1, 1),
}
_FLIPS = {
    "it looks at the m before the step": lambda c, m, w, t, rule: flip_signs(
        w, np.float32(c["m"]), t, rule
    ),
    "it compares |m| without asking for the sign of w": lambda c, m, w, t, rule: np.where(
        np.abs(m) > t, -w, w
    ),
    "it flips where m has the other sign than w": lambda c, m, w, t, rule: flip_signs(
        w, -m, t, rule
    ),
    "it looks at the gradient, not at m": lambda c, m, w, t, rule: flip_signs(
        w, np.float32(c["g"]), t, rule
    ),
    "it ignores the threshold": lambda c, m, w, t, rule: flip_signs(w, m, 0 * t, rule),
    "it never flips": lambda c, m, w, t, rule: w,
    "its bits are sign(-m)": lambda c, m, w, t, rule: np.where(
        -m < 0, -np.ones_like(w), np.ones_like(w)
    ),
    "its bits are sign(m)": lambda c, m, w, t, rule: np.where(
        m < 0, -np.ones_like(w), np.ones_like(w)
    ),
}


def _of_average(formula):
    return lambda c, _: formula(np.float32(c["m"]), np.float32(c["g"]), np.float32(c["gamma"]))


def _of_flips(rule, formula):
    return lambda c, r: formula(c, r[1].m, np.float32(c["w"]), np.float32(c["threshold"]), rule)


class LatentSGDRules:
    """What a step of latent SGD with weight decay gives; ``decay`` is "shrink" or "coupled"."""

    kind, argument, state_type, field = "sgd", "latent_sgd_step", LatentSGDState, "velocity"
    call = "(latent, g, LatentSGDState(velocity), *, lr, weight_decay)"
    constants = ("lr", "weight_decay")
    value_name = "latent"

    def __init__(self, decay):
        self.decay = decay
        self.equation = {
            "shrink": "w <- (1 - lr weight_decay) w - lr g",
            "coupled": "w <- w - lr (g + weight_decay w)",
        }[decay]

    def make(self, draw):
        """A case of one step; rates of 0 are among them."""
        lattice = draw.flag()
        shape = draw.choice(SHAPES)
        count = int(np.prod(shape))
        latent = reals(draw, count, shape, QUARTERS if lattice else None)
        g = reals(draw, count, shape, WHOLE if lattice else None)
        lr = draw.choice((0.5, 1.0, 0.25, 0.0, 2.0) if lattice else (*RATES, 0.0, 3.0))
        decays = (0.5, 0.0, 1.0, 0.25) if lattice else (0.1, 0.0, 1.0, 5e-4, 1e-4, 0.3, 0.01)
        lam = draw.choice(decays)
        if lr * lam > 1:
            lam = 1 / lr
        case = {"latent": latent.tolist(), "g": g.tolist()}
        return case | {"lr": single(lr), "weight_decay": single(lam)}

    def make_tiny(self, draw):
        latent = np.float32(draw.values((1, -1, 2, -3, 5), 4)) * np.float32(1e-39)
        return {"latent": latent.tolist(), "g": [0.0] * 4, "lr": 0.5, "weight_decay": 0.5}

    def arrays(self, case):
        latent, g = np.float32(case["latent"]), np.float32(case["g"])
        constants = {name: np.float32(case[name]) for name in self.constants}
        return latent, g, LatentSGDState(np.zeros_like(latent)), constants

    def result(self, case, decay=None):
        """What the step must return."""
        latent, g, state, hyper = self.arrays(case)
        return latent_sgd_step(latent, g, state, **hyper, decay=decay or self.decay)

    def checks(self):
        return [("update", self.equation, "B", self.make, self.check_update)]

    def check_update(self, case, result):
        return _difference("latent", self.result(case)[0], result[0]), 0

    def mistakes(self, row):
        forms = {
            f'it is the "{other}" form of decay': lambda c, _, other=other: self.result(c, other)[0]
            for other in ("shrink", "coupled")
            if other != self.decay
        }
        return forms | {words: _of_update(formula) for words, formula in _UPDATES.items()}

    def found(self, row, result):
        return result[0]


def _double_update(w, g, lr, lam):
    w, g, lr, lam = w.astype(np.float64), g.astype(np.float64), float(lr), float(lam)
    return ((1 - lr * lam) * w - lr * g).astype(np.float32)


_UPDATES = {
    "it is computed in float64 and rounded": _double_update,
    "a multiply-add is fused": lambda w, g, lr, lam: _fused(-g, lr, (1 - lr * lam) * w),
    "there is no weight decay": lambda w, g, lr, lam: w - lr * g,
    "the decay is applied after the gradient": lambda w, g, lr, lam: (1 - lr * lam) * (w - lr * g),
    "the decay lacks the learning rate": lambda w, g, lr, lam: (1 - lam) * w - lr * g,
    "the decay has the wrong sign": lambda w, g, lr, lam: (1 + lr * lam) * w - lr * g,
    "the gradient's sign is wrong": lambda w, g, lr, lam: (1 - lr * lam) * w + lr * g,
    "the latent weights are clipped to [-1, 1]": lambda w, g, lr, lam: np.clip(
        (1 - lr * lam) * w - lr * g, -1, 1
    ),
    "nothing is updated": lambda w, g, lr, lam: w,
}


def _of_update(formula):
    names = ("latent", "g", "lr", "weight_decay")
    return lambda c, _: formula(*(np.float32(c[name]) for name in names))


def _difference(what, expected, found):
    """Where two arrays differ, in words; "" where they are equal (0 equals -0)."""
    wrong = np.flatnonzero(~(expected == found).reshape(-1))
    if not len(wrong):
        return ""
    k = wrong[0]
    expected, found = expected.reshape(-1)[k], found.reshape(-1)[k]
    near = expected != 0 and abs(float(found) - float(expected)) <= 1e-6 * abs(float(expected))
    words = f"{what} differs in the last bit" if near else f"{what} is wrong"
    return f"{words}: expected {expected!s}, found {found!s}"

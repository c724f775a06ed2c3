"""The equations that a port of Bop or of latent SGD must follow, on numbers of all sizes.

Each kind makes cases of single steps, says what they must give, and knows what common mistakes
give instead, so that a report can name the one that fits.
"""

from functools import partial

import numpy as np

from minibnn.equivalences.case import QUARTERS, SMALL, zigzag
from minibnn.optim import BopState, LatentSGDState, bop_step, latent_sgd_step
from minibnn.optim.bop import AVERAGES, RULES, flip_signs, moving_average

SHAPES = ((1,), (3,), (2,), (2, 3), (7,), (1, 1), (3, 1, 2), (2, 1, 2, 2), (16,))
DIGITS = *zigzag(127, 10), *zigzag(127, 97), -0.0
SIZES = (1.0, 1e-3, 1e3, 1e-8, 1e8, 1e-5, 1e-20, 1e20, 3e-7)  # far from subnormals and overflow
RATES = (0.5, 0.1, 1.0, 0.01, 0.001, 1e-4, 1e-6, 0.25, 0.9, 0.3, 0.7, 2.0**-7, 0.999, 1 / 3)
THRESHOLDS = (0.0, 0.5, 1e-8, 1e-6, 1e-3, 0.1, 1.0, 10.0, 1e-7, 1e-5, 1e6, 1e-19)
AVERAGE_WORDS = {"convex": "m <- (1 - gamma) m + gamma g", "lerp": "m <- m + gamma (g - m)"}
RULE_WORDS = dict.fromkeys(RULES, "flips iff w m > threshold")
RULE_WORDS["inclusive"] = "flips iff |m| >= threshold and sign(m) = w"
TIE_WORDS = {
    "strict": "at a tie w m = threshold the weight stays",
    "inclusive": "at a tie the weight flips, unless m = 0",
    "larq": "at a tie the weight becomes +1",
}
DECAYS = (0.1, 0.0, 1.0, 5e-4, 1e-4, 0.3, 0.01)


def reals(choose, shape, lattice=None):
    """A float32 array of ``shape``: from ``lattice``, or digits times one size."""
    size = 1 if lattice else choose(SIZES)
    values = [choose(lattice or DIGITS) for _ in range(np.prod(shape))]
    return (np.float32(values) * np.float32(size)).reshape(shape)


def plain(case):
    """Arrays as lists, and numbers as the float32 ones nearest to them."""
    return {name: np.float32(x).tolist() for name, x in case.items()}


def tiny(choose):
    """Four subnormal numbers, which class B leaves open."""
    return np.float32([choose((1, -1, 2, -3, 5)) for _ in range(4)]) * np.float32(1e-39)


class BopRules:
    """What a step of Bop in the dialect (rule, average) gives."""

    kind, argument, state_type, field = "bop", "bop_step", BopState, "m"
    call = "(w, g, BopState(m), *, gamma, threshold)"
    constants = ("gamma", "threshold")
    value_name = "w"

    def __init__(self, rule, average):
        self.rule, self.average = rule, average

    def make(self, choose, at_ties=False):
        """A case of one step: on integers and quarters, where ties are common, or any."""
        lattice, shape = choose((False, True)), choose(SHAPES)
        m = reals(choose, shape, QUARTERS if lattice else None)
        g = reals(choose, shape, SMALL if lattice else None)
        gamma = np.float32(choose((0.5, 1.0, 0.25) if lattice else RATES))
        w = reals(choose, shape, (1, -1))
        at_m = np.abs(choose(moving_average(m, g, gamma, self.average).reshape(-1).tolist()))
        fixed = choose((0.0, 0.25, 0.5, 1.0, 0.125, 2.0) if lattice else THRESHOLDS)
        near = {
            "zero": 0.0,
            "at m": at_m,
            "fixed": fixed,
            "just above": np.nextafter(np.float32(at_m), np.float32(np.inf)) if at_m else fixed,
            "just below": np.nextafter(np.float32(at_m), np.float32(0)) if at_m else fixed,
        }
        kind = ("fixed" if lattice else "at m") if at_ties else choose(tuple(near))
        return plain({"w": w, "m": m, "g": g, "gamma": gamma, "threshold": near[kind]})

    def make_tiny(self, choose):
        w, constants = [choose((1, -1)) for _ in range(4)], {"gamma": 0.25, "threshold": 0.0}
        return plain({"w": w, "m": tiny(choose), "g": [0.0] * 4} | constants)

    def arrays(self, case):
        """(w, g, state) and the constants of a case."""
        w, g, m = (np.float32(case[name]) for name in ("w", "g", "m"))
        return w, g, BopState(m), {name: np.float32(case[name]) for name in self.constants}

    def result(self, case):
        """What the step must return."""
        w, g, state, hyper = self.arrays(case)
        return bop_step(w, g, state, **hyper, rule=self.rule, average=self.average)

    def checks(self):
        """(id, statement, make, check) of the rows about the equation."""
        return [
            ("average", AVERAGE_WORDS[self.average], self.make, self.check_average),
            ("rule", RULE_WORDS[self.rule], self.make, self.check_rule),
            ("ties", TIE_WORDS[self.rule], partial(self.make, at_ties=True), self.check_ties),
        ]

    def check_average(self, case, result):
        return difference("m", self.result(case)[1].m, result[1].m), 0

    def check_rule(self, case, result):
        expected, tied = self._bits(case, result)
        return difference("w away from ties", expected[~tied], result[0][~tied]), 0

    def check_ties(self, case, result):
        expected, tied = self._bits(case, result)
        return difference("w at a tie", expected[tied], result[0][tied]), int(tied.sum())

    def _bits(self, case, result):
        """The bits that follow from the port's own m, and where it stands at the threshold."""
        before, threshold, m = np.float32(case["w"]), np.float32(case["threshold"]), result[1].m
        return flip_signs(before, m, threshold, self.rule), np.abs(m) == threshold

    def mistakes(self, row):
        """{words: function of (case, result) giving what this mistake would give}."""
        if row == "average":
            others = {
                f'it is what average="{other}" gives': partial(moving_average, average=other)
                for other in AVERAGES
                if other != self.average
            }
            return of_case(("m", "g", "gamma"), others | _AVERAGES)
        others = {
            f'it is what rule="{other}" does': lambda f, w, m, t, *_, r=other: f(w, m, t, rule=r)
            for other in RULES
            if other != self.rule
        }
        flips = partial(flip_signs, rule=self.rule)
        formulas = {w: partial(formula, flips) for w, formula in (others | _FLIPS).items()}
        return of_case(("w", "new m", "threshold", "m", "g"), formulas)

    def found(self, row, result):
        """The array that a row is about."""
        return result[1].m if row == "average" else result[0]


def of_case(names, formulas):
    """{words: function of (case, result)} of formulas in the numbers of a case and the new m."""

    def give(formula, case, result):
        numbers = case | {"new m": getattr(result[1], "m", None)}
        return formula(*(np.float32(numbers[name]) for name in names))

    return {words: partial(give, formula) for words, formula in formulas.items()}


def _fused(a, b, c):
    """a * b + c rounded once."""
    return (a.astype(np.float64) * np.float64(b) + c.astype(np.float64)).astype(np.float32)


def _double(formula):
    """The formula in float64, rounded at the end."""
    return lambda *numbers: formula(*map(np.float64, numbers)).astype(np.float32)


_AVERAGES = {  # of m, g and gamma
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
_FLIPS = {  # of the rule f, w, m, the threshold, the m before and g
    "it looks at the m before the step": lambda f, w, m, t, old, g: f(w, old, t),
    "it compares |m| without asking for the sign of w": (
        lambda f, w, m, t, old, g: np.where(np.abs(m) > t, -w, w)
    ),
    "it flips where m has the other sign than w": lambda f, w, m, t, old, g: f(w, -m, t),
    "it looks at the gradient, not at m": lambda f, w, m, t, old, g: f(w, g, t),
    "it ignores the threshold": lambda f, w, m, t, old, g: f(w, m, 0 * t),
    "it never flips": lambda f, w, m, t, old, g: w,
    "its bits are sign(-m)": lambda f, w, m, t, old, g: np.where(m > 0, -1, 1),
    "its bits are sign(m)": lambda f, w, m, t, old, g: np.where(m < 0, -1, 1),
}


class LatentSGDRules:
    """What a step of latent SGD with weight decay gives; ``decay`` is "shrink" or "coupled"."""

    kind, argument, state_type, field = "sgd", "latent_sgd_step", LatentSGDState, "velocity"
    call = "(latent, g, LatentSGDState(velocity), *, lr, weight_decay)"
    constants = ("lr", "weight_decay")
    value_name = "latent"

    def __init__(self, decay):
        self.decay = decay

    def make(self, choose):
        """A case of one step; rates of 0 are among them."""
        lattice, shape = choose((False, True)), choose(SHAPES)
        latent = reals(choose, shape, QUARTERS if lattice else None)
        g = reals(choose, shape, SMALL if lattice else None)
        lr = choose((0.5, 1.0, 0.25, 0.0, 2.0) if lattice else (*RATES, 0.0, 3.0))
        lam = choose((0.5, 0.0, 1.0, 0.25) if lattice else DECAYS)
        lam = 1 / lr if lr * lam > 1 else lam
        return plain({"latent": latent, "g": g, "lr": lr, "weight_decay": lam})

    def make_tiny(self, choose):
        return plain({"latent": tiny(choose), "g": [0.0] * 4, "lr": 0.5, "weight_decay": 0.5})

    def arrays(self, case):
        latent, g = np.float32(case["latent"]), np.float32(case["g"])
        constants = {name: np.float32(case[name]) for name in self.constants}
        return latent, g, LatentSGDState(np.zeros_like(latent)), constants

    def result(self, case, decay=None):
        """What the step must return."""
        latent, g, state, hyper = self.arrays(case)
        return latent_sgd_step(latent, g, state, **hyper, decay=decay or self.decay)

    def checks(self):
        shrink = self.decay == "shrink"
        words = "(1 - lr weight_decay) w - lr g" if shrink else "w - lr (g + weight_decay w)"
        return [("update", f"w <- {words}", self.make, self.check_update)]

    def check_update(self, case, result):
        return difference("latent", self.result(case)[0], result[0]), 0

    def mistakes(self, row):
        other = "coupled" if self.decay == "shrink" else "shrink"
        forms = {f'it is the "{other}" form of decay': lambda c, _: self.result(c, other)[0]}
        return forms | of_case(("latent", "g", "lr", "weight_decay"), _UPDATES)

    def found(self, row, result):
        return result[0]


_UPDATES = {
    "it is computed in float64 and rounded": _double(
        lambda w, g, r, lam: (1 - r * lam) * w - r * g
    ),
    "a multiply-add is fused": lambda w, g, lr, lam: _fused(-g, lr, (1 - lr * lam) * w),
    "there is no weight decay": lambda w, g, lr, lam: w - lr * g,
    "the decay is applied after the gradient": lambda w, g, lr, lam: (1 - lr * lam) * (w - lr * g),
    "the decay lacks the learning rate": lambda w, g, lr, lam: (1 - lam) * w - lr * g,
    "the decay has the wrong sign": lambda w, g, lr, lam: (1 + lr * lam) * w - lr * g,
    "the gradient's sign is wrong": lambda w, g, lr, lam: (1 - lr * lam) * w + lr * g,
    "the latent weights are clipped to [-1, 1]": (
        lambda w, g, lr, lam: np.clip((1 - lr * lam) * w - lr * g, -1, 1)
    ),
    "nothing is updated": lambda w, g, lr, lam: w,
}


def difference(what, expected, found):
    """Where two arrays differ, in words; "" where they are equal (0 equals -0)."""
    wrong = np.flatnonzero(~(expected == found).reshape(-1))
    if not len(wrong):
        return ""
    expected, found = (x.reshape(-1)[wrong[0]] for x in (expected, found))
    near = expected != 0 and abs(float(found) - float(expected)) <= 1e-6 * abs(float(expected))
    words = f"{what} differs in the last bit" if near else f"{what} is wrong"
    return f"{words}: expected {expected!s}, found {found!s}"

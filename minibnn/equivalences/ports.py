"""Somebody else's step functions, held against the rules of the dialect they claim.

First how they are called and what they return, then the equation itself, bit for bit, on numbers
of all sizes and on ties; then the statements of the catalogue that are about them.
"""

import inspect
import time
import warnings
from fractions import Fraction
from functools import partial

import numpy as np

from minibnn.equivalences.case import Broken, text
from minibnn.equivalences.port_rules import BopRules, LatentSGDRules
from minibnn.equivalences.report import FAILED, NOTE, PASSED, SKIPPED, Row
from minibnn.equivalences.search import chooser, search
from minibnn.equivalences.steps import foreign_steps
from minibnn.optim.latent import DECAYS

FORM = ("call", "output")  # without these nothing else can be asked
MANY = 5  # single steps are cheap: cases of an equation per example


def check_array(name, found, like):
    if not isinstance(found, np.ndarray):
        raise Broken(f"{name} must be a NumPy array, found {type_of(found)}")
    if found.dtype != like.dtype:
        raise Broken(f"{name} must be {like.dtype} as it came, found {found.dtype}")
    if found.shape != like.shape:
        raise Broken(f"{name} must have shape {like.shape}, found {found.shape}")
    if like.dtype == object:
        for odd in (x for x in found.reshape(-1) if not isinstance(x, Fraction | int)):
            raise Broken(f"{name} must stay Fractions, found {type_of(odd)}")
    elif not np.isfinite(found).all():
        raise Broken(f"{name} must be finite, found {found[~np.isfinite(found)][0]}")


def type_of(x):
    return f"of type {type(x).__name__}"


class Port:
    """A step function of somebody else's, and the rows about it: form, then equation.

    Calling it checks the form of what it returns. It works on copies, so it can spoil nothing but
    its own rows. Raises Broken.
    """

    def __init__(self, step, rules, examples, seed):
        self.step, self.rules, self.examples, self.seed = step, rules, examples, seed
        self.usable = True  # until a rule of form is broken

    def __call__(self, value, g, state, **hyper):
        fresh = self.rules.state_type(getattr(state, self.rules.field).copy())
        return self.copied(self.raw(value.copy(), g.copy(), fresh, hyper), value, g)

    def raw(self, value, g, state, hyper):
        """What the step function returns, whatever it is."""
        try:
            return self.step(value, g, state, **hyper)
        except (Exception, SystemExit) as error:
            words = " ".join(str(error).split())
            constants = ", ".join(f"{name}={x!s}" for name, x in hyper.items())
            where = f"at {constants} and arrays of shape {g.shape}{words and ': '}{words}"
            raise Broken(f"it raised {type(error).__name__} {where}") from None

    def copied(self, result, value, g):
        """Copies of (value, state) as the library has them; Broken if their form is wrong."""
        rules, expected = self.rules, f"it must return ({self.rules.value_name}, state)"
        if not isinstance(result, tuple | list) or len(result) != 2:
            found = f"{len(result)} things" if isinstance(result, tuple | list) else type_of(result)
            raise Broken(f"{expected}, found {found}")
        new, state = result
        if not hasattr(state, rules.field):
            raise Broken(f"{expected} with state.{rules.field}, found a state {type_of(state)}")
        check_array(rules.value_name, new, value)
        odd = new[(new != 1) & (new != -1)] if rules.kind == "bop" else ()
        if len(odd):
            raise Broken(f"every entry of w must be +1 or -1, found {odd[0]}")
        field = getattr(state, rules.field)
        if field is None and rules.kind == "sgd":
            field = np.zeros_like(g)  # unused without momentum
        check_array(f"state.{rules.field}", field, g)
        return new.copy(), rules.state_type(field.copy())

    def jobs(self):
        """Functions that each make one Row; those about form come first."""
        rules, few, make = self.rules, max(self.examples // 10, 5), self.rules.make
        job = partial(partial, self.row)
        yield job("call", f"callable as {rules.call}", make, self.check_call, 1)
        what = f"returns {rules.value_name} and state.{rules.field} as they came"
        yield job("output", what, make, self.call, few)
        yield job("inputs", "leaves its inputs untouched", make, self.check_inputs)
        what = "same inputs, same results, which are the caller's"
        yield job("repeat", what, make, self.check_repeat, few)
        what = "each entry by itself, whatever the shape"
        yield job("entries", what, some_entries, self.check_entries, few)
        large = {"seed": 0, "size": 70001}
        yield job("large", "on large arrays too", lambda _: large, self.check_entries, 1)
        for name, words, make, equation in rules.checks():
            check, cases = partial(self.check_equation, equation), MANY * self.examples
            yield job(name, words, make, check, cases, exactness="B")
        what = "keeps subnormal numbers (class B leaves it open)"
        yield job("tiny", what, rules.make_tiny, self.check_all, 10)

    def row(self, name, words, make, check, examples=None, exactness=""):
        """The Row of one rule."""
        id = f"{self.rules.kind}.{name}"
        if not self.usable:
            return Row(id, words, exactness, verdict=SKIPPED)
        start, seed = time.perf_counter(), [self.seed, id]  # every row its own stream of cases
        found = search(partial(attempt, make, check), examples or self.examples, seed)
        why, verdict = found.why, FAILED if found.why else PASSED
        if why and exactness:
            why += self._diagnosis(name, make, seed)
        if why and name == "tiny":
            why, verdict = f"numbers below 1.2e-38 are not kept ({why})", NOTE
        self.usable = not (why and name in FORM)
        paste = self.paste(found.case) if why and "seed" not in found.case else ""
        seconds = time.perf_counter() - start
        counts = found.cases, found.ties, 0, 0
        return Row(id, words, exactness, *counts, verdict, why, found.case, paste, seconds)

    def call(self, case):
        """(value, state) that the port returns in a case."""
        value, g, state, hyper = self.rules.arrays(case)
        return self(value, g, state, **hyper)

    # -- form: each check returns nothing, or the ties it met, or raises Broken ---------------

    def check_call(self, case):
        value, g, state, hyper = self.rules.arrays(case)
        try:
            inspect.signature(self.step).bind(value, g, state, **hyper)
        except ValueError:
            pass  # a compiled function may not tell
        except TypeError as error:
            called = f"{self.rules.argument}{self.rules.call}"
            raise Broken(f"it cannot be called as {called}: {error}") from None
        self.raw(value, g, state, hyper)

    def check_inputs(self, case):
        value, g, state, hyper = self.rules.arrays(case)
        field = getattr(state, self.rules.field)
        given = {self.rules.value_name: value, "g": g, f"state.{self.rules.field}": field}
        before = {name: x.copy() for name, x in given.items()}
        self.raw(value, g, state, hyper)
        for name, x in given.items():
            if x.shape != before[name].shape or not np.array_equal(x, before[name]):
                raise Broken(f"it changes its input {name}: from {text(before[name])} to {text(x)}")

    def check_repeat(self, case):
        value, g, state, hyper = self.rules.arrays(case)
        result = self.raw(value, g, state, hyper)
        kept = self.copied(result, value, g)
        other = self.rules.arrays(case)
        other[1][...] = 2 * other[1] + 1
        self.raw(*other)
        now = self.copied(result, value, g)
        unchanged("a later call changes the result of an earlier one", kept, now)
        unchanged("the same inputs give another result the second time", kept, self.call(case))

    def check_entries(self, case):
        random, size = np.random.default_rng(case["seed"]), case["size"]
        names = ("m", "latent", "g")
        arrays = {name: random.normal(size=size).astype(np.float32) for name in names}
        arrays["w"] = random.choice(np.float32([-1, 1]), size)
        constants = {"gamma": 0.3, "threshold": 0.4, "lr": 0.3, "weight_decay": 0.1}
        whole = arrays_of(self.call(arrays | constants))
        parts = [slice(0, 1), *(slice(k, k + 997) for k in range(1, size, 997))]
        words = ["an entry depends on its neighbours"] * len(parts)
        parts.append(random.permutation(size))
        for word, part in zip([*words, "an entry depends on its place"], parts, strict=True):
            piece = {name: x[part] for name, x in arrays.items()}
            unchanged(word, tuple(x[part] for x in whole), self.call(piece | constants))
        shape = (size, 1, 1, 1) if size % 33 else (3, -1, 1, 11)
        folded = self.call({name: x.reshape(shape) for name, x in arrays.items()} | constants)
        flat = tuple(x.reshape(-1) for x in arrays_of(folded))
        unchanged("an entry depends on the array's shape", whole, flat)

    # -- equation -----------------------------------------------------------------------------

    def check_equation(self, equation, case):
        why, ties = equation(case, self.call(case))
        if why:
            raise Broken(why)
        return ties

    def check_all(self, case):
        for _, _, _, equation in self.rules.checks():
            self.check_equation(equation, case)

    def _diagnosis(self, name, make, seed):
        """ "; it is ...": the mistake that fits what the port does in a hundred cases, or ""."""
        mistakes, choose = self.rules.mistakes(name), chooser(seed)
        try:
            for case in (make(choose) for _ in range(100)):
                result = self.call(case)
                found = self.rules.found(name, result)
                with np.errstate(all="ignore"):
                    mistakes = {
                        words: give
                        for words, give in mistakes.items()
                        if np.array_equal(give(case, result), found)
                    }
        except Broken:
            return ""
        return "".join(f"; {words}" for words in list(mistakes)[:1])

    def paste(self, case):
        """Python that repeats one call, with what came and what should."""
        rules, (value, g, state, hyper) = self.rules, self.rules.arrays(case)
        lines = ["import numpy as np", f"from minibnn.optim import {rules.state_type.__name__}", ""]
        arrays = ((rules.value_name, value), ("g", g), (rules.field, getattr(state, rules.field)))
        lines += [f"{name} = np.array({x.tolist()!r}, np.float32)" for name, x in arrays]
        constants = ", ".join(f"{name}=np.float32({float(x)!r})" for name, x in hyper.items())
        state = f"{rules.state_type.__name__}({rules.field})"
        call = f"{rules.argument}({rules.value_name}, g, {state}, {constants})"
        lines.append(f"{rules.value_name}, state = {call}")
        try:
            found = self.call(case)
        except Broken as broken:
            return "\n".join([*lines, f"# {broken}"])
        for words, (x, kept) in {"found": found, "expected": rules.result(case)}.items():
            field = text(getattr(kept, rules.field))
            lines.append(f"# {words}: {rules.value_name} = {text(x)}, {rules.field} = {field}")
        return "\n".join(lines)


def attempt(make, check, choose):
    """A case for ``search``."""
    case = make(choose)
    try:
        ties = check(case)
    except Broken as broken:
        broken.case = case
        raise
    return ties if isinstance(ties, int) else 0  # a check of form has none to tell


def some_entries(choose):
    """A larger array: ``seed`` of its numbers."""
    return {"seed": choose(range(256)), "size": choose((2, 3, 33, 700, 4099))}


def unchanged(words, a, b):
    for x, y in zip(arrays_of(a), arrays_of(b), strict=True):
        for k in np.flatnonzero((x != y).reshape(-1))[:1]:
            raise Broken(f"{words}: {x.reshape(-1)[k]} and {y.reshape(-1)[k]}")


def arrays_of(result):
    """The arrays of (value, state), or of a plain tuple of arrays."""
    return tuple(x if isinstance(x, np.ndarray) else x[0] for x in result)


def ports_and_steps(bop_step, latent_sgd_step, rule, average, exact, examples, seed):
    """The Ports of somebody else's step functions, and the Steps in which they stand."""
    ports, decays = [], DECAYS
    if bop_step is not None:
        ports.append(Port(bop_step, BopRules(rule, average), examples, seed))
    if latent_sgd_step is not None:
        decays = (_form_of_decay(latent_sgd_step, average),)
        ports.append(Port(latent_sgd_step, LatentSGDRules(*decays), examples, seed))
    called = {port.rules.argument: port for port in ports}
    dialects = {"rules": (rule,), "averages": (average,), "decays": decays, "exact": exact}
    return ports, foreign_steps(**called, **dialects)


def _form_of_decay(step, average):
    """The form of decay that goes with ``average``; beside "lerp" the port may have either."""
    if average == "convex":
        return "shrink"
    port, choose = Port(step, LatentSGDRules("shrink"), 0, 0), chooser(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for _ in range(50):
                port.check_equation(port.rules.check_update, port.rules.make(choose))
        except Broken:
            return "coupled"
    return "shrink"

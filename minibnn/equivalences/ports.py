"""Somebody else's step functions, held against the rules of the dialect they claim.

First how they are called and what they return, then the equation itself, bit for bit, on numbers
of all sizes and on ties; then the statements of the catalogue that are about them.
"""

import inspect
import time
import warnings
from functools import partial

import numpy as np

from minibnn.equivalences import draws
from minibnn.equivalences.entry import Broken, Run, Steps, text
from minibnn.equivalences.port_call import Port
from minibnn.equivalences.port_rules import BopRules, LatentSGDRules
from minibnn.equivalences.report import FAILED, NOTE, PASSED, SKIPPED, Row
from minibnn.equivalences.search import search
from minibnn.optim.latent import DECAYS

FORM = ("call", "output")  # without these nothing else can be asked
MANY = 5  # single steps are cheap: cases of an equation per example


class PortRows:
    """The rows about one port: form, then equation."""

    def __init__(self, step, rules, examples, seed):
        self.port, self.rules = Port(step, rules), rules
        self.examples, self.seed = examples, seed
        self.usable = True  # until a rule of form is broken

    def jobs(self):
        """Functions that each make one Row; those about form come first."""
        rules, what = self.rules, f"{self.rules.value_name} and state.{self.rules.field}"
        few = max(self.examples // 10, 5)
        rows = [
            ("call", f"callable as {rules.call}", self.check_call, 1),
            (
                "output",
                f"returns {what} as they came",
                self.check_form,
                few,
            ),
            ("inputs", "leaves its inputs untouched", self.check_inputs, self.examples),
            ("repeat", "same inputs, same results, which are the caller's", self.check_repeat, few),
            ("entries", "each entry by itself, whatever the shape", self.check_entries, few),
            ("large", "on large arrays too", self.check_entries, 1),
        ]
        for name, words, check, examples in rows:
            make = {"entries": self.make_many, "large": self.make_large}.get(name, rules.make)
            yield partial(self.row, name, words, "", make, check, examples)
        for name, words, exactness, make, equation in rules.checks():
            check = partial(self.check_equation, equation)
            yield partial(self.row, name, words, exactness, make, check, MANY * self.examples)
        yield self.tiny_row

    def row(self, name, words, exactness, make, check, examples):
        """The Row of one rule."""
        id = f"{self.rules.kind}.{name}"
        if not self.usable:
            return Row(id, words, exactness, verdict=SKIPPED)
        start = time.perf_counter()
        # Every row its own stream of cases.
        seed = [self.seed, *id.encode()]
        found = search(make, check, examples, seed)
        if found.case is not None and name not in ("repeat", "entries", "large"):
            self._reduce(found, check)
        why = found.why
        if why and name in ("average", "rule", "ties", "update"):
            why += self._diagnosis(name, make, seed)
        if why and name in FORM:
            self.usable = False
        return Row(
            id,
            words,
            exactness,
            found.cases,
            found.ties,
            verdict=FAILED if why else PASSED,
            why=why,
            case=found.case,
            paste="" if found.case is None or "seed" in found.case else self.paste(found.case),
            seconds=time.perf_counter() - start,
        )

    def _reduce(self, found, check):
        """Make the case one of a single entry, if that fails too."""
        lists = {name: np.ravel(x).tolist() for name, x in found.case.items() if np.ndim(x)}
        for k in range(max(map(len, lists.values()))):
            case = found.case | {name: [values[k]] for name, values in lists.items()}
            try:
                check(case)
            except Broken as broken:
                found.case, found.why = case, str(broken)
                return

    def _call(self, case):
        w, g, state, hyper = self.rules.arrays(case)
        return self.port(w, g, state, **hyper)

    # -- form ---------------------------------------------------------------------------------

    def check_call(self, case):
        step, (value, g, state, hyper) = self.port.step, self.rules.arrays(case)
        try:
            inspect.signature(step).bind(value, g, state, **hyper)
        except ValueError:
            pass  # a compiled function may not tell
        except TypeError as error:
            raise Broken(
                f"it cannot be called as {self.rules.argument}{self.rules.call}: {error}"
            ) from None
        self.port.raw(value, g, state, hyper)
        return 0

    def check_form(self, case):
        self._call(case)
        return 0

    def check_inputs(self, case):
        value, g, state, hyper = self.rules.arrays(case)
        field = getattr(state, self.rules.field)
        given = {self.rules.value_name: value, "g": g, f"state.{self.rules.field}": field}
        before = {name: x.copy() for name, x in given.items()}
        self.port.raw(value, g, state, hyper)
        for name, x in given.items():
            if x.shape != before[name].shape or not np.array_equal(x, before[name]):
                raise Broken(f"it changes its input {name}: from {text(before[name])} to {text(x)}")
        return 0

    def check_repeat(self, case):
        first = self.rules.arrays(case)
        result = self.port.raw(*first)
        kept = self.port.copied(result, first[0], first[1])
        other = self.rules.arrays(case)
        other[1][...] = 2 * other[1] + 1
        self.port.raw(*other)
        self._same(
            "a later call changes the result of an earlier one",
            kept,
            self.port.copied(result, first[0], first[1]),
        )
        self._same("the same inputs give another result the second time", kept, self._call(case))
        return 0

    def make_many(self, draw):
        """A larger array: ``seed`` of its numbers."""
        return {"seed": draw.whole(0, 255), "size": draw.choice((2, 3, 33, 700, 4099))}

    def make_large(self, draw):
        return {"seed": 0, "size": 70001}

    def check_entries(self, case):
        random = np.random.default_rng(case["seed"])
        size = case["size"]
        arrays = {
            "w": random.choice(np.float32([-1, 1]), size),
            "m": random.normal(size=size).astype(np.float32),
            "latent": random.normal(size=size).astype(np.float32),
            "g": random.normal(size=size).astype(np.float32),
        }
        constants = {"gamma": 0.3, "threshold": 0.4, "lr": 0.3, "weight_decay": 0.1}
        whole = self._call(arrays | constants)
        order = random.permutation(size)
        small = [slice(k, k + 997) for k in range(1, size, 997)]
        for words, parts in (
            ("an entry depends on its neighbours", [slice(0, 1), *small]),
            ("an entry depends on its place", [order]),
        ):
            for part in parts:
                piece = {name: x[part] for name, x in arrays.items()}
                self._same(words, _picked(whole, part), self._call(piece | constants))
        shape = (size, 1, 1, 1) if size % 33 else (3, -1, 1, 11)
        folded = {name: x.reshape(shape) for name, x in arrays.items()}
        flat = (x.reshape(-1) for x in _arrays(self._call(folded | constants)))
        self._same("an entry depends on the array's shape", whole, tuple(flat))
        return 0

    def _same(self, words, a, b):
        for x, y in zip(_arrays(a), _arrays(b), strict=True):
            if not np.array_equal(x, y):
                k = np.flatnonzero((x != y).reshape(-1))[0]
                raise Broken(f"{words}: {x.reshape(-1)[k]} and {y.reshape(-1)[k]}")

    # -- equation -----------------------------------------------------------------------------

    def check_equation(self, check, case):
        why, ties = check(case, self._call(case))
        if why:
            raise Broken(why)
        return ties

    def _diagnosis(self, name, make, seed):
        """ "; it is ...": the mistake that fits what the port does in a hundred cases, or ""."""
        mistakes = self.rules.mistakes(name)
        try:
            for data in draws.seeded(seed, 100):
                case = make(draws.Draw(data))
                result = self._call(case)
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

    def tiny_row(self):
        """Subnormal numbers: flushed to 0 or kept, both are allowed, but one may want to know."""
        id, words = f"{self.rules.kind}.tiny", "keeps subnormal numbers (class B leaves it open)"
        if not self.usable:
            return Row(id, words, verdict=SKIPPED)
        start = time.perf_counter()
        checks = self.rules.checks()

        def check(case):
            result = self._call(case)
            for _, _, _, _, equation in checks:
                why, _ = equation(case, result)
                if why:
                    raise Broken(why)
            return 0

        found = search(self.rules.make_tiny, check, 10, [self.seed])
        why = ""
        if found.why:
            why = f"numbers below 1.2e-38 are not kept ({found.why})"
        seconds = time.perf_counter() - start
        return Row(
            id, words, "", found.cases, verdict=NOTE if why else PASSED, why=why, seconds=seconds
        )

    def paste(self, case):
        """Python that repeats one call, with what came and what should."""
        rules = self.rules
        lines = ["import numpy as np", f"from minibnn.optim import {rules.state_type.__name__}", ""]
        value, g, state, hyper = rules.arrays(case)
        field = getattr(state, rules.field)
        for name, x in ((rules.value_name, value), ("g", g), (rules.field, field)):
            lines.append(f"{name} = np.array({x.tolist()!r}, np.float32)")
        constants = ", ".join(f"{name}=np.float32({float(x)!r})" for name, x in hyper.items())
        lines.append(
            f"{rules.value_name}, state = {rules.argument}({rules.value_name}, g, "
            f"{rules.state_type.__name__}({rules.field}), {constants})"
        )
        try:
            new, state = self._call(case)
        except Broken as broken:
            return "\n".join([*lines, f"# {broken}"])
        results = {"found": (new, state), "expected": rules.result(case)}
        for words, (x, kept) in results.items():
            field = getattr(kept, rules.field)
            lines.append(
                f"# {words}: {rules.value_name} = {text(x)}, {rules.field} = {text(field)}"
            )
        return "\n".join(lines)


def _arrays(result):
    """The arrays of (value, state), or of a plain tuple of arrays."""
    return tuple(x if isinstance(x, np.ndarray) else x[0] for x in result)


def _picked(result, part):
    return tuple(x[part] for x in _arrays(result))


def port_jobs(entries, bop_step, latent_sgd_step, rule, average, exact, *, examples, seed):
    """Functions that each make one Row: those of each port, then those of the entries."""
    ports, steps = [], {}
    decay = "shrink"
    if bop_step is not None:
        ports.append(PortRows(bop_step, BopRules(rule, average), examples, seed))
        steps["bop_step"] = ports[-1].port
    if latent_sgd_step is not None:
        decay = _form_of_decay(latent_sgd_step, average)
        ports.append(PortRows(latent_sgd_step, LatentSGDRules(decay), examples, seed))
        steps["latent_sgd_step"] = ports[-1].port
    both = Steps(
        **steps,
        rules=(rule,),
        averages=(average,),
        decays=DECAYS if latent_sgd_step is None else (decay,),
        exact=exact,
    )
    jobs = [job for port in ports for job in port.jobs()]
    for entry in entries:
        if set(entry.ports) & set(steps):
            jobs.append(partial(_entry_row, entry, both, ports, examples, seed))
    return [partial(_quietly, job) for job in jobs]


def _form_of_decay(step, average):
    """The form of decay that goes with ``average``; beside "lerp" the port may have either."""
    if average == "convex":
        return "shrink"
    rows = PortRows(step, LatentSGDRules("shrink"), 50, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shrinks = not search(
            rows.rules.make, partial(rows.check_equation, rows.rules.check_update), 50, 0
        ).why
    return "shrink" if shrinks else "coupled"


def _entry_row(entry, steps, ports, examples, seed):
    if not all(port.usable for port in ports):
        return Row(entry.id, entry.title, entry.exactness, verdict=SKIPPED)
    start = time.perf_counter()

    def check(case):
        run = Run(steps)
        with np.errstate(all="ignore"):
            entry.run_case(case, run)
        return run.ties

    found = search(partial(entry.cases, steps=steps), check, examples, [seed, int(entry.id[1:])])
    paste = ""
    if found.case is not None:
        given = ", ".join(f"{name}={name}" for name in steps.foreign)
        paste = (
            "from fractions import Fraction\n" * ("Fraction(" in repr(found.case))
            + "from minibnn.equivalences import CATALOGUE\n"
            + "from minibnn.equivalences.entry import Steps\n\n"
            + f"steps = Steps({given}, rules={steps.rules!r}, averages={steps.averages!r}, "
            + f"decays={steps.decays!r})\n"
            + f'CATALOGUE["{entry.id}"].check({found.case!r}, steps)'
        )
    return Row(
        entry.id,
        entry.title,
        entry.exactness,
        found.cases,
        found.ties,
        verdict=FAILED if found.why else PASSED,
        why=found.why,
        case=found.case,
        paste=paste,
        seconds=time.perf_counter() - start,
    )


def _quietly(job):
    """A port's warnings are its own business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return job()

"""``verify``: runs the catalogue, or holds somebody else's step functions against it."""

import time
import warnings
from collections.abc import Iterable
from functools import partial

from minibnn.equivalences.catalogue import CATALOGUE
from minibnn.equivalences.report import FAILED, PASSED, SKIPPED, Report, Row
from minibnn.equivalences.search import search
from minibnn.equivalences.steps import library_steps
from minibnn.errors import InputError, integer, one_of
from minibnn.ops.backend import BACKENDS
from minibnn.optim.bop import AVERAGES, RULES


def verify(
    ids=None,
    *,
    bop_step=None,
    latent_sgd_step=None,
    rule="strict",
    average="convex",
    examples=200,
    seed=0,
    exact=False,
    backend="reference",
    progress=None,
):
    """Run the catalogue, or hold a port of Bop or of latent SGD against it; returns a Report.

    ``ids`` such as ["E1", "E4"] choose statements, all if left out; ``examples`` cases are tried
    for each, drawn by ``seed``, on the library's ``backend``, "reference" or "numba";
    counterexamples, and what stands beside a port, are computed on the reference.
    ``progress(row)`` is called after each row.

    ``bop_step`` and ``latent_sgd_step`` are somebody else's step functions, of one or both. They
    are called only as ``bop_step(w, g, BopState(m), *, gamma, threshold)`` and
    ``latent_sgd_step(latent, g, LatentSGDState(velocity), *, lr, weight_decay)`` on float32
    arrays, the constants being ``np.float32`` numbers, and return (array, state); with ``exact``
    also on object arrays of Fraction. ``rule`` and ``average`` are the dialect they claim:
    "strict", "inclusive" or "larq"; "convex" or "lerp". With "convex" latent SGD is of the form
    (1 - lr weight_decay) latent - lr g; with "lerp" it may also be
    latent - lr (g + weight_decay latent).

    Raises InputError for an id, dialect or number that does not exist. A step function never makes
    it raise: the report says which rule is broken.

    >>> from minibnn.equivalences import verify
    >>> verify(["E4"], examples=5).ok
    True
    """
    for name, function in (("bop_step", bop_step), ("latent_sgd_step", latent_sgd_step)):
        if function is not None and not callable(function):
            raise InputError(f"{name} must be callable, found {function!r:.60}")
    one_of(rule, "rule", RULES)
    one_of(average, "average", AVERAGES)
    one_of(backend, "backend", BACKENDS)
    examples, seed = integer(examples, "examples", 1), integer(seed, "seed")
    entries = chosen(ids)
    start, ports, steps = time.perf_counter(), [], None
    if bop_step is not None or latent_sgd_step is not None:
        from minibnn.equivalences.ports import ports_and_steps

        functions = bop_step, latent_sgd_step
        ports, steps = ports_and_steps(*functions, rule, average, exact, examples, seed)
        entries = [e for e in entries if set(steps.foreign) & set(e.ports) and e.claims_of(steps)]
    steps = steps or library_steps(backend)
    jobs = [job for port in ports for job in port.jobs()]
    jobs += [partial(verify_entry, e, steps, examples, seed, ports) for e in entries]
    rows = []
    for job in jobs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a port's warnings are its own business
            rows.append(job())
        if progress:
            progress(rows[-1])
    return Report(tuple(rows), seed, time.perf_counter() - start)


def chosen(ids):
    """The list of entries with these ids ("E1", or several; all for None), in their order.

    Raises InputError for one that does not exist.

    >>> [entry.title for entry in chosen("e8")]
    ["Bop's threshold is hysteresis of latent SGD"]
    """
    if isinstance(ids, str):
        ids = [ids]
    if not isinstance(ids, Iterable | None):
        raise InputError(f"ids must be a list of statements such as E4, found {ids!r:.60}")
    wanted = {str(id).upper() for id in ids or CATALOGUE}
    for id in sorted(wanted - CATALOGUE.keys()):
        raise InputError(f"there is no statement {id!r}; the catalogue has {', '.join(CATALOGUE)}")
    return [entry for id, entry in CATALOGUE.items() if id in wanted]


def verify_entry(entry, steps, examples, seed, ports=()):
    """The Row of one entry; against ports, it is not run if their form is broken."""
    about = entry.id, entry.title, entry.exactness
    if not all(port.usable for port in ports):
        return Row(*about, verdict=SKIPPED)
    start = time.perf_counter()
    found = search(
        lambda choose: entry.check(steps=steps, choose=choose).ties, examples, [seed, entry.id]
    )
    against = () if ports else entry.counterexamples
    whole = [example.words for example in against if not entry.broken_by(example)]
    why = found.why or (f"a counterexample does not break it: {whole[0]}" if whole else "")
    counts = found.cases, found.ties, len(against) - len(whole), len(against)
    verdict, seconds = FAILED if why else PASSED, time.perf_counter() - start
    code = paste(entry, found.case, steps) if found.case else ""
    return Row(*about, *counts, verdict, why, found.case, code, seconds)


def paste(entry, case, steps):
    """Python that shows how an entry fails in a case."""
    lines = ["from fractions import Fraction"] * ("Fraction(" in repr(case))
    lines.append("from minibnn.equivalences import CATALOGUE")
    if not steps.foreign:
        own = "" if steps.backend == "reference" else f", library_steps({steps.backend!r})"
        lines += ["from minibnn.equivalences.steps import library_steps"] * bool(own)
        return "\n".join([*lines, "", f'CATALOGUE["{entry.id}"].check({case!r}{own})'])
    names = ", ".join(f"{name}={name}" for name in steps.foreign)
    dialects = f"rules={steps.rules!r}, averages={steps.averages!r}, decays={steps.decays!r}"
    lines += [
        "from minibnn.equivalences.steps import foreign_steps",
        "",
        f"steps = foreign_steps({names}, {dialects})",
        f'CATALOGUE["{entry.id}"].check({case!r}, steps)',
    ]
    return "\n".join(lines)

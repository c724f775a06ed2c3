"""``verify``: runs the catalogue, or holds somebody else's step functions against it."""

import time
from collections.abc import Iterable
from functools import partial

from minibnn.equivalences import draws
from minibnn.equivalences.catalogue import CATALOGUE
from minibnn.equivalences.entry import Steps
from minibnn.equivalences.report import FAILED, PASSED, Report, Row
from minibnn.equivalences.search import BY_HYPOTHESIS, search
from minibnn.errors import InputError
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
    """Run the catalogue, or hold a port of Bop or of latent SGD against it.

    Parameters
    ----------
    ids : list of str, optional
        Such as ["E1", "E4"]; default all.
    bop_step, latent_sgd_step : callables, optional
        Somebody else's step functions, of one or both. They are called only as
        ``bop_step(w, g, BopState(m), *, gamma, threshold)`` and
        ``latent_sgd_step(latent, g, LatentSGDState(velocity), *, lr, weight_decay)`` on float32
        arrays, the constants being ``np.float32`` numbers, and return (array, state).
    rule, average : str
        The dialect they claim: "strict", "inclusive" or "larq"; "convex" or "lerp". With
        "convex" latent SGD is of the form (1 - lr weight_decay) latent - lr g; with "lerp" it may
        also be latent - lr (g + weight_decay latent).
    examples : int
        Cases for each row.
    seed : int
        Of the cases.
    exact : bool
        Call the step functions also on object arrays of Fraction (constants too).
    backend : "reference" or "numba"
        What the library's own steps and layers run on.
    progress : callable (Row), optional
        Called after each row.

    Returns
    -------
    Report
        ``.ok`` and ``.rows``; ``str`` is a table with the smallest failing cases below.

    Raises
    ------
    InputError for an id, dialect or number that does not exist. A step function never makes it
    raise: the report says which rule is broken.

    Examples
    --------
    >>> from minibnn.equivalences import verify
    >>> verify(["E4"], examples=5).ok
    True
    """
    for name, function in (("bop_step", bop_step), ("latent_sgd_step", latent_sgd_step)):
        if function is not None and not callable(function):
            raise InputError(f"{name} must be callable, found {function!r:.60}")
    for name, value, valid in (
        ("rule", rule, RULES),
        ("average", average, AVERAGES),
        ("backend", backend, tuple(BACKENDS)),
    ):
        if value not in valid:
            raise InputError(f"{name} must be one of {', '.join(valid)}; found {value!r}")
    for name, value, low in (("examples", examples, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < low:
            raise InputError(f"{name} must be a whole number from {low} on; found {value!r}")
    entries = chosen(ids)
    start = time.perf_counter()
    how = {"examples": int(examples), "seed": int(seed)}
    if bop_step is None and latent_sgd_step is None:
        jobs = [partial(verify_entry, entry, Steps(backend=backend), **how) for entry in entries]
    else:
        from minibnn.equivalences.ports import port_jobs

        jobs = port_jobs(entries, bop_step, latent_sgd_step, rule, average, exact, **how)
    rows = []
    for job in jobs:
        rows.append(job())
        if progress:
            progress(rows[-1])
    generator = "a seeded generator"
    if draws.hypothesis_installed():
        generator = f"Hypothesis (1 in {BY_HYPOTHESIS}) and a seeded generator"
    return Report(tuple(rows), how["seed"], generator, time.perf_counter() - start)


def chosen(ids):
    """Entries by their ids, in the catalogue's order.

    Parameters
    ----------
    ids : str, sequence of str or None
        Such as "E1"; all for None or an empty list.

    Returns
    -------
    list of Entry

    Raises
    ------
    InputError
        For one that does not exist.

    Examples
    --------
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


def verify_entry(entry, steps, *, examples, seed):
    """The Row of one entry on the library's own step functions."""
    start = time.perf_counter()
    found = search(
        partial(entry.cases, steps=steps),
        lambda case: entry.check(case, steps).ties,
        examples,
        [seed, int(entry.id[1:])],
    )
    broken = [example for example in entry.counterexamples if entry.breaks(example)]
    why = found.why
    if not why and len(broken) < len(entry.counterexamples):
        whole = [example.words for example in entry.counterexamples if example not in broken]
        why = f"a counterexample does not break it: {whole[0]}"
    return Row(
        entry.id,
        entry.title,
        entry.exactness,
        found.cases,
        found.ties,
        len(broken),
        len(entry.counterexamples),
        FAILED if why else PASSED,
        why,
        found.case,
        "" if found.case is None else paste(entry, found.case),
        time.perf_counter() - start,
    )


def paste(entry, case):
    """Python that shows how an entry fails in a case."""
    fractions = "from fractions import Fraction\n" if "Fraction(" in repr(case) else ""
    return (
        f"{fractions}from minibnn.equivalences import CATALOGUE\n\n"
        f'CATALOGUE["{entry.id}"].check({case!r})'
    )

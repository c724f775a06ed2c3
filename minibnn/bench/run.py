"""All measurements of ``minibnn bench``, one section after another."""

import time

from minibnn.bench.clock import FULL, LEAST, QUICK, compiling
from minibnn.errors import InputError

SECTIONS = ("products", "optimizers", "rates", "startup")
GRADIENTS = {"float32": None, "int8": 8}  # of a network: bits, if they are rounded
SCHEMA = 2  # of the report; raised when a field changes its meaning
EFFORTS = {"full": FULL, "quick": QUICK, "least": LEAST}


def run(
    sections=SECTIONS,
    *,
    quick=False,
    cold=False,
    peers=False,
    threads=None,
    filters=128,
    batch_size=50,
    gradients=tuple(GRADIENTS),
    effort=None,
    told=lambda name, report: None,
):
    """Measure.

    Parameters
    ----------
    sections : names out of SECTIONS
    quick : bool
        Fewer runs, and of ``rates`` only ``batch_size``.
    cold, peers : bool
        Also time compiling everything anew; other frameworks, in processes of their own.
    threads : int, optional
        Default: MINIBNN_NUM_THREADS, else all.
    filters, batch_size : int
        Of the BinaryNet that ``products`` and ``startup`` take.
    gradients : names out of GRADIENTS
        Types to measure what takes or makes gradients with.
    effort : "full", "quick" or "least", optional
        How often to repeat, if not as ``quick`` says.
    told : callable (name, report)
        Called before each section with its name and what is there so far, and after the last
        one with None.

    Returns
    -------
    dict
        Fits into JSON; names end with their unit.

    Raises
    ------
    InputError
        For a section or type that there is not.
    """
    asked = {"sections": (sections, SECTIONS), "gradients": (gradients, GRADIENTS)}
    for name, (given, known) in asked.items():
        if unknown := sorted(set(given) - set(known)):
            raise InputError(f"{name} must be some of {', '.join(known)}, found {unknown[0]!r}")
    from minibnn.bench import machine
    from minibnn.ops import backend
    from minibnn.ops.threads import compute_threads

    begin = time.perf_counter()
    effort = EFFORTS[effort or ("quick" if quick else "full")]
    with compute_threads(threads), backend.using("numba"), compiling() as compiled:
        import numba

        count = numba.get_num_threads()
        report = {
            "schema": SCHEMA,
            "settings": {
                "sections": list(sections),
                "quick": quick,
                "filters": filters,
                "batch": batch_size,
                "gradients": list(gradients),
            },
            "machine": machine.describe(count),
        }
        size = {"filters": filters, "batch_size": batch_size}
        jobs = {
            "products": lambda: _products(report, count, effort, quick, gradients, **size),
            "optimizers": lambda: _optimizers(effort, filters),
            "rates": lambda: _rates(count, effort, quick, gradients, **size),
            "startup": lambda: _startup(count, cold, quick, gradients, **size),
        }
        wanted = [name for name in SECTIONS if name in sections]
        for name in wanted:
            told(name, report)
            report[name] = jobs[name]()
        if peers:
            from minibnn.bench.peers import measure_peers

            told("peers", report)
            report["peers"] = measure_peers(count, quick=quick, **size)
    report["compile_seconds"] = compiled.seconds
    report["seconds"] = time.perf_counter() - begin
    told(None, report)
    return report


def _products(report, threads, effort, quick, gradients, filters, batch_size):
    from minibnn.bench import products as room
    from minibnn.bench.networks import binarynet
    from minibnn.bench.peaks import COPIED, copy_rate, peak_rates

    peaks, blas = peak_rates(threads, effort), {}
    report["peaks"] = {
        **{f"{name} gmacs_per_s": rate and rate / 1e9 for name, rate in peaks.items()},
        "copy gb_per_s": copy_rate(COPIED, effort) / 1e9,
    }
    cases = room.products(binarynet(filters), batch_size, gradients)
    layers = [room.measure_product(case, peaks, threads, effort, blas) for case in cases]
    totals = room.totals(layers)
    for rows in (layers, totals):
        room.compare(rows)
    bare = [] if quick else room.bare_products()
    return {
        "layers": layers,
        "totals": totals,
        "bare": [room.measure_product(case, peaks, threads, effort, blas) for case in bare],
    }


def _optimizers(effort, filters):
    from minibnn.bench.optimizers import WEIGHTS, measure_optimizers

    return list(measure_optimizers(WEIGHTS * filters**2 // 128**2, effort))


def _rates(threads, effort, quick, gradients, filters, batch_size):
    from minibnn.bench.rates import BATCHES, WIDTHS, measure_rates

    widths = WIDTHS if filters in WIDTHS else (filters,)
    counts = sorted({1, threads})
    batches = (batch_size,) if quick else BATCHES
    return list(measure_rates(counts, widths, batches, gradients, effort))


def _startup(threads, cold, quick, gradients, **size):
    from minibnn.bench import startup

    found = {}
    for kind in gradients:
        own = size | {"gradients": kind}
        found[kind] = {
            "warm": startup.warm_start(threads, runs=1 if quick else 3, **own),
            "memory": startup.memory(threads, **own),
        }
        if cold:
            found[kind]["cold"] = startup.cold_start(threads, **own)
    return found

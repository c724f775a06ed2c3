"""All measurements of ``minibnn bench``, one section after another."""

import time

from minibnn.bench.clock import FULL, Setting, compiling
from minibnn.errors import one_of

SECTIONS = ("products", "rates", "startup", "scaling")
USUAL = SECTIONS[:3]  # scaling takes as long as the others together
GRADIENTS = ("float32", "int8")
SCHEMA = 5  # of the report; raised when a field changes its meaning


def run(
    sections=USUAL,
    *,
    effort=FULL,
    cold=False,
    threads=None,
    filters=128,
    batch_size=50,
    gradients=GRADIENTS,
    told=lambda text: None,
):
    """Measure; returns a dict that fits into JSON, whose names end with their unit.

    ``sections`` are out of SECTIONS, ``gradients`` out of GRADIENTS (scaling takes the last);
    InputError for others. ``effort`` is for how many seconds to repeat a measurement; with less
    than FULL ``rates`` takes ``batch_size`` alone. ``cold`` also times compiling everything anew.
    ``threads`` is MINIBNN_NUM_THREADS by default, else all. ``filters`` and ``batch_size`` are of
    the BinaryNet measured. ``told`` is a function that takes the tables, texts, as they are done.
    """
    for name in sections:
        one_of(name, "a section", SECTIONS)
    for name in gradients:
        one_of(name, "gradients", GRADIENTS)
    from minibnn.bench import machine, tables
    from minibnn.bench.networks import measure_rates
    from minibnn.bench.products import measure_products
    from minibnn.bench.scaling import measure_scaling
    from minibnn.bench.startup import measure_startup
    from minibnn.ops import backend
    from minibnn.ops.threads import compute_threads

    jobs = (measure_products, measure_rates, measure_startup, measure_scaling)
    begin = time.perf_counter()
    with compute_threads(threads), backend.using("numba"), compiling() as compiled:
        import numba

        count = numba.get_num_threads()
        setting = Setting(count, filters, batch_size, tuple(gradients), effort, cold)
        report = {
            "schema": SCHEMA,
            "settings": {
                "sections": list(sections),
                "quick": setting.quick,
                "filters": filters,
                "batch": batch_size,
                "gradients": list(gradients),
            },
            "machine": machine.describe(count),
        }
        told(tables.header(report))
        for name, job in zip(SECTIONS, jobs, strict=True):
            if name in sections:
                report[name] = job(setting)
                told(tables.section(name, report[name]))
    report["compile_seconds"] = compiled["seconds"]
    report["seconds"] = time.perf_counter() - begin
    told(tables.footer(report))
    return report

"""All measurements of ``minibnn bench``, one section after another."""

import time

from minibnn.bench.clock import GRADIENTS, compiling
from minibnn.errors import one_of

SECTIONS = ("products", "rates", "startup", "scaling")
USUAL = SECTIONS[:3]  # scaling takes as long as the others together
SCHEMA = 5  # of the report; raised when a field changes its meaning


def run(setting, sections=USUAL, told=lambda text: None):
    """Measure what a Setting asks for; returns a dict that fits into JSON.

    ``setting.gradients`` are all measured, but by scaling the last only. ``sections`` are out of
    SECTIONS; ``told`` takes the tables, texts, as they are done.
    """
    for name in sections:
        one_of(name, "a section", SECTIONS)
    for name in setting.gradients:
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
    with compute_threads(setting.threads), backend.using("numba"), compiling() as compiled:
        import numba

        setting = setting._replace(threads=numba.get_num_threads())
        settings = {"sections": list(sections), "quick": setting.quick}
        settings |= {"filters": setting.filters, "batch": setting.batch_size}
        settings |= {"gradients": list(setting.gradients)}
        about = machine.describe(setting.threads)
        report = {"schema": SCHEMA, "settings": settings, "machine": about}
        told(tables.header(report))
        for name, job in zip(SECTIONS, jobs, strict=True):
            if name in sections:
                report[name] = job(setting)
                told(tables.section(name, report[name]))
    report["compile_seconds"] = compiled["seconds"]
    report["seconds"] = time.perf_counter() - begin
    told(tables.footer(report))
    return report

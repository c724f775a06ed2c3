"""Other frameworks at the same training step, as far as this Python can import them.

The scripts that run them stand in ``examples/benchmarks`` of a checkout, not in the package; its
README says how to measure them in environments of their own.
"""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import minibnn

NEEDS = {
    "larq": ("larq", "tensorflow"),
    "tensorflow": ("tensorflow",),
    "pytorch-fp32": ("torch",),
    "pytorch-bf16": ("torch",),
}


def scripts():
    """The folder of the peers' scripts, or None."""
    folder = Path(minibnn.__file__).resolve().parents[1] / "examples" / "benchmarks"
    return folder if (folder / "run.py").exists() else None


def measure_peers(threads, filters=128, batch_size=50, quick=False):
    """A dict as ``examples/benchmarks/run.py`` gives, with what was left out and why."""
    missing = {
        name: f"{' and '.join(lacking)} cannot be imported"
        for name, needed in NEEDS.items()
        if (lacking := [module for module in needed if find_spec(module) is None])
    }
    skipped = [{"peer": name, "skipped": why} for name, why in missing.items()]
    if scripts() is None:
        why = "its script is not here: examples/benchmarks of a checkout has it"
        return {"rows": [{"peer": name, "skipped": why} for name in NEEDS]}
    if len(missing) == len(NEEDS):
        return {"rows": skipped}
    run = _load(scripts() / "run.py")
    names = [run.OURS, run.INT8, *(name for name in NEEDS if name not in missing)]
    found = run.compare(
        dict.fromkeys(names, sys.executable), filters, batch_size, threads,
        rounds=2 if quick else 3, steps=2 if quick else 3, say=lambda words: None,
    )  # fmt: skip
    found["rows"] += skipped
    return found


def _load(path):
    spec = spec_from_file_location("minibnn_benchmarks_run", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""What a measurement was made on."""

import contextlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path


def describe(threads):
    """A dict of CPU, cores, threads, vector path, versions and how busy the machine is."""
    from llvmlite import binding
    from threadpoolctl import threadpool_info

    from minibnn import __version__
    from minibnn.ops.kernels.simd import vector_path

    blas = {
        f"{library['internal_api']} {library['version']}"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": _told("cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "vector_path": vector_path(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": None if load is None else round(load, 2),
        "versions": {
            "minibnn": __version__,
            "Python": platform.python_version(),
            "NumPy": version("numpy"),
            "Numba": version("numba"),
            "LLVM": ".".join(map(str, binding.llvm_version_info)),
            "BLAS": ", ".join(sorted(blas)) or None,
        },
    }


def peak_memory():
    """The most bytes this process has held in memory, or None where that cannot be had.

    Linux counts for this very program; ``ru_maxrss`` also remembers the process that started it.
    """
    if peak := _told("self/status", "VmHWM"):
        return 1024 * int(peak.split()[0])
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _told(file, name):
    """What a file in Linux's /proc says first of ``name``, or None."""
    with contextlib.suppress(OSError):
        for line in (Path("/proc") / file).read_text().splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return None

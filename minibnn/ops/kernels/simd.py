"""The vector path the kernels use: AVX-512 with AMX, VBMI or neither, AVX2 or any other CPU."""

import ctypes
import os
import sys
from functools import cache

import numpy as np

from minibnn.errors import InputError

# 32-bit lanes of a vector, best path first.
LANES = {"amx": 16, "avx512vbmi": 16, "avx512": 16, "avx2": 8, "generic": 4}
_VBMI = {"avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512vbmi2"}
_FEATURES = {
    "amx": _VBMI | {"amx-tile", "amx-int8"},
    "avx512vbmi": _VBMI,
    "avx512": {"avx512f", "avx512bw", "avx512vl"},
    "avx2": {"avx2", "fma"},
    "generic": set(),
}


@cache
def vector_paths():
    """Names of the paths this CPU has, the best one first."""
    from llvmlite import binding

    present = {name for name, has in binding.get_host_cpu_features().items() if has}
    found = [name for name, needed in _FEATURES.items() if needed <= present]
    if "amx" in found and not _lent_a_matrix_unit():
        found.remove("amx")
    return tuple(found)


def _lent_a_matrix_unit():
    """Ask Linux for AMX, whose large registers it gives only to processes that want them."""
    arch_prctl = 158, 0x1023, 18  # ARCH_REQ_XCOMP_PERM for the tiles' data
    return sys.platform == "linux" and ctypes.CDLL(None).syscall(*arch_prctl) == 0


@cache
def vector_path():
    """The path in use: that of ``MINIBNN_SIMD``, or the CPU's best. InputError if it lacks it.

    The variable is read once.
    """
    name = os.environ.get("MINIBNN_SIMD") or vector_paths()[0]
    if name not in vector_paths():
        words = f"one of the vector paths of this CPU, {', '.join(vector_paths())}"
        raise InputError(f"MINIBNN_SIMD must be {words}; found {name!r}")
    return name


@cache
def simd():
    """The path in use as a kernel's argument: a tuple as long as a vector has lanes."""
    return (0,) * LANES[vector_path()]


@cache
def table_simd():
    """``simd()`` for tables of 16-bit integers: of bytes where a vector's bytes can be permuted."""
    path = vector_path()
    return (np.uint8(0),) * LANES[path] if path in ("amx", "avx512vbmi") else simd()

"""What the tests of tiles share: vector paths, random words and offsets."""

import numpy as np
import pytest
from numba import njit

from minibnn.ops.kernels.simd import LANES, vector_paths
from minibnn.ops.kernels.tiles import Columns

ROWS, TAPS, DEPTH, STRIDE = 7, 3, 3, 96
BYTES = (np.uint8(0),) * 16  # AVX-512 that permutes bytes


def paths(kind=None, least=1):
    """Every vector path of this CPU; all but the best are slow. With a kind, (path, kind)."""
    lanes = sorted({LANES[path] for path in vector_paths()}, reverse=True)
    found = [(0,) * n for n in lanes if n >= least]
    if kind is np.int16 and "avx512vbmi" in vector_paths():
        found.insert(0, BYTES)
    for number, simd in enumerate(found):
        words = (simd,) if kind is None else (simd, kind)
        name = "-".join(filter(None, map(name_of, words)))
        yield pytest.param(*words, id=name, marks=[pytest.mark.slow] * (number > 0))


def name_of(value):
    if isinstance(value, tuple):
        return f"{len(value)}{'b' * (value[:1] == BYTES[:1] and isinstance(value[0], np.uint8))}"
    return getattr(value, "__name__", None)


def called(tile):
    """A function that calls a tile, which is code for other kernels to have within."""

    @njit
    def call(*arguments):
        return tile(*arguments)

    return call


def sizes(*numbers):
    return tuple((0,) * n for n in numbers)


def words(rng, *shape):
    return rng.integers(0, 2**32, shape, dtype=np.uint32).reshape(-1)


def offsets(rng, count, room):
    """Starts that do not follow each other, of stretches of ``room``."""
    return (rng.permutation(count) * room).astype(np.int32)


def columns(rng, choices=1):
    """Packed signs of TAPS stretches, each with so many choices."""
    planes = offsets(rng, TAPS * choices, DEPTH * STRIDE)
    return Columns(words(rng, TAPS, choices, DEPTH, STRIDE), planes, TAPS, DEPTH, STRIDE)

"""Bits x bits: the forward products of binary layers, on the popcount tile."""

import numpy as np
from numba import prange

from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import (
    depth_of,
    gather,
    kernel_lanes,
    padded_lanes,
    padded_words,
    steps,
)
from minibnn.ops.kernels.plain import popcount
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tiles import GROUP, popcount_tile
from minibnn.ops.rounding import sum_dtype
from minibnn.ops.shapes import windows

CHUNK = 96  # output pixels of one task, enough to use a column of the kernel well
ONE, TWO, FOUR = (0,), (0,) * 2, (0,) * 4  # sizes of tiles
PLAIN, POOLED = (), (0,)
NO_PLACES = np.empty(0, np.uint8)


def signs_dense(x, w):
    """(B, I) @ (I, O), both Signs, as whole numbers (B, O)."""
    batch, n = x.shape
    outputs = w.shape[1]
    depth = depth_of(n)
    lanes = padded_lanes(outputs)
    out = empty((batch, lanes), sum_dtype(n))
    _products(
        simd(),
        np.ascontiguousarray(x.words).reshape(-1),
        0,
        1,
        steps(batch, depth),
        steps(1, 0),
        depth,
        kernel_lanes(w.words, outputs, "forward kernel"),
        lanes,
        np.full(lanes, n, np.int32),
        steps(batch, 0),
        out.reshape(-1),
        steps(batch, lanes),
        NO_PLACES,
        False,
    )
    return _without_extra_lanes(out, outputs)


def signs_conv2d(x, w, strides, padding, pad_value, pooled=False):
    """Convolution of Signs NHWC with a binary kernel HWIO: whole numbers NHWC.

    With ``pooled``, (y, where) after 2x2 max pooling: nothing else reaches memory.
    """
    place = windows(x.shape[1:3], w.shape[:2], strides, padding)
    height, width, channels, outputs = w.shape
    taps, depth, lanes = height * width, depth_of(channels), padded_lanes(outputs)
    lists = gather(place.image, place.kernel, strides, padding, depth, pooled)
    bits = kernel_lanes(w.words, outputs, "forward kernel")
    base = _bases(bits, taps, depth, lanes, channels, lists.missing, pad_value)
    size = tuple(n // 2 for n in place.output) if pooled else place.output
    out = empty((len(x), *size, lanes), sum_dtype(taps * channels))
    where = empty(out.shape, np.uint8) if pooled else NO_PLACES
    _products(
        simd(),
        padded_words(x.words, place),
        lists.image,
        len(x),
        lists.rows,
        lists.offsets,
        depth,
        bits,
        lanes,
        base.reshape(-1),
        (lists.classes * lanes).astype(np.int32),
        out.reshape(-1),
        _outputs(len(lists.rows), lanes, pooled),
        where.reshape(-1),
        pooled,
    )
    out = _without_extra_lanes(out, outputs)
    return (out, _without_extra_lanes(where, outputs)) if pooled else out


def _outputs(pixels, lanes, pooled):
    return np.repeat(steps(pixels // 4, lanes), 4) if pooled else steps(pixels, lanes)


def _without_extra_lanes(out, outputs):
    return out if out.shape[-1] == outputs else np.ascontiguousarray(out[..., :outputs])


def _bases(bits, taps, depth, lanes, channels, missing, pad_value):
    """What the sum starts from, (classes, lanes): all signs equal, less the missing taps.

    The padding is packed as +1; where it is to add 0, the sums over the missing taps' signs go.
    """
    base = np.full((len(missing), lanes), taps * channels, np.int32)
    if pad_value == 0 and missing.any():
        negative = empty((taps, lanes), np.int32)
        _count_negative(bits.reshape(taps, depth, lanes), negative)
        base -= missing.astype(np.int32) @ (channels - 2 * negative)
    return base


@kernel
def _count_negative(bits, negative):
    taps, depth, lanes = bits.shape
    for t in range(taps):
        negative[t] = 0
        for d in range(depth):
            for lane in range(lanes):
                negative[t, lane] += popcount(bits[t, d, lane])


@kernel(parallel=True)
def _products(
    simd, x, image, images, rows, offsets, depth, w, lanes, base, bases, out, outs, where, pooled
):
    """All rows of all images by all lanes; a task owns some pixels of one image."""
    pixels, taps = len(rows), len(offsets)
    chunks = -(-pixels // CHUNK)
    out_image = len(out) // images
    planes = (np.arange(taps) * depth * lanes).astype(np.int32)
    for task in prange(images * chunks):
        n, first = task // chunks, task % chunks * CHUNK
        last = min(first + CHUNK, pixels)
        start, place = n * image, n * out_image
        if pooled:
            _sweep_columns(
                simd, FOUR, POOLED, x, start, rows, first, last, offsets, depth, w, planes,
                lanes, base, bases, out, place, outs, where,
            )  # fmt: skip
        elif last - first >= 4:
            _sweep_columns(
                simd, FOUR, PLAIN, x, start, rows, first, last, offsets, depth, w, planes,
                lanes, base, bases, out, place, outs, where,
            )  # fmt: skip
        else:
            _sweep_columns(
                simd, ONE, PLAIN, x, start, rows, first, last, offsets, depth, w, planes,
                lanes, base, bases, out, place, outs, where,
            )  # fmt: skip


@kernel
def _sweep_columns(
    simd, height, pooled, x, start, rows, first, last, offsets, depth, w, planes, lanes,
    base, bases, out, place, outs, where,
):  # fmt: skip
    """Widest tiles first; the last tile of a row or column overlaps the one before it."""
    if lanes >= 64:
        _sweep(
            simd, height, FOUR, pooled, x, start, rows, first, last, offsets, depth, w, planes,
            lanes, base, bases, out, place, outs, where,
        )  # fmt: skip
    else:
        _sweep(
            simd, height, TWO, pooled, x, start, rows, first, last, offsets, depth, w, planes,
            lanes, base, bases, out, place, outs, where,
        )  # fmt: skip


@kernel
def _sweep(
    simd, height, width, pooled, x, start, rows, first, last, offsets, depth, w, planes, lanes,
    base, bases, out, place, outs, where,
):  # fmt: skip
    taps = len(offsets)
    columns = GROUP * len(width)
    for left in range(0, lanes, columns):
        column = min(left, lanes - columns)
        for top in range(first, last, len(height)):
            row = min(top, last - len(height))
            popcount_tile(
                simd, height, width, pooled, x, start, rows, row, offsets, taps, depth, w, planes,
                column, lanes, base, bases, out, place + column, outs, where,
            )  # fmt: skip

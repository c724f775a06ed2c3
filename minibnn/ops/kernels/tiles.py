"""The register tiles that products of signs are made of, emitted once for any vector width.

A tile keeps ``height`` rows of one operand against ``width`` groups of 16 neighbouring output
lanes of the other, whose packed words run along the summed axis. ``popcount_tile``, bits x bits:
broadcast a row's word, exclusive or, count, add. Those of numbers x bits are in ``table_tiles``;
``tests/ops/plain_tiles.py`` has them as plain loops. The others here turn, compare and mask bits.

The vector path is part of the argument types: ``simd`` is a tuple as long as a vector has 32-bit
lanes (16 AVX-512, 8 AVX2, 4 elsewhere), since a global would be no part of the key under which
Numba caches the caller on disk. The sizes of a tile are lengths of tuples too, ``(0,) * n``. A tile
larger than a path's registers is cut into smaller ones.

Arrays are one-dimensional and contiguous, and every offset counts elements. Operands are
NamedTuples of arrays and numbers that do not change from tile to tile; what does is said apart: row
0 of a tile is ``row`` of the lists, which start at ``start`` or ``place``, and its first lane is
``column``. Bounds are the caller's business.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir

from minibnn.ops.kernels.emit import I8, I32, I64, tile

NUMBERS = np.int8, np.int16, np.int32, np.float32  # what tiles of normalisation and signs load
BYTE = 31  # words whose bits a byte counts
GROUP = 16  # output lanes that ``width`` counts in


class Lines(NamedTuple):
    """Row r starts at array[rows[r]]."""

    array: np.ndarray
    rows: np.ndarray


class Stretches(NamedTuple):
    """Stretch t of row r starts at array[rows[r] + offsets[t]]."""

    array: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray


class Columns(NamedTuple):
    """Packed signs: word d of stretch t of a lane is words[planes[t] + d * stride + lane].

    There are ``taps`` stretches of ``depth`` words.
    """

    words: np.ndarray
    planes: np.ndarray
    taps: int
    depth: int
    stride: int


class Results(NamedTuple):
    """Lines of sums, or of words of bits, and what is stored beside or compared with the sums."""

    array: np.ndarray
    rows: np.ndarray
    where: np.ndarray
    level: np.ndarray
    turned: np.ndarray


# Rows and vectors of sums a path keeps in registers at once.
REGISTERS = {16: (6, 4), 8: (4, 2), 4: (4, 2)}


def pieces(lanes, height, width):
    """(rows, vectors) of each piece of a tile that fits the registers of a path."""
    high, wide = REGISTERS[lanes]
    vectors = width * GROUP // lanes
    return [
        (range(r, min(r + high, height)), range(v, min(v + wide, vectors)))
        for v in range(0, vectors, wide)
        for r in range(0, height, high)
    ]


@tile("x start row w column base out place", constants="height width pooled signed")
def popcount_tile(e, height, width, pooled, signed, x, start, row, w, column, base, out, place):
    """Dot products of rows of packed signs, Stretches x, with lanes of packed signs, Columns w.

    Each is that of ``base``, Lines, less twice the differing bits; as integers narrowed to the type
    of ``out``, Results.

    With ``pooled`` = 1 the rows are one pooling window in row-major order: only their maximum is
    stored, where the first row would go, and the number of the first maximal row in ``out.where``.

    With ``signed`` = 1 what is stored are bits instead, 1 where a sum lies below
    out.level[column + lane], turned over where ``out.turned`` has a bit; ``place`` and ``out.rows``
    count words then, and ``out.where`` is not used.
    """
    b = e.builder
    in_bytes = e.lanes == 8  # on AVX2, which cannot count the bits of words
    count = e.byte_counts if in_bytes else e.popcount
    nothing, ones = (ir.Constant(e.bytes, [k] * 4 * e.lanes) for k in (0, 1))

    def keep(sums, row, first):  # sums: of one row, by vector
        target = e.add(place, e.entry(out.rows, row))
        if signed:
            _store_bits(e, sums, column, out, target)
            return
        for v, total in sums.items():
            e.store(total, out.array, target, I64(v * e.lanes))
            if first:
                e.store(first[v], out.where, target, I64(v * e.lanes))

    for rows_here, vectors in pieces(e.lanes, height, width):
        grid = [(r, v) for r in rows_here for v in vectors]
        counts = {cell: e.variable(e.number(0)) for cell in grid}
        short = {cell: e.variable(nothing) for cell in grid} if in_bytes else counts
        with e.loop(w.taps) as tap:
            sources = sources_of(e, x, start, row, rows_here, tap)
            plane = e.at(w.words, column, e.entry(w.planes, tap.index))
            with e.parts(w.depth, I64(BYTE) if in_bytes else None) as (begin, some):
                with e.loop(some) as word:
                    at = e.add(begin, word.index)
                    line = e.times(at, w.stride)
                    columns = {v: e.load(e.ints, plane, line, I64(v * e.lanes)) for v in vectors}
                    for r in rows_here:
                        mine = e.splat(b.load(e.at(sources[r], at)))
                        for v in vectors:
                            differ = count(b.xor(mine, columns[v]))
                            b.store(b.add(b.load(short[r, v]), differ), short[r, v])
                if in_bytes:
                    for cell, slot in short.items():
                        more = e.widened(e.pairs(b.load(slot), ones))
                        b.store(b.add(b.load(counts[cell]), more), counts[cell])
                        b.store(nothing, slot)
        sums = {}
        for r, v in grid:
            origin = e.entry(base.rows, row, I64(r))
            full = e.load(e.ints, base.array, origin, column, I64(v * e.lanes))
            sums[r, v] = b.sub(full, b.shl(b.load(counts[r, v]), e.number(1)))
        if not pooled:
            for r in rows_here:
                keep({v: sums[r, v] for v in vectors}, e.add(row, I64(r)), None)
            continue
        best, first = {}, {}
        for v in vectors:
            best[v], first[v] = sums[0, v], e.number(0)
            for r in rows_here[1:]:
                larger = b.icmp_signed(">", sums[r, v], best[v])
                best[v] = b.select(larger, sums[r, v], best[v])
                first[v] = b.select(larger, e.number(r), first[v])
        keep(best, row, first)


def sources_of(e, x, start, row, rows_here, tap):
    """Where a stretch of some rows begins."""
    offset = e.add(start, e.entry(x.offsets, tap.index))
    return {r: e.at(x.array, offset, e.entry(x.rows, row, I64(r))) for r in rows_here}


def _store_bits(e, sums, column, out, place):
    """Neighbouring vectors of sums against their levels: as many bits, as whole bytes."""
    b, count = e.builder, len(sums) * e.lanes
    whole, bits = ir.IntType(count), None
    lane = min(sums) * e.lanes
    for k, v in enumerate(sums):
        below = b.icmp_signed("<", sums[v], e.load(e.ints, out.level, column, I64(v * e.lanes)))
        part = b.bitcast(below, ir.IntType(e.lanes))
        if count > e.lanes:
            part = b.shl(b.zext(part, whole), ir.Constant(whole, k * e.lanes))
        bits = part if bits is None else b.or_(bits, part)
    mask, target = e.at(out.turned, b.udiv(column, I64(32))), e.at(out.array, place)
    mask, target = (
        b.bitcast(b.gep(b.bitcast(p, I8.as_pointer()), [I64(lane // 8)]), whole.as_pointer())
        for p in (mask, target)
    )
    b.store(b.xor(bits, b.load(mask, align=1)), target, align=1)


@tile("x sources row count out place", constants="words")
def transpose_tile(e, words, x, sources, row, count, out, place):
    """Bits that run along channels, turned into bits that run along pixels.

    Bit j of out[place + 32 k + i] is bit i of x[sources[row + j] + k], for j < ``count`` <= 32,
    i < 32 and k < ``words``; higher bits are 0.
    """
    b = e.builder
    parts = 32 // e.lanes
    gathered = {(k, p): e.variable(e.number(0)) for k in range(words) for p in range(parts)}
    with e.loop(count) as pixel:
        bit = e.splat(b.shl(I32(1), b.trunc(pixel.index, I32)))
        source = e.at(x, e.entry(sources, row, pixel.index))
        for k in range(words):
            word = b.load(e.at(source, I64(k)))
            for p in range(parts):
                turned_on = b.select(e.flags(word, p * e.lanes), bit, e.number(0))
                slot = gathered[k, p]
                b.store(b.or_(b.load(slot), turned_on), slot)
    for (k, p), slot in gathered.items():
        e.store(b.load(slot), out, place, I64(32 * k + p * e.lanes))


@tile("x at mean factor beta channel limits signs gate place", constants="")
def sign_tile(e, x, at, mean, factor, beta, channel, limits, signs, gate, place):
    """The signs of 32 normalised numbers, and which of them lie outside +-limits[0], as two words.

    Bit i of signs[place] is y < 0 for y = (x[at + i] - mean) * factor + beta, each step rounded,
    with the constants of ``channel`` + i; bit i of gate[place] is not |y| <= limits[0]. Integers x
    stand for x * limits[1].
    """
    b = e.builder
    bound, unit = (e.splat(b.load(e.at(limits, I64(k)))) for k in range(2))
    words = [I32(0), I32(0)]
    for first in range(0, 32, e.lanes):
        here = I64(first)
        numbers = e.scaled(e.entries(x, at, here), unit)
        centred = b.fsub(numbers, e.load(e.floats, mean, channel, here))
        scaled = b.fmul(centred, e.load(e.floats, factor, channel, here))
        y = b.fadd(scaled, e.load(e.floats, beta, channel, here))
        size = e.call(f"llvm.fabs.v{e.lanes}f32", e.floats, y)
        flags = b.fcmp_ordered("<", y, e.zero()), b.fcmp_unordered(">", size, bound)
        for k, flag in enumerate(flags):
            part = b.zext(b.bitcast(flag, ir.IntType(e.lanes)), I32)
            words[k] = b.or_(words[k], b.shl(part, I32(first)))
    for word, target in zip(words, (signs, gate), strict=True):
        b.store(word, e.at(target, place))


@tile("x at level channel turned word signs place", constants="")
def level_tile(e, x, at, level, channel, turned, word, signs, place):
    """signs[place] gets a bit 1 for each i < 32 with x[at + i] < level[channel + i].

    Bits are turned over where turned[word] has one. x and ``level`` are both floats or both
    integers, of which x may be narrower.
    """
    b, bits = e.builder, I32(0)
    for first in range(0, 32, e.lanes):
        numbers = e.entries(x, at, I64(first))
        levels = e.load(numbers.type, level, channel, I64(first))
        compared = b.fcmp_ordered if numbers.type == e.floats else b.icmp_signed
        part = b.zext(b.bitcast(compared("<", numbers, levels), ir.IntType(e.lanes)), I32)
        bits = b.or_(bits, b.shl(part, I32(first)))
    b.store(b.xor(bits, b.load(e.at(turned, word))), e.at(signs, place))


@tile("where at masks place pitch", constants="")
def mask_tile(e, where, at, masks, place, pitch):
    """Bit i of masks[place + c * pitch] is bit c of where[at + i], for i < 32 and c < 2."""
    b = e.builder
    found = e.load(ir.VectorType(I8, 32), where, at)
    for c in range(2):
        bit = b.and_(found, ir.Constant(found.type, [1 << c] * 32))
        set_ = b.icmp_unsigned("!=", bit, ir.Constant(found.type, [0] * 32))
        b.store(b.bitcast(set_, I32), e.at(masks, place, e.times(I64(c), pitch)))

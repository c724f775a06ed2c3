"""The register tiles every product is made of, emitted once for any vector width.

A tile keeps ``height`` rows of one operand against ``width`` groups of 16 neighbouring output
lanes of the other, whose packed words run along the summed axis:

* ``popcount_tile``, bits x bits: broadcast a row's word, exclusive or, count, add.
* ``table_tile``, floats x bits: four floats have 16 signed sums; with those in a table, four bits
  of the packed operand look the right sum up, so that one permutation and one addition do 64
  multiply-adds on 16 lanes.
* ``select_tile``, the same after the bits were chosen, element by element, among several places
  (only the maximum of a pooling window has a gradient).

``plain.py`` has these three as plain loops. Of the rest, ``build_table`` makes a table and
``transpose_tile`` turns bits that run along channels into bits that run along pixels.

The vector path is part of the argument types: ``simd`` is a tuple as long as a vector has 32-bit
lanes (16 AVX-512, 8 AVX2, 4 elsewhere), since a global would be no part of the key under which
Numba caches the caller on disk. The sizes of a tile are lengths of tuples too, ``(0,) * n``. A tile
larger than a path's registers is cut into smaller ones.

Arrays are one-dimensional and contiguous, every offset counts elements, and a row is given by
lists: what it reads starts at ``start + rows[row + r] + offsets[t]`` for stretch t of ``taps``,
what it writes at ``place + outs[row + r]``. Bounds are the caller's business.
"""

from llvmlite import ir

from minibnn.ops.kernels.emit import F32, I1, I8, I32, I64, tile

GROUP = 16  # output lanes that ``width`` counts in
TABLE = 16  # floats of a table: the sums of 4 numbers with all signs
NIBBLES = 8  # tables that one word looks up

# Rows and vectors of sums a path keeps in registers at once.
REGISTERS = {16: (6, 4), 8: (4, 2), 4: (4, 2)}


def _pieces(lanes, height, width):
    """(rows, vectors) of each piece of a tile that fits the registers of a path."""
    high, wide = REGISTERS[lanes]
    vectors = width * GROUP // lanes
    return [
        (range(r, min(r + high, height)), range(v, min(v + wide, vectors)))
        for v in range(0, vectors, wide)
        for r in range(0, height, high)
    ]


@tile(
    "x start rows row offsets taps depth w planes column stride base bases out place outs where "
    "level turned",
    constants="height width pooled signed",
)
def popcount_tile(
    e, height, width, pooled, signed,
    x, start, rows, row, offsets, taps, depth, w, planes, column, stride, base, bases,
    out, place, outs, where, level, turned,
):  # fmt: skip
    """Dot products of rows of packed signs with groups of lanes of packed signs.

    out[r, lane] = base[bases[row + r] + column + lane] - 2 * differing bits, over ``taps``
    stretches of ``depth`` words: word d of stretch t of a row meets
    w[planes[t] + d * stride + column + lane]. Integers are narrowed to the type of ``out``.

    With ``pooled`` = 1 the rows are one pooling window in row-major order: only their maximum is
    stored, where the first row would go, and the number of the first maximal row in ``where``.

    With ``signed`` = 1 what is stored are bits instead, 1 where a sum lies below
    level[column + lane], turned over where ``turned`` has a bit; ``place`` and ``outs`` count
    words then, and ``where`` is not used.
    """
    b = e.builder

    def keep(sums, row, first):  # sums: of one row, by vector
        target = e.add(place, e.entry(outs, row))
        if signed:
            _store_bits(e, sums, level, turned, column, out, target)
            return
        for v, total in sums.items():
            e.store(total, out, target, I64(v * e.lanes))
            if first:
                e.store(first[v], where, target, I64(v * e.lanes))

    for rows_here, vectors in _pieces(e.lanes, height, width):
        grid = [(r, v) for r in rows_here for v in vectors]
        counts = {cell: e.variable(e.number(0)) for cell in grid}
        with e.loop(taps) as tap:
            offset = e.add(start, e.entry(offsets, tap.index))
            sources = {r: e.at(x, offset, e.entry(rows, row, I64(r))) for r in rows_here}
            plane = e.at(w, column, e.entry(planes, tap.index))
            with e.loop(depth) as word:
                line = e.times(word.index, stride)
                columns = {v: e.load(e.ints, plane, line, I64(v * e.lanes)) for v in vectors}
                for r in rows_here:
                    mine = e.splat(b.load(e.at(sources[r], word.index)))
                    for v in vectors:
                        differ = e.popcount(b.xor(mine, columns[v]))
                        b.store(b.add(b.load(counts[r, v]), differ), counts[r, v])
        sums = {}
        for r, v in grid:
            origin = e.entry(bases, row, I64(r))
            full = e.load(e.ints, base, origin, column, I64(v * e.lanes))
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


def _store_bits(e, sums, level, turned, column, out, place):
    """Neighbouring vectors of sums against their levels: as many bits, as whole bytes."""
    b, count = e.builder, len(sums) * e.lanes
    whole, bits = ir.IntType(count), None
    lane = min(sums) * e.lanes
    for k, v in enumerate(sums):
        below = b.icmp_signed("<", sums[v], e.load(e.ints, level, column, I64(v * e.lanes)))
        part = b.bitcast(below, ir.IntType(e.lanes))
        if count > e.lanes:
            part = b.shl(b.zext(part, whole), ir.Constant(whole, k * e.lanes))
        bits = part if bits is None else b.or_(bits, part)
    mask, target = e.at(turned, b.udiv(column, I64(32))), e.at(out, place)
    mask, target = (
        b.bitcast(b.gep(b.bitcast(p, I8.as_pointer()), [I64(lane // 8)]), whole.as_pointer())
        for p in (mask, target)
    )
    b.store(b.xor(bits, b.load(mask, align=1)), target, align=1)


def _table(e, word, nibble):
    """Where in a row the table stands that four bits of a word look up."""
    return e.times(e.add(e.times(word, I64(NIBBLES)), nibble), I64(TABLE))


def _lookups(e, words):
    """Per vector of words, what finds the entry of its low four bits in a table.

    AVX-512 permutes 16 floats by the low four bits of each lane. AVX2 permutes eight by the low
    three; since a sum with all signs turned is its negative, the fourth bit turns the three and
    the sign.
    """
    b = e.builder
    if e.lanes == 16:
        return {v: (word, None) for v, word in words.items()}
    turned = {v: b.ashr(b.shl(word, e.number(28)), e.number(31)) for v, word in words.items()}
    sign = e.number(-(2**31))
    return {v: (b.xor(words[v], turned[v]), b.and_(turned[v], sign)) for v in words}


def _look_up(e, table, index, sign):
    if e.lanes == 16:
        return e.call("llvm.x86.avx512.permvar.sf.512", e.floats, table, index)
    found = e.call("llvm.x86.avx2.permps", e.floats, table, index)
    return e.builder.bitcast(e.builder.xor(e.builder.bitcast(found, e.ints), sign), e.floats)


@tile(
    "tables start rows row offsets taps depth w planes column stride out place outs",
    constants="height width accumulate",
)
def table_tile(
    e, height, width, accumulate,
    tables, start, rows, row, offsets, taps, depth, w, planes, column, stride, out, place, outs,
):  # fmt: skip
    """Sums of floats with packed signs.

    out[r, lane] = (or, with ``accumulate`` = 1, +=) the sum over ``taps`` stretches of ``depth``
    words: word d of stretch t, w[planes[t] + d * stride + column + lane], looks up 8 tables in
    a row, four bits each, that start at d * 128 within the row's stretch. What is there is added
    last: a sum of sums rounds less than one long sum.
    """
    b = e.builder
    for rows_here, vectors in _pieces(e.lanes, height, width):
        sums = {}
        for r in rows_here:
            for v in vectors:
                sums[r, v] = e.variable(e.zero())
        with e.loop(taps) as tap:
            offset = e.add(start, e.entry(offsets, tap.index))
            sources = {r: e.at(tables, offset, e.entry(rows, row, I64(r))) for r in rows_here}
            plane = e.at(w, column, e.entry(planes, tap.index))
            with e.loop(depth) as word:
                line = e.times(word.index, stride)
                words = {
                    v: e.variable(e.load(e.ints, plane, line, I64(v * e.lanes))) for v in vectors
                }
                with e.loop(I64(NIBBLES)) as nibble:
                    at = _table(e, word.index, nibble.index)
                    indices = _lookups(e, {v: b.load(slot) for v, slot in words.items()})
                    for r in rows_here:
                        table = e.load(e.floats, sources[r], at)
                        for v in vectors:
                            found = _look_up(e, table, *indices[v])
                            b.store(b.fadd(b.load(sums[r, v]), found), sums[r, v])
                    for slot in words.values():
                        b.store(b.lshr(b.load(slot), e.number(4)), slot)
        for r in rows_here:
            target = e.add(place, e.entry(outs, row, I64(r)))
            for v in vectors:
                total = b.load(sums[r, v])
                if accumulate:
                    total = b.fadd(e.load(e.floats, out, target, I64(v * e.lanes)), total)
                e.store(total, out, target, I64(v * e.lanes))


@tile(
    "tables start rows row offsets masks mask_start mask_rows mask_offsets mask_pitch taps depth "
    "w planes column stride out place outs",
    constants="height width choices",
)
def select_tile(
    e, height, width, choices,
    tables, start, rows, row, offsets, masks, mask_start, mask_rows, mask_offsets, mask_pitch,
    taps, depth, w, planes, column, stride, out, place, outs,
):  # fmt: skip
    """``table_tile`` with ``accumulate``, whose bits are first chosen among several places.

    The bits of word d of stretch t are, for a row, the union over c < ``choices`` of
    w[planes[t * choices + c] + d * stride + column + lane] & masks[m + c * mask_pitch + d] with
    m = mask_start + mask_rows[row + r] + mask_offsets[t]. Where no mask has a bit, a sum is
    looked up as if the sign were +1: there the table holds zeros.
    """
    b = e.builder
    for rows_here, vectors in _pieces(e.lanes, height, width):
        sums = {}
        for r in rows_here:
            for v in vectors:
                sums[r, v] = e.variable(e.zero())
        with e.loop(taps) as tap:
            offset = e.add(start, e.entry(offsets, tap.index))
            mask_offset = e.add(mask_start, e.entry(mask_offsets, tap.index))
            sources, chosen = {}, {}
            for r in rows_here:
                sources[r] = e.at(tables, offset, e.entry(rows, row, I64(r)))
                chosen[r] = e.at(masks, mask_offset, e.entry(mask_rows, row, I64(r)))
            first_plane = e.times(tap.index, I64(choices))
            places = [e.at(w, column, e.entry(planes, first_plane, I64(c))) for c in range(choices)]
            with e.loop(depth) as word:
                line = e.times(word.index, stride)
                for r in rows_here:
                    words = {}
                    for c in range(choices):
                        pitch = e.times(I64(c), mask_pitch)
                        mask = e.splat(b.load(e.at(chosen[r], pitch, word.index)))
                        for v in vectors:
                            part = e.load(e.ints, places[c], line, I64(v * e.lanes))
                            part = b.and_(part, mask)
                            words[v] = b.or_(words[v], part) if c else part
                    slots = {v: e.variable(bits) for v, bits in words.items()}
                    with e.loop(I64(NIBBLES)) as nibble:
                        table = e.load(e.floats, sources[r], _table(e, word.index, nibble.index))
                        indices = _lookups(e, {v: b.load(slot) for v, slot in slots.items()})
                        for v, index in indices.items():
                            found = _look_up(e, table, *index)
                            b.store(b.fadd(b.load(sums[r, v]), found), sums[r, v])
                            b.store(b.lshr(b.load(slots[v]), e.number(4)), slots[v])
        for r in rows_here:
            target = e.add(place, e.entry(outs, row, I64(r)))
            for v in vectors:
                old = e.load(e.floats, out, target, I64(v * e.lanes))
                e.store(b.fadd(old, b.load(sums[r, v])), out, target, I64(v * e.lanes))


@tile("values at step tables place", constants="")
def build_table(e, values, at, step, tables, place):
    """tables[place + k] = the sum of values[at + i * step], i < 4, negative where k has bit i."""
    b = e.builder
    for part in range(TABLE // e.lanes):
        total = None
        for i in range(4):
            signs = [-1.0 if (part * e.lanes + k) >> i & 1 else 1.0 for k in range(e.lanes)]
            number = e.splat(b.load(e.at(values, at, e.times(I64(i), step))))
            signs = ir.Constant(e.floats, signs)
            # A product with ±1 is exact, so this rounds like a sum.
            total = b.fmul(number, signs) if total is None else e.fma(number, signs, total)
        e.store(total, tables, place, I64(part * e.lanes))


@tile("x sources row count out place", constants="words")
def transpose_tile(e, words, x, sources, row, count, out, place):
    """Bits that run along channels, turned into bits that run along pixels.

    Bit j of out[place + 32 k + i] is bit i of x[sources[row + j] + k], for j < ``count`` <= 32,
    i < 32 and k < ``words``; higher bits are 0.
    """
    b = e.builder
    parts = 32 // e.lanes
    gathered = {(k, p): e.variable(e.number(0)) for k in range(words) for p in range(parts)}
    flags = ir.VectorType(I1, e.lanes)
    with e.loop(count) as pixel:
        bit = e.splat(b.shl(I32(1), b.trunc(pixel.index, I32)))
        source = e.at(x, e.entry(sources, row, pixel.index))
        for k in range(words):
            word = b.load(e.at(source, I64(k)))
            for p in range(parts):
                mine = b.trunc(b.lshr(word, I32(p * e.lanes)), ir.IntType(e.lanes))
                turned_on = b.select(b.bitcast(mine, flags), bit, e.number(0))
                slot = gathered[k, p]
                b.store(b.or_(b.load(slot), turned_on), slot)
    for (k, p), slot in gathered.items():
        e.store(b.load(slot), out, place, I64(32 * k + p * e.lanes))


@tile("x at mean factor beta channel limit signs gate place", constants="")
def sign_tile(e, x, at, mean, factor, beta, channel, limit, signs, gate, place):
    """The signs of 32 normalised numbers, and which of them lie outside +-limit[0], as two words.

    Bit i of signs[place] is y < 0 for y = (x[at + i] - mean) * factor + beta, each step rounded,
    with the constants of ``channel`` + i; bit i of gate[place] is not |y| <= limit[0].
    """
    b = e.builder
    kind = x.type.pointee
    bound = e.splat(b.load(limit))
    words = [I32(0), I32(0)]
    for first in range(0, 32, e.lanes):
        here = I64(first)
        numbers = e.load(ir.VectorType(kind, e.lanes), x, at, here)
        if kind != F32:
            if kind.width < 32:
                numbers = b.sext(numbers, e.ints)
            numbers = b.sitofp(numbers, e.floats)
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
    whole numbers, of which x may be narrower.
    """
    b = e.builder
    kind, bits = x.type.pointee, I32(0)
    for first in range(0, 32, e.lanes):
        numbers = e.load(ir.VectorType(kind, e.lanes), x, at, I64(first))
        if kind == F32:
            limit = e.load(e.floats, level, channel, I64(first))
            below = b.fcmp_ordered("<", numbers, limit)
        else:
            if kind.width < 32:
                numbers = b.sext(numbers, e.ints)
            below = b.icmp_signed("<", numbers, e.load(e.ints, level, channel, I64(first)))
        part = b.zext(b.bitcast(below, ir.IntType(e.lanes)), I32)
        bits = b.or_(bits, b.shl(part, I32(first)))
    b.store(b.xor(bits, b.load(e.at(turned, word))), e.at(signs, place))


@tile("where at masks place pitch", constants="choices")
def mask_tile(e, choices, where, at, masks, place, pitch):
    """Bit i of masks[place + c * pitch] is where[at + i] == c, for i < 32 and c < ``choices``."""
    b = e.builder
    address = b.bitcast(e.at(where, at), ir.VectorType(I8, 32).as_pointer())
    found = b.load(address, align=1)
    for c in range(choices):
        equal = b.icmp_unsigned("==", found, ir.Constant(found.type, [c] * 32))
        b.store(b.bitcast(equal, I32), e.at(masks, place, e.times(I64(c), pitch)))


@tile("tables first second out count", constants="")
def add_tables(e, tables, first, second, out, count):
    """tables[out + k] = tables[first + k] + tables[second + k] for ``count`` tables."""
    with e.loop(count) as table:
        start = e.times(table.index, I64(TABLE))
        for part in range(0, TABLE, e.lanes):
            a, b = (e.load(e.floats, tables, t, start, I64(part)) for t in (first, second))
            e.store(e.builder.fadd(a, b), tables, out, start, I64(part))

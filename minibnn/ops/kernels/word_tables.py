"""The tables that the words of a backward product look up, made from its numbers."""

from llvmlite import ir

from minibnn.ops.kernels.emit import F32, I1, I8, I16, I64, tile
from minibnn.ops.kernels.tiles import GROUP

TABLE = 16  # entries of a table: the sums of 4 numbers with all signs
NIBBLES = 8  # tables that one word looks up
PAIRS = 16  # numbers of half a word
# Where bytes are permuted: of each half of a word, the four bits (n: 4 n to 4 n + 3) of whose sum a
# look-up finds the low byte, and those of whose sum it finds the high byte; the lower of the two
# comes first.
BYTE_STEPS = ((0, 2), (2, 0), (1, 3), (3, 1))


@tile("values at tables place", constants="")
def word_tables(e, values, at, tables, place):
    """What one word looks up: made of the 32 numbers values[at], ..., values[at + 31].

    In float32 8 tables of 4 numbers: entry k is their sum, number i negative where k has bit i.
    In int16 4 tables, of numbers 4 n to 4 n + 3 and then of those 16 further on (where bytes are
    permuted, their bytes in the order of ``BYTE_STEPS``); or, where 16-bit lanes cannot be looked
    up, the pairs of numbers j and 16 + j, from j = 15 down to 0.
    """
    b = e.builder
    if tables.type.pointee == F32:
        with e.loop(I64(NIBBLES)) as nibble:
            first, to = e.times(nibble.index, I64(4)), e.times(nibble.index, I64(TABLE))
            for part in range(TABLE // e.lanes):
                total = None
                for i in range(4):
                    signs = [-1.0 if (part * e.lanes + k) >> i & 1 else 1.0 for k in range(e.lanes)]
                    number = e.splat(b.load(e.at(values, at, first, I64(i))))
                    signs = ir.Constant(e.floats, signs)
                    # A product with ±1 is exact, so this rounds like a sum.
                    total = b.fmul(number, signs) if total is None else e.fma(number, signs, total)
                e.store(total, tables, place, to, I64(part * e.lanes))
        return
    numbers = e.load(ir.VectorType(values.type.pointee, 2 * PAIRS), values, at)
    if e.lanes < 16:
        pairs = [half + 15 - k for k in range(PAIRS) for half in (0, PAIRS)]
        halves = _halves(e, numbers)
        e.store(e.shuffled(halves, halves, pairs), tables, place)
        return
    signed_sums = _sums_of_bytes if numbers.type.element == I8 else _sums_of_halves
    sums = [signed_sums(e, numbers, n) for n in range(NIBBLES // 2)]
    if e.permutes_bytes:
        sums = [b.bitcast(total, e.bytes) for total in sums]
        low_bytes = [2 * k for k in range(TABLE)]  # of the low half's sums
        rows = low_bytes, [64 + 1 + k for k in low_bytes]
        orders = [
            [half + k for half in (0, 32) for row in o for k in row] for o in (rows, rows[::-1])
        ]
        sums = [
            e.shuffled(sums[low], sums[high], orders[step % 2])
            for step, (low, high) in enumerate(BYTE_STEPS)
        ]
    for n, table in enumerate(sums):
        e.store(b.bitcast(table, e.halves), tables, place, I64(2 * TABLE * n))


def _signs(i):
    """Of number i in the 16 sums of a table, twice."""
    return [-1 if k >> i & 1 else 1 for _ in range(2) for k in range(TABLE)]


def _halves(e, numbers):
    kind = ir.VectorType(I16, 2 * PAIRS)
    return numbers if numbers.type == kind else e.builder.sext(numbers, kind)


def _sums_of_halves(e, numbers, n):
    """The sums of numbers 4 n to 4 n + 3 with all signs, and of those 16 further on."""
    b, halves, total = e.builder, _halves(e, numbers), None
    for i in range(4):
        lanes = [half + 4 * n + i for half in (0, PAIRS) for _ in range(TABLE)]
        signs = ir.Constant(e.halves, _signs(i))
        term = b.mul(e.shuffled(halves, halves, lanes), signs)
        total = term if total is None else b.add(total, term)
    return total


def _sums_of_bytes(e, numbers, n):
    """The same of bytes, of which two products are added at once: q + 128, unsigned, by signs."""
    b = e.builder
    moved = b.xor(numbers, ir.Constant(numbers.type, [-128] * 2 * PAIRS))
    moved = e.shuffled(moved, moved, [k % (2 * PAIRS) for k in range(4 * e.lanes)])
    total = ir.Constant(
        e.halves, [-128 * sum(signs) for signs in zip(*map(_signs, range(4)), strict=True)]
    )
    for i in (0, 2):
        lanes = [half + 4 * n + i + k for half in (0, PAIRS) for _ in range(TABLE) for k in (0, 1)]
        signs = [s for pair in zip(_signs(i), _signs(i + 1), strict=True) for s in pair]
        if e.permutes_bytes:
            where = ir.Constant(e.bytes, lanes)
            pairs = e.call("llvm.x86.avx512.permvar.qi.512", e.bytes, moved, where)
        else:
            pairs = e.shuffled(moved, moved, lanes)
        name = "llvm.x86.avx512.pmaddubs.w.512"
        total = b.add(total, e.call(name, e.halves, pairs, ir.Constant(e.bytes, signs)))
    return total


@tile("values at pitch out place out_pitch", constants="")
def turn_tile(e, values, at, pitch, out, place, out_pitch):
    """A 16 x 16 block turned: out[place + j * out_pitch + i] = values[at + i * pitch + j]."""
    kind = ir.VectorType(values.type.pointee, GROUP)
    rows = [e.load(kind, values, at, e.times(I64(i), pitch)) for i in range(GROUP)]
    low = [k // 2 + k % 2 * GROUP for k in range(GROUP)]
    high = [k + GROUP // 2 for k in low]
    for _ in range(4):  # each round doubles the length of what stands in order
        pairs = [(rows[i], rows[i + GROUP // 2]) for i in range(GROUP // 2)]
        rows = [e.shuffled(a, b, lanes) for a, b in pairs for lanes in (low, high)]
    for j, row in enumerate(rows):
        e.store(row, out, place, e.times(I64(j), out_pitch))


@tile("tables first second out count", constants="")
def add_tables(e, tables, first, second, out, count):
    """tables[out + k] = tables[first + k] + tables[second + k] for ``count`` entries."""
    b, short = e.builder, tables.type.pointee == I16
    if short and e.permutes_bytes:
        return _add_bytes(e, tables, first, second, out, count)
    kind, add = (e.halves, b.add) if short else (e.floats, b.fadd)
    with e.loop(b.sdiv(count, I64(kind.count))) as vector:
        k = e.times(vector.index, I64(kind.count))
        e.store(add(*(e.load(kind, tables, t, k) for t in (first, second))), tables, out, k)


def _add_bytes(e, tables, first, second, out, count):
    """``add_tables`` where the bytes of a sum stand apart: what low bytes carry goes to the high.

    They stand at the same place of two look-ups that follow each other.
    """
    b, steps, vector = e.builder, NIBBLES // 2, 2 * TABLE
    low = 0x0000FFFF0000FFFF  # of 64 bytes, the low ones; in every second look-up the rest
    with e.loop(b.sdiv(count, I64(steps * vector))) as word:
        at = [e.times(word.index, I64(steps * vector)), *(I64(vector * k) for k in range(steps))]
        sums, carries = [], []
        for k in range(steps):
            a, c = (e.load(e.bytes, tables, t, at[0], at[1 + k]) for t in (first, second))
            total = b.add(a, c)
            carried = b.bitcast(b.icmp_unsigned("<", total, a), I64)
            carried = b.and_(carried, ir.Constant(I64, ~low if k % 2 else low))
            sums.append(total)
            carries.append(b.sext(b.bitcast(carried, ir.VectorType(I1, 4 * e.lanes)), e.bytes))
        for k in range(steps):
            total = b.sub(sums[k], carries[k ^ 1])
            e.store(b.bitcast(total, e.halves), tables, out, at[0], at[1 + k])

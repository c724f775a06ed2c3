"""The register tiles of backward products: numbers x bits.

* ``table_tile``: four numbers have 16 signed sums; with those in a table, four bits of the packed
  operand look the right sum up. In float32 one permutation and one addition do 64 multiply-adds
  on 16 lanes; in int16 they do 128, as both halves of a word look up at once.
* ``select_tile``, the same after the bits were chosen, element by element, among two or four
  places (only the maximum of a pooling window has a gradient).

The type of the tables, which ``word_tables`` makes, says which of the two a tile is. See ``tiles``
for what the arguments mean, ``tests/ops/plain_tiles`` for the loops that this computes.
"""

from contextlib import contextmanager

from minibnn.ops.kernels.emit import F32, I32, I64, tile
from minibnn.ops.kernels.tiles import pieces, sources_of
from minibnn.ops.kernels.word_tables import NIBBLES, PAIRS, TABLE

ONE, TWO, FOUR = (0,), (0,) * 2, (0,) * 4  # sizes of tiles
FRESH, ADD = (), (0,)  # sums start at zero, or go on top of what is there


class _FloatSums:
    """The sums of a tile's cells (row, vector) over tables of floats.

    AVX-512 permutes 16 floats by the low four bits of each lane. AVX2 permutes eight by the low
    three; since a sum with all signs turned is its negative, the fourth bit turns the three and
    the sign.
    """

    steps = NIBBLES  # look-ups of a word

    def __init__(self, e, cells):
        self.e, self.sums = e, {cell: e.variable(e.zero()) for cell in cells}

    def block(self, depth, limit):
        """The words to sum in one go: the first, and how many."""
        return self.e.parts(depth, None)

    def operand(self, source, word, step):
        """What a row brings to a look-up."""
        e = self.e
        at = e.times(e.add(e.times(word, I64(NIBBLES)), step), I64(TABLE))
        return e.load(e.floats, source, at)

    def index(self, word):
        """What finds the entry of a word's next bits."""
        e, b = self.e, self.e.builder
        if e.lanes == 16:
            return word, None
        turned = b.ashr(b.shl(word, e.number(28)), e.number(31))
        return b.xor(word, turned), b.and_(turned, e.number(-(2**31)))

    def next(self, word):
        return self.e.builder.lshr(word, self.e.number(4))

    def look_up(self, cell, operand, index):
        e, b, (index, sign) = self.e, self.e.builder, index
        if e.lanes == 16:
            found = e.call("llvm.x86.avx512.permvar.sf.512", e.floats, operand, index)
        else:
            found = e.call("llvm.x86.avx2.permps", e.floats, operand, index)
            found = b.bitcast(b.xor(b.bitcast(found, e.ints), sign), e.floats)
        b.store(b.fadd(b.load(self.sums[cell]), found), self.sums[cell])


class _ShortSums:
    """The same over tables of 16-bit integers, a look-up for each half of a word at once.

    ``limit`` words are summed in 16 bits, then both halves are added up in 32. A table has the 16
    sums for the low half's four bits, then those for the high half's; the entry's fifth bit tells
    the halves apart.
    """

    steps = NIBBLES // 2

    def __init__(self, e, cells):
        self.e = e
        self.sums = {cell: e.variable(e.number(0)) for cell in cells}
        self.short = {cell: e.variable(e.half(0)) for cell in cells}

    @contextmanager
    def block(self, depth, limit):
        e, b = self.e, self.e.builder
        with e.parts(depth, limit) as part:
            for slot in self.short.values():
                b.store(e.half(0), slot)
            yield part
            for cell, slot in self.short.items():
                total = b.add(b.load(self.sums[cell]), e.widened(b.load(slot)))
                b.store(total, self.sums[cell])

    def operand(self, source, word, step):
        e = self.e
        at = e.times(e.add(e.times(word, I64(self.steps)), step), I64(2 * TABLE))
        return e.load(e.halves, source, at)

    def index(self, word):
        e, b = self.e, self.e.builder
        bits = b.or_(b.and_(word, e.number(0x000F000F)), e.number(0x00100000))
        return b.bitcast(bits, e.halves)

    def next(self, word):
        return self.e.kept(self.e.builder.lshr(word, self.e.number(4)))

    def look_up(self, cell, operand, index):
        self.add(cell, self.e.call("llvm.x86.avx512.permvar.hi.512", self.e.halves, operand, index))

    def add(self, cell, found):
        b, slot = self.e.builder, self.short[cell]
        b.store(self.e.kept(b.add(b.load(slot), found)), slot)


class _ByteSums(_ShortSums):
    """The same by permuting bytes, which is one operation where 16-bit lanes take two.

    A sum's two bytes are looked up apart: of each half of a word, the low bytes for the four bits
    of its lower byte and the high bytes for those of its upper one, then, with the bytes of the
    index exchanged, the other way round. What is added meanwhile is wrong by multiples of 2^16
    only. A table has four rows of 16 bytes for each of these look-ups, ``BYTE_STEPS``.
    """

    steps = NIBBLES // 4

    def operand(self, source, word, step):
        e = self.e
        at = e.times(e.add(e.times(word, I64(self.steps)), step), I64(4 * TABLE))
        return [e.load(e.bytes, source, at, I64(offset)) for offset in (0, 2 * TABLE)]

    def index(self, word):
        e, b = self.e, self.e.builder
        bits = b.bitcast(b.or_(b.and_(word, e.number(0x0F0F0F0F)), e.number(0x30201000)), e.halves)
        turned = e.call(f"llvm.fshr.v{2 * e.lanes}i16", e.halves, bits, bits, e.half(8))
        return [b.bitcast(bits, e.bytes), b.bitcast(turned, e.bytes)]

    def look_up(self, cell, operand, index):
        e = self.e
        for table, bits in zip(operand, index, strict=True):
            found = e.call("llvm.x86.avx512.permvar.qi.512", e.bytes, table, bits)
            self.add(cell, e.builder.bitcast(found, e.halves))


class _MaskedSums(_ShortSums):
    """Where 16-bit lanes cannot be looked up: each number of each half, its sign turned by a bit.

    There are no tables but the numbers themselves, in pairs of the halves, the highest bit's first.
    """

    steps = PAIRS

    def operand(self, source, word, step):
        e, b = self.e, self.e.builder
        at = e.times(e.add(e.times(word, I64(PAIRS)), step), I64(2))
        pair = b.load(b.bitcast(e.at(source, at), I32.as_pointer()), align=2)
        return b.bitcast(e.splat(pair), e.halves)

    def index(self, word):
        e, b = self.e, self.e.builder
        return b.ashr(b.bitcast(word, e.halves), e.half(15))

    def next(self, word):
        e, b = self.e, self.e.builder
        return b.bitcast(b.shl(b.bitcast(word, e.halves), e.half(1)), e.ints)

    def look_up(self, cell, operand, index):
        b = self.e.builder
        self.add(cell, b.sub(b.xor(operand, index), index))


def _sums(e, tables, rows, vectors):
    short = _MaskedSums if e.lanes < 16 else _ByteSums if e.permutes_bytes else _ShortSums
    kind = _FloatSums if tables.type.pointee == F32 else short
    return kind(e, [(r, v) for r in rows for v in vectors])


@tile("tables start row limit w column out place", constants="height width accumulate")
def table_tile(
    e, height, width, accumulate, tables, start, row, limit, w, column, out, place
):  # fmt: skip
    """Sums of numbers, by their tables, with packed signs, Columns w.

    Word d of a stretch looks up the tables that ``word_tables`` made of a row's numbers for it;
    they start at d * (their entries) within the row's stretch. The sums of a row and its lanes are
    written to ``out``, Lines, or, with ``accumulate`` = 1, added to what is there. Tables are
    float32, and so is ``out``; or int16, and ``out`` is int32: then the sums of ``limit`` words
    must fit 16 bits.
    """
    b = e.builder
    for rows_here, vectors in pieces(e.lanes, height, width):
        sums = _sums(e, tables.array, rows_here, vectors)
        with e.loop(w.taps) as tap:
            sources = sources_of(e, tables, start, row, rows_here, tap)
            plane = e.at(w.words, column, e.entry(w.planes, tap.index))
            with sums.block(w.depth, limit) as (first, count), e.loop(count) as word:
                at = e.add(first, word.index)
                line = e.times(at, w.stride)
                words = {
                    v: e.variable(e.load(e.ints, plane, line, I64(v * e.lanes))) for v in vectors
                }
                with e.loop(I64(sums.steps)) as step:
                    indices = {v: sums.index(b.load(slot)) for v, slot in words.items()}
                    for r in rows_here:
                        operand = sums.operand(sources[r], at, step.index)
                        for v in vectors:
                            sums.look_up((r, v), operand, indices[v])
                    for slot in words.values():
                        b.store(sums.next(b.load(slot)), slot)
        _store(e, sums, row, rows_here, vectors, out, place, accumulate)


def _store(e, sums, row, rows, vectors, out, place, accumulate):
    """What is there is added last: a sum of sums rounds less than one long sum."""
    for r in rows:
        target = e.add(place, e.entry(out.rows, row, I64(r)))
        for v in vectors:
            total, lane = e.builder.load(sums.sums[r, v]), I64(v * e.lanes)
            if accumulate:
                add = e.builder.fadd if total.type == e.floats else e.builder.add
                total = add(e.load(total.type, out.array, target, lane), total)
            e.store(total, out.array, target, lane)


@tile(
    "tables start masks mask_start pitch row limit w column out place",
    constants="height width choices",
)
def select_tile(
    e, height, width, choices, tables, start, masks, mask_start, pitch, row, limit, w, column, out,
    place,
):  # fmt: skip
    """``table_tile`` with ``accumulate``, whose bits are first chosen among two or four places.

    A bit of word d of stretch t is that of choice c, which starts at w.planes[t * choices + c]. For
    a row, the same bit of word d of its stretch of ``masks`` is c's lower bit, and with four
    choices that of the word ``pitch`` further on its upper one.
    """
    b = e.builder
    for rows_here, vectors in pieces(e.lanes, height, width):
        sums = _sums(e, tables.array, rows_here, vectors)
        with e.loop(w.taps) as tap:
            sources = sources_of(e, tables, start, row, rows_here, tap)
            chosen = sources_of(e, masks, mask_start, row, rows_here, tap)
            mine = e.times(tap.index, I64(choices))
            planes = [e.entry(w.planes, mine, I64(c)) for c in range(choices)]
            places = [e.at(w.words, column, plane) for plane in planes]
            with sums.block(w.depth, limit) as (first, count), e.loop(count) as word:
                at = e.add(first, word.index)
                line = e.times(at, w.stride)
                for r in rows_here:
                    masked = [e.splat(b.load(e.at(chosen[r], at)))]
                    if choices == 4:
                        masked.append(e.splat(b.load(e.at(chosen[r], pitch, at))))
                    slots = {}
                    for v in vectors:
                        lane = I64(v * e.lanes)
                        words = [e.load(e.ints, place, line, lane) for place in places]
                        for mask in masked:
                            words = [
                                e.choose(mask, *words[c : c + 2]) for c in range(len(words))[::2]
                            ]
                        slots[v] = e.variable(words[0])
                    with e.loop(I64(sums.steps)) as step:
                        operand = sums.operand(sources[r], at, step.index)
                        indices = {v: sums.index(b.load(slot)) for v, slot in slots.items()}
                        for v, index in indices.items():
                            sums.look_up((r, v), operand, index)
                            b.store(sums.next(b.load(slots[v])), slots[v])
        _store(e, sums, row, rows_here, vectors, out, place, accumulate=True)

"""How a tile is written: vectors of any width in LLVM's language, from Numba.

``tile`` turns a function that emits instructions into something a kernel can call.
"""

from contextlib import contextmanager
from inspect import Parameter, Signature
from types import SimpleNamespace

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

I1, I8, I16, I32, I64, F32 = (*(ir.IntType(n) for n in (1, 8, 16, 32, 64)), ir.FloatType())


class Emitter:
    """Loads, stores and arithmetic on vectors of 32-bit lanes."""

    def __init__(self, context, builder, lanes, bytes_):
        self.context, self.builder, self.lanes = context, builder, lanes
        self.permutes_bytes = bytes_
        self.ints, self.floats = ir.VectorType(I32, lanes), ir.VectorType(F32, lanes)
        self.halves = ir.VectorType(I16, 2 * lanes)  # both halves of each 32-bit lane
        self.bytes = ir.VectorType(I8, 4 * lanes)

    def operand(self, kind, value):
        """What a tile is given: an array's pointer, a number, or a NamedTuple of such."""
        if isinstance(kind, types.BaseNamedTuple):
            members = [self.builder.extract_value(value, k) for k in range(len(kind))]
            fields = zip(kind.fields, map(self.operand, kind, members), strict=True)
            return SimpleNamespace(**dict(fields))
        if isinstance(kind, types.Array):
            return self.context.make_array(kind)(self.context, self.builder, value).data
        return self.context.cast(self.builder, value, kind, types.int64)

    def add(self, *terms):
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.add(total, term)
        return total

    def times(self, a, b):
        return self.builder.mul(a, b)

    def at(self, pointer, *terms):
        return self.builder.gep(pointer, [self.add(*terms)])

    def entry(self, pointer, *terms):
        """A list's entry as a 64-bit integer."""
        return self.builder.sext(self.builder.load(self.at(pointer, *terms)), I64)

    def load(self, kind, pointer, *terms):
        address = self.builder.bitcast(self.at(pointer, *terms), kind.as_pointer())
        return self.builder.load(address, align=1)

    def entries(self, pointer, *terms):
        """A vector of a list's entries: floats, or integers of any width in 32 bits."""
        kind = pointer.type.pointee
        found = self.load(ir.VectorType(kind, self.lanes), pointer, *terms)
        return self.builder.sext(found, self.ints) if kind in (I8, I16) else found

    def scaled(self, numbers, unit):
        """Floats as they are, of integers the products with ``unit``."""
        if numbers.type == self.floats:
            return numbers
        return self.builder.fmul(self.builder.sitofp(numbers, self.floats), unit)

    def flags(self, word, first):
        """The bits of a word from ``first`` on, one for each lane."""
        b, kind = self.builder, ir.VectorType(I1, self.lanes)
        return b.bitcast(b.trunc(b.lshr(word, I32(first)), ir.IntType(self.lanes)), kind)

    def store(self, value, pointer, *terms):
        kind = pointer.type.pointee
        if value.type == self.ints and kind.width < 32:
            value = self.builder.trunc(value, ir.VectorType(kind, self.lanes))
        address = self.builder.bitcast(self.at(pointer, *terms), value.type.as_pointer())
        self.builder.store(value, address, align=1)

    def splat(self, value):
        undefined = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        one = self.builder.insert_element(undefined, value, I32(0))
        lanes = 2 * self.lanes if value.type == I16 else self.lanes
        return self.shuffled(one, one, [0] * lanes)

    def shuffled(self, a, b, order):
        """A vector of entries of a and, counted on, of b."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(order)), order))

    def number(self, value):
        return ir.Constant(self.ints, [value] * self.lanes)

    def zero(self):
        return ir.Constant(self.floats, [0.0] * self.lanes)

    def variable(self, start):
        """A slot for a vector; LLVM keeps it in a register."""
        slot = cgutils.alloca_once(self.builder, start.type)
        self.builder.store(start, slot)
        return slot

    def call(self, name, kind, *arguments):
        signature = ir.FunctionType(kind, [a.type for a in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.builder.call(function, arguments)

    def popcount(self, words):
        return self.call(f"llvm.ctpop.v{self.lanes}i32", self.ints, words)

    def byte_counts(self, words):
        """Of each byte the number of its bits: AVX2 looks up those of its two halves."""
        b, table = self.builder, [k.bit_count() for k in range(16)]
        table, low = (ir.Constant(self.bytes, 2 * x) for x in (table, [15] * 16))
        halves = b.bitcast(words, self.halves)
        found = [
            self.call(
                "llvm.x86.avx2.pshuf.b", self.bytes, table, b.and_(b.bitcast(x, low.type), low)
            )
            for x in (halves, b.lshr(halves, self.half(4)))
        ]
        return b.add(*found)

    def pairs(self, a, b):
        """Sums of two neighbouring products of bytes, a without and b with a sign, on AVX2."""
        return self.call("llvm.x86.avx2.pmadd.ub.sw", self.halves, a, b)

    def fma(self, a, b, c):
        return self.call(f"llvm.fma.v{self.lanes}f32", self.floats, a, b, c)

    def kept(self, value):
        """The value, in a register of its own that LLVM knows nothing of: a step ends here.

        It reorders sums of integers over several steps otherwise, and runs out of registers.
        """
        if self.lanes < 16:
            return value
        signature = ir.FunctionType(value.type, [value.type])
        return self.builder.asm(signature, "", "=v,0", [value], False)

    def choose(self, mask, clear, set_):
        """The bits of one vector where the mask's are clear, those of the other where it is set."""
        b = self.builder
        return b.xor(clear, b.and_(mask, b.xor(clear, set_)))

    def half(self, value):
        """Every half the same number."""
        return ir.Constant(self.halves, [value] * 2 * self.lanes)

    def widened(self, halves):
        """The sum of the two 16-bit halves of each lane, in 32 bits."""
        name = {16: "llvm.x86.avx512.pmaddw.d.512", 8: "llvm.x86.avx2.pmadd.wd"}.get(self.lanes)
        if name:
            return self.call(name, self.ints, halves, self.half(1))
        b, words, by = self.builder, self.builder.bitcast(halves, self.ints), self.number(16)
        return b.add(b.ashr(b.shl(words, by), by), b.ashr(words, by))

    def loop(self, count):
        return cgutils.for_range(self.builder, count, intp=I64)

    @contextmanager
    def parts(self, count, size):
        """A loop over parts of at most ``size``: where each starts, and how long it is."""
        if size is None:
            yield I64(0), count
            return
        b = self.builder
        with self.loop(b.sdiv(self.add(count, size, I64(-1)), size)) as part:
            first = self.times(part.index, size)
            left = b.sub(count, first)
            yield first, b.select(b.icmp_signed("<", left, size), left, size)


def tile(names, constants):
    """Make an intrinsic of ``emit(e, *constants, **arguments)``.

    It takes ``simd``, then ``constants``, tuples whose lengths reach ``emit`` as numbers, then
    ``names``: arrays reach it as pointers, integers as 64-bit integers, also in NamedTuples.
    """
    every = ["typingctx", "simd", *constants.split(), *names.split()]
    first = 1 + len(constants.split())

    def decorate(emit):
        def typer(typingctx, *kinds):
            sizes = [len(k) for k in kinds[1:first]]
            kept = types.Array, types.BaseNamedTuple
            rest = [k if isinstance(k, kept) else types.int64 for k in kinds[first:]]

            def codegen(context, builder, signature, args):
                e = Emitter(context, builder, len(kinds[0]), kinds[0].dtype == types.uint8)
                emit(e, *sizes, *map(e.operand, rest, args[first:]))
                return context.get_dummy_value()

            return types.void(*kinds[:first], *rest), codegen

        kind = Parameter.POSITIONAL_OR_KEYWORD
        typer.__signature__ = Signature([Parameter(name, kind) for name in every])
        typer.__name__, typer.__doc__ = emit.__name__, emit.__doc__
        return intrinsic(typer)

    return decorate

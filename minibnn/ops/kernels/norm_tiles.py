"""Tiles of batch normalisation's gradient, for 32 channels each."""

from llvmlite import ir

from minibnn.ops.kernels.emit import I64, tile

# What becomes of the entries: kept as they are, their largest magnitudes, or rounded to integers.
VALUES, LARGEST, ROUNDED = (), (0,), (0,) * 2


def _passed(e, u, at, gate, word):
    """Vectors of u, 0 where bit i of gate[word] is 1, and which channel each starts at."""
    stopped = e.builder.load(e.at(gate, word))
    for first in range(0, 32, e.lanes):
        numbers = e.entries(u, at, I64(first))
        nothing = ir.Constant(numbers.type, None)
        yield e.builder.select(e.flags(stopped, first), nothing, numbers), I64(first)


def _add(e, value, sums, to, here):
    """sums[to + here:] += value."""
    add = e.builder.fadd if isinstance(value.type.element, ir.DoubleType) else e.builder.add
    e.store(add(e.load(value.type, sums, to, here), value), sums, to, here)


@tile("u x at gate word sums place pitch", constants="")
def exact_sums_tile(e, u, x, at, gate, word, sums, place, pitch):
    """sums[place + i] += u[at + i] and sums[place + pitch + i] += u[at + i] * x[at + i], i < 32.

    Where bit i of gate[word] is 1, u counts as 0. Sums are 64-bit.
    """
    b, wide = e.builder, ir.VectorType(I64, e.lanes)
    for passed, here in _passed(e, u, at, gate, word):
        mine, other = b.sext(passed, wide), b.sext(e.entries(x, at, here), wide)
        _add(e, mine, sums, place, here)
        _add(e, b.mul(mine, other), sums, e.add(place, pitch), here)


@tile("dy x at gate word units constants channel pitch sums place", constants="")
def float_sums_tile(e, dy, x, at, gate, word, units, constants, channel, pitch, sums, place):
    """sums[place + i] += dy[at + i], sums[place + pitch + i] += dy[at + i] * xhat[at + i], i < 32.

    dy are floats; xhat, the gate, ``units`` and ``constants`` are as in ``norm_grad_tile``. Sums
    are float64.
    """
    b, wide = e.builder, ir.VectorType(ir.DoubleType(), e.lanes)
    x_unit = e.splat(b.load(e.at(units, I64(1))))
    for passed, here in _passed(e, dy, at, gate, word):
        mean, inverse = (
            e.load(e.floats, constants, e.times(I64(row), pitch), channel, here) for row in range(2)
        )
        xhat = b.fmul(b.fsub(e.scaled(e.entries(x, at, here), x_unit), mean), inverse)
        _add(e, b.fpext(passed, wide), sums, place, here)
        _add(e, b.fpext(b.fmul(passed, xhat), wide), sums, e.add(place, pitch), here)


@tile("u x at gate word units constants channel pitch out place", constants="mode")
def norm_grad_tile(e, mode, u, x, at, gate, word, units, constants, channel, pitch, out, place):
    """The gradient dx[i] of batch normalisation for 32 channels, each step rounded in this order.

    factor * ((u * unit - mean_dy) - ((x * x_unit - mean) * inverse) * mean_dy_xhat), with u = 0
    where bit i of gate[word] is 1; floats have no unit. ``units`` are unit, x_unit and what ROUNDED
    multiplies by; ``constants`` rows, ``pitch`` apart, of mean, inverse, factor, mean_dy and
    mean_dy_xhat.

    VALUES stores dx in out[place + i], ROUNDED its product with the scale as the nearest integer;
    LARGEST keeps there the largest |dx|, as the bits of a float: those of NaN are larger still.
    """
    b = e.builder
    unit, x_unit, scale = (e.splat(b.load(e.at(units, I64(k)))) for k in range(3))
    for passed, here in _passed(e, u, at, gate, word):
        mean, inverse, factor, mean_dy, mean_dy_xhat = (
            e.load(e.floats, constants, e.times(I64(row), pitch), channel, here) for row in range(5)
        )
        xhat = b.fmul(b.fsub(e.scaled(e.entries(x, at, here), x_unit), mean), inverse)
        dy = b.fsub(e.scaled(passed, unit), mean_dy)
        dx = b.fmul(factor, b.fsub(dy, b.fmul(xhat, mean_dy_xhat)))
        if mode == len(LARGEST):
            size = b.and_(b.bitcast(dx, e.ints), e.number(0x7FFFFFFF))
            old = e.load(e.ints, out, place, here)
            dx = b.select(b.icmp_signed(">", size, old), size, old)
        elif mode == len(ROUNDED):
            nearest = e.call(f"llvm.rint.v{e.lanes}f32", e.floats, b.fmul(dx, scale))
            dx = b.fptosi(nearest, e.ints)
        e.store(dx, out, place, here)

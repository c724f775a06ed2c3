"""Tiles of batch normalisation's gradient from fixed-point numbers, for 32 channels each."""

from llvmlite import ir

from minibnn.ops.kernels.emit import I64, tile

# What becomes of the entries: kept as they are, their largest magnitudes, or rounded to integers.
VALUES, LARGEST, ROUNDED = (), (0,), (0,) * 2


@tile("u x at gate word sums place pitch", constants="")
def exact_sums_tile(e, u, x, at, gate, word, sums, place, pitch):
    """sums[place + i] += u[at + i] and sums[place + pitch + i] += u[at + i] * x[at + i], i < 32.

    Where bit i of gate[word] is 1, u counts as 0. Sums are 64-bit.
    """
    b, wide = e.builder, ir.VectorType(I64, e.lanes)
    stopped = b.load(e.at(gate, word))
    for first in range(0, 32, e.lanes):
        passed = b.select(e.flags(stopped, first), e.number(0), e.entries(u, at, I64(first)))
        mine, other = b.sext(passed, wide), b.sext(e.entries(x, at, I64(first)), wide)
        for value, to in ((mine, place), (b.mul(mine, other), e.add(place, pitch))):
            old = e.load(wide, sums, to, I64(first))
            e.store(b.add(old, value), sums, to, I64(first))


@tile("u x at gate word units constants channel pitch out place", constants="mode")
def norm_grad_tile(e, mode, u, x, at, gate, word, units, constants, channel, pitch, out, place):
    """The gradient dx[i] of batch normalisation for 32 channels, each step rounded in this order.

    factor * ((u * unit - mean_dy) - ((x * x_unit - mean) * inverse) * mean_dy_xhat), with u = 0
    where bit i of gate[word] is 1. ``units`` are unit, x_unit and what ROUNDED multiplies by;
    ``constants`` rows, ``pitch`` apart, of mean, inverse, factor, mean_dy and mean_dy_xhat.

    VALUES stores dx in out[place + i], ROUNDED its product with the scale as the nearest integer;
    LARGEST keeps there the largest |dx|, as the bits of a float: those of NaN are larger still.
    """
    b, stopped = e.builder, e.builder.load(e.at(gate, word))
    unit, x_unit, scale = (e.splat(b.load(e.at(units, I64(k)))) for k in range(3))
    for first in range(0, 32, e.lanes):
        here = I64(first)
        mean, inverse, factor, mean_dy, mean_dy_xhat = (
            e.load(e.floats, constants, e.times(I64(row), pitch), channel, here) for row in range(5)
        )
        passed = b.select(e.flags(stopped, first), e.number(0), e.entries(u, at, here))
        dy = b.fmul(b.sitofp(passed, e.floats), unit)
        value = b.fmul(b.sitofp(e.entries(x, at, here), e.floats), x_unit)
        xhat = b.fmul(b.fsub(value, mean), inverse)
        dx = b.fmul(factor, b.fsub(b.fsub(dy, mean_dy), b.fmul(xhat, mean_dy_xhat)))
        if mode == len(LARGEST):
            size = b.and_(b.bitcast(dx, e.ints), e.number(0x7FFFFFFF))
            old = e.load(e.ints, out, place, here)
            dx = b.select(b.icmp_signed(">", size, old), size, old)
        elif mode == len(ROUNDED):
            nearest = e.call(f"llvm.rint.v{e.lanes}f32", e.floats, b.fmul(dx, scale))
            dx = b.fptosi(nearest, e.ints)
        e.store(dx, out, place, here)

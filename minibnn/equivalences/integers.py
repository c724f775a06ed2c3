"""Integers and sums: E27 (Bop in integers), E28 (votes), E29 (accumulation), E35 (parity)."""

from fractions import Fraction

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import ANY, QUARTERS, RATES, SMALL, THRESHOLDS
from minibnn.equivalences.entry import Entry
from minibnn.nn import Parameter
from minibnn.optim import BopState, IntegerBopState, majority_vote_step
from minibnn.optim.integer import leak

E27 = Entry(
    """E27 Bop in integers

    a <- a - R(a / 2^j) + q, flip iff b a > theta; q and a integers, |q| <= Q, R odd. Bits are a
    function of integers, the same on every machine and in every order of summation; E6's mirror
    holds. |a| <= max(|a0|, 2^j Q), so 8-bit q with j = 8 fits into 16 bits; a stays within 2^j - 1
    of the exact accumulator (2^(j-1) for R to nearest), less than one quantum in m, and decisions
    agree where that is further from theta.

    if: a power-of-two scale; each summand quantised, not the sum; odd R; no overflow
    class: B, Q
    why: One rounding is off by less than 1, and errors shrink by 1 - 2^-j: at most 2^j in all.
    source: derived"""
)


def drawn_integer(x):
    shift, rounding = x.one("j", (1, 2, 3, 8)), x.one("rounding", ("zero", "nearest"))
    quanta = x.one("Q", (3, 127))
    size, steps = x.one("size", range(1, 4)), x.one("steps", range(1, 17))
    q = np.int16(x.many("q", (0, 1, -1, 2, -3, quanta, -quanta), steps, size))
    theta, bits = x.one("theta", (0, 1, 2, 3, 7, 12, 255)), np.int8(x.many("bits", (1, -1), size))
    return q, bits, shift, theta, rounding, max(quanta, 3)


def integer_run(x, gradients, bits, shift, theta, rounding="zero", dtype=np.int16):
    w, state = bits, IntegerBopState(np.zeros(len(bits), dtype))
    hyper = {"shift": shift, "threshold": theta, "rounding": rounding}
    for q in x.over(gradients):
        w, state = x.steps.integer_bop_step(w, q, state, **hyper)
        x.tie(np.abs(state.a.astype(int)) == theta)
        yield w, state.a


@E27.claim
def bounded_and_near(x):
    q, bits, shift, theta, rounding, most = drawn_integer(x)
    exact, off = np.array([Fraction(0)] * len(bits)), 2**shift - 1
    off = 2 ** (shift - 1) if rounding == "nearest" else off
    for (w, a), g in zip(integer_run(x, q, bits, shift, theta, rounding), q, strict=True):
        exact = exact * (1 - Fraction(1, 2**shift)) + [Fraction(int(v)) for v in g]
        error = np.abs([int(v) for v in a] - exact)
        x.show(a=a, exact=[float(v) for v in exact], bits=w)
        x.require(np.abs(a.astype(int)) <= 2**shift * most, "|a| is above 2^j Q")
        x.require(error <= off, f"a is off by {float(max(error))}")


@E27.claim
def mirror(x):
    q, bits, shift, theta, rounding, _ = drawn_integer(x)
    runs = integer_run(x, q, bits, shift, theta, rounding)
    images = integer_run(x, -q, -bits, shift, theta, rounding)
    for (w, a), (v, b) in zip(runs, images, strict=False):
        x.same_bits(negated=-w, mirrored=v)
        x.same(minus_a=-a, mirrored_a=b)


@E27.claim
def in_every_order(x):
    """Quantised summands, summed in two orders."""
    q = drawn_integer(x)[0]
    total, back = np.cumsum(q, 0), np.cumsum(q[::-1], 0)
    x.same_bits(forwards=total[-1], backwards=back[-1])


def floored(x):
    """An arithmetic shift rounds down, which is not odd."""
    x.same_bits(minus_leak=-(np.int16([3]) >> 1), leak_of_minus=np.int16([-3]) >> 1)


def scaled_integers(x):
    x.same_bits(three_times=3 * leak(np.int16([1]), 1), of_three=leak(np.int16([3]), 1))


def overflown(x):
    """j = 9 and Q = 127: 2^9 * 127 is beyond 16 bits."""
    wide = integer_run(x, np.full((400, 1), 127, np.int32), np.int8([-1]), 9, 0, dtype=np.int32)
    for (_, a), (_, b) in zip(
        integer_run(x, np.full((400, 1), 127, np.int16), np.int8([-1]), 9, 0), wide, strict=True
    ):
        x.same(in_16_bits=a, in_32=b)


def quantised_afterwards(x):
    parts = np.float32([2.0**24, 1, -(2.0**24), 0.5])
    sums = [np.float32(0), np.float32(0)]
    for a, b in zip(parts, parts[[0, 2, 1, 3]], strict=True):
        sums = [sums[0] + a, sums[1] + b]
    x.same_bits(one_order=np.rint(sums[0]), another=np.rint(sums[1]))


def four_steps(x):
    for w, a in integer_run(x, np.int16([[3], [3], [3], [-3]]), np.int8([1]), 2, 7):
        x.show(a=a, bits=w)


E27.shows(four_steps)
E27.breaks("rounding down, the arithmetic shift, is not odd", floored)
E27.breaks("scale: R(3 / 2) is not 3 R(1 / 2)", scaled_integers)
E27.breaks("int16 at j = 9 overflows", overflown)
E27.breaks("the sum is quantised, not its summands", quantised_afterwards)


E28 = Entry(
    """E28 Signs and votes

    sign(b - eta sgn0(m)) is strict Bop(0) for every eta > 1. Majority vote with margin tau, flip
    iff b V > tau for V = sum over workers of sgn0(m_k), is Bop(gamma = 1, tau) on the integer V,
    in any order. The vote is the sign of the batch gradient if all nonzero |m_k| are equal.

    if: eta > 1; sgn0(0) = 0
    class: B, Q
    why: eta > |b| decides where m is not 0; sums of signs are integers.
    source: Bernstein et al. 2018 and 2019; derived"""
)


def by_sign(x, bits, m, eta):
    w, _ = x.steps.bop_step(bits, m, BopState(0 * m), gamma=1, threshold=0)
    x.tie(m == 0)
    x.same_bits(bop=w, by_sign=x.sign(bits - x.number(eta) * np.sign(m)))


@E28.claim
def signs(x):
    by_sign(x, x.start_bits(), x.weights("m", SMALL, QUARTERS), x.one("eta", (1.125, 2, 100)))


@E28.claim
def votes(x):
    bits, workers, tau = x.start_bits(), x.one("K", range(1, 6)), x.one("tau", (0, 1, 2))
    m = x.array(x.many("m", SMALL, workers, len(bits)))
    new, _ = majority_vote_step(bits, m, None, threshold=tau)
    total = np.sign(m)[::-1].sum(0)
    w, _ = x.steps.bop_step(bits, total, BopState(0 * total), gamma=1, threshold=tau)
    x.tie(np.abs(total) == tau)
    x.same_bits(vote=new, bop=w)
    equal = np.sign(m) * x.number(x.one("size", (1, 2, 3)))
    x.same_bits(vote_sign=np.sign(total), sum_sign=np.sign(equal.sum(0)))


def vote_of(x, *m):
    x.same_bits(vote=np.sign(np.sign(np.float32(m)).sum()), sum=np.sign(np.float32(m).sum()))


def one_bit_each(x):
    m = np.float32([0, 0, -2])
    x.same_bits(of_bits=np.sign(np.where(m < 0, -1, 1).sum()), vote=np.sign(np.sign(m).sum()))


def sign_of_average(x):
    x.same_bits(sign_of_average=np.sign(0.5 * 4 + 0.5 * -1), average_of_signs=np.sign(0.5 - 0.5))


E28.shows(lambda x: by_sign(x, x.signs([1, -1, 1]), x.array([2, -1, 0]), 2))
E28.breaks("eta = 1: a +1 never flips", lambda x: by_sign(x, x.signs([1]), x.array([2]), 1))
E28.breaks("unequal sizes: 3, -1, -1", lambda x: vote_of(x, 3, -1, -1))
E28.breaks("an even number of workers: 3, -1", lambda x: vote_of(x, 3, -1))
E28.breaks("one bit per worker, sgn(0) = +1: 0, 0, -2", one_bit_each)
E28.breaks("the sign of an average taken for an average of signs", sign_of_average)


E29 = Entry(
    """E29 Accumulation is not averaging

    k micro-batches at frozen bits: sum of g_i / k = (sum of g_i) / k, bit for bit for k = 2^j. Leak
    once, then add all, threshold k tau / gamma: Bop on the mean. k averages at gamma' equal one at
    1 - (1 - gamma')^k iff the k gradients enter with weights gamma' (1 - gamma')^(k - i).
    Latent SGD without decay: k steps are one on the sum.

    if: frozen bits; k a power of two in float32
    class: B, Q
    why: Unroll the average over the k gradients.
    source: derived"""
)


def halves(x, parts, k):
    x.same(sum_of_parts=sum(g / x.number(k) for g in parts), part_of_sum=sum(parts) / x.number(k))


@E29.claim
def divided(x):
    k = x.one("k", (2, 4, 8))
    parts = x.array(x.many("g", x.palette("g", SMALL, ANY), k, 2))
    halves(x, parts, k)


@E29.claim
def leak_once(x):
    x.arithmetic("fraction")
    k, n = x.one("k", (2, 3, 4)), x.one("steps", range(1, 5))
    parts, w = x.array(x.many("g", SMALL, n, k, 2)), x.signs(x.many("bits", (1, -1), 2))
    gamma, tau = x.one("gamma", RATES), x.number(x.one("tau", THRESHOLDS))
    v, state, a = w, BopState(0 * parts[0, 0]), 0 * parts[0, 0]
    for each in x.over(parts):
        w, state = x.steps.bop_step(w, sum(each) / k, state, gamma=gamma, threshold=tau)
        a = (1 - gamma) * a + sum(each)
        v = np.where(v * a > k * tau / gamma, -v, v)
        x.tie(np.abs(state.m) == tau)
        x.same_bits(bop=w, accumulated=v)
        x.same(m=state.m, scaled=gamma * a / k)


def many_and_one(x, parts, gamma, weights, merged=None):
    """k averages from m = 0, and one on a weighted sum."""
    k, state = len(parts), BopState(0 * parts[0])
    once = 1 - (1 - gamma) ** k if merged is None else merged
    bits = x.signs([1] * len(parts[0]))
    for g in parts:
        _, state = x.steps.bop_step(bits, g, state, gamma=gamma, threshold=10**6)
    total = sum(weight * g for weight, g in zip(weights, parts, strict=True))
    start = BopState(0 * parts[0])
    _, one = x.steps.bop_step(bits, total / sum(weights), start, gamma=once, threshold=10**6)
    x.same(many=state.m, one=one.m)


@E29.claim
def weighted(x):
    x.arithmetic("fraction")
    k, gamma = x.one("k", (2, 3, 4)), x.one("gamma", RATES)
    parts = x.array(x.many("g", SMALL, k, 2))
    weights = [gamma * (1 - gamma) ** (k - i) for i in range(1, k + 1)]
    many_and_one(x, parts, gamma, weights)


@E29.claim
def undecayed(x):
    x.arithmetic("fraction")
    parts, latent, lr = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS), x.one("lr", RATES)
    one, many = x.steps.latent_sgd_step(latent, sum(parts), None, lr=lr)[0], latent
    for g in x.over(parts):
        many, _ = x.steps.latent_sgd_step(many, g, None, lr=lr)
    x.tie(many == 0)
    x.same(many=many, one=one)


def of_means(x, parts, merged=None):
    x.arithmetic("fraction")
    half = Fraction(1, 4)
    many_and_one(x, x.column(*parts), half, [1] * len(parts), merged)


def decayed(x):
    hyper, w = {"lr": 0.5, "weight_decay": 1}, x.array([1])
    many = w
    for g in x.over(x.column(2, 0)):
        many, _ = x.steps.latent_sgd_step(many, g, None, **hyper)
    x.same(many=many, one=x.steps.latent_sgd_step(w, x.array([2]), None, **hyper)[0])


E29.shows(lambda x: halves(x, x.column(1, 3), 2))
E29.breaks("k = 3 in float32", lambda x: halves(x, x.column(3.5, 1.3, 0.1), 3))
E29.breaks("k averages taken for one on the plain mean", lambda x: of_means(x, (1, 0)))
E29.breaks("k averages taken for k gamma", lambda x: of_means(x, (1,) * 4, Fraction(1)))
E29.breaks("latent SGD with decay", decayed)


E35 = Entry(
    """E35 Parity of flips

    Of a layer's weights those that differ from the start are those with an odd number of flips: at
    most as many as flips, and of the same parity.

    if: every flip is counted
    class: B
    why: Two flips undo each other.
    source: derived; a checksum for flip telemetry"""
)


@E35.claim
def odd_flips(x):
    counted_flips(x, x.gradients(SMALL, ANY), x.start_bits(), x.one("gamma", RATES))


def counted_flips(x, gradients, start, gamma, missed=0):
    """On an optimizer's own count, which telemetry sums up."""
    p = Parameter("kernel", start, binary=True)
    optimizer, flips, total = optim.Bop(float(gamma), 0.25), 0 * start, -missed
    for p.grad in x.over(gradients):
        before = p.value.copy()
        total += optimizer.step([p])["kernel"]
        flips = flips + (before != p.value)
        x.tie(p.grad == 0)
        x.same_bits(differ=p.value != start, odd=flips % 2 == 1)
        differ = np.count_nonzero(p.value != start)
        x.require(differ <= total and (total - differ) % 2 == 0, f"{differ} differ, {total} flips")


def of_ones(x, **more):
    counted_flips(x, x.column(2, -2, -2), x.signs([1]), 0.5, **more)


E35.shows(of_ones)
E35.breaks("a flip is not counted", lambda x: of_ones(x, missed=1))

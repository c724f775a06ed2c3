"""Sums: E13 (many workers), E27 (integers), E28 (votes), E29 (accumulation), E35 (parity)."""

from fractions import Fraction

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import ANY, QUARTERS, RATES, SMALL, THRESHOLDS
from minibnn.equivalences.entry import BOTH, EXACT, Entry, equal
from minibnn.nn import Parameter
from minibnn.optim import BopState, IntegerBopState, majority_vote_step
from minibnn.optim.bop import flip_signs, leak

E13 = Entry(
    """E13 Data parallel training is training on the whole batch

    The mean of K workers' mean gradients is the mean over the batch; averaging the workers' m is
    averaging their gradients.

    if: equal shards (or weights by size), losses per sample, no batch statistics; in float32 exact
        partial sums
    class: Q, B
    why: Linearity of the mean and of the moving average.
    source: Helwegen et al. 2019, algorithm 2 (the 1/K)"""
)


def mean(x, arrays):
    return sum(arrays) / x.number(len(arrays))


def by_gradients(x, means, w, hyper):
    """Workers average their gradients."""
    g = mean(x, means)
    return (v for v, _ in x.bop(g, w, 0 * g[0], **hyper))


def local(x, means, w, hyper):
    """(bits, m) of each worker."""
    return zip(*(x.bop(g, w, 0 * g[0], **hyper) for g in means), strict=True)


def by_averages(x, means, w, hyper):
    """Workers average their m."""
    for ends in local(x, means, w, hyper):
        m = mean(x, [m for _, m in ends])
        w, _ = x.steps.bop_step(w, m, BopState(0 * m), **hyper | {"gamma": 1})
        yield w


def by_votes(x, means, w, hyper):
    """Workers vote on their own flips."""
    for ends in local(x, means, w, hyper):
        yield x.sign(sum(bits.astype(int) for bits, _ in ends))


@E13.claim(BOTH)
def mean_gradient(x, many=by_gradients, shards=None):
    """Bop on the mean of all samples (S, steps, n), and bits of ``many(x, means, w, hyper)``."""
    workers, size = x.one("workers", (2, 3) if x.exact else (2, 4)), x.one("per_worker", (1, 2))
    shape = workers * size, x.one("steps", range(1, 5)), x.one("size", (1, 2))
    samples, w = x.array(x.many("samples", SMALL, *shape)), x.start_bits()
    shards = shards or [size] * workers
    means = [mean(x, shard) for shard in np.split(samples, np.cumsum(shards)[:-1])]
    threshold = x.number(x.one("threshold", (0, 0.5, 0.25)))
    whole, hyper = mean(x, samples), {"gamma": x.number(0.5), "threshold": threshold}
    one = x.bop(whole, w, 0 * whole[0], **hyper)
    for _, (bits, m), v in x.beside(whole, one, many(x, means, w, hyper)):
        x.show(m=m)
        x.same_bits(one_worker=bits, many=v)


@E13.claim(BOTH)
def mean_average(x):
    mean_gradient(x, many=by_averages)


E13.shows(mean_gradient, samples=[[[3], [1], [-4]], [[1], [1], [0]]], threshold=0.5)
E13.breaks("shards of 1 and 3 samples, all workers weighted alike")(
    mean_gradient, shards=[1, 3], samples=[[[4]], [[0]], [[0]], [[0]]], threshold=0.75
)
E13.breaks("a vote on local flips")(
    mean_gradient, many=by_votes, shards=[1] * 3, samples=[[[8]], [[0]], [[0]]], threshold=0.5
)
E13.breaks("float32 sums that round: 2^24 + 1 + 1 - 2^24 in another order")(
    mean_gradient, shards=[2, 2], samples=[[[2**24]], [[1]], [[1]], [[-(2**24)]]]
)


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
    theta, most = x.one("theta", (0, 1, 2, 3, 7, 12, 255)), x.one("Q", (3, 127))
    q = np.int16(x.gradients((0, 1, -1, 2, -3, most, -most), most=16, name="q"))
    return q, x.start_bits(), shift, theta, rounding, most


def integers(x, q, bits, shift, theta, rounding="zero", dtype=np.int16, start=0):
    """(bits, a) of Bop in integers."""
    hyper = {"shift": shift, "threshold": theta, "rounding": rounding}
    start = IntegerBopState(np.full(len(bits), start, dtype))
    for w, state in x.run(x.steps.integer_bop_step, q, bits, start, **hyper):
        x.tie(np.abs(state.a.astype(int)) == theta)
        yield w, state.a


@E27.claim
def bounded_and_near(x):
    q, bits, shift, theta, rounding, most = drawn_integer(x)
    off = 2 ** (shift - 1) if rounding == "nearest" else 2**shift - 1
    start = x.one("a0", (0, 5, -300, 32_000))
    exact, most = 0 * q[0] + Fraction(start), max(abs(start), 2**shift * most)
    for g, (w, a) in x.beside(q, integers(x, q, bits, shift, theta, rounding, start=start)):
        exact = exact - exact / 2**shift + g
        x.show(a=a, exact=exact, bits=w)
        x.require(np.abs(a.astype(int)) <= most, "|a| is above |a0| and 2^j Q")
        x.require(np.abs(a - exact) <= off, f"a is further than {off} from the exact one")


@E27.claim
def mirror(x):
    q, bits, *how, _ = drawn_integer(x)
    a0 = x.one("a0", (0, 5, -300, 32_000))
    runs = (integers(x, s * q, s * bits, *how, start=s * a0) for s in (1, -1))
    for _, (w, a), (v, b) in x.beside(q, *runs):
        x.same_bits(negated=-w, mirrored=v)
        x.same(minus_a=-a, mirrored_a=b)


@E27.breaks("int16 at j = 9 overflows: 2^9 * 127 is beyond 16 bits")
def overflown(x):
    q, run = np.full((400, 1), 127, np.int16), (np.int8([-1]), 9, 0, "zero")
    x.alike(q, in_16_bits=integers(x, q, *run), in_32=integers(x, q, *run, np.int32))


@E27.breaks("the sum is quantised, not its summands")
def quantised_afterwards(x):
    parts = np.float32([2.0**24, 1, -(2.0**24), 0.5])
    one, other = (np.rint(np.cumsum(parts[k])[-1]) for k in ([0, 1, 2, 3], [0, 2, 1, 3]))
    x.same_bits(one_order=one, another=other)


E27.breaks("rounding down, the arithmetic shift, is not odd")(
    equal, minus_leak=-(np.array([3], np.int16) >> 1), leak_of_minus=np.array([-3], np.int16) >> 1
)
E27.breaks("scale: R(3 / 2) is not 3 R(1 / 2)")(
    equal, three=3 * leak(np.array([1], np.int16), 1), of_three=leak(np.array([3], np.int16), 1)
)
E27.shows(bounded_and_near, q=[[3], [3], [3], [-3]], j=2, theta=7)


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


@E28.claim
def signs(x):
    bits, m, eta = x.start_bits(), x.weights("m", SMALL, QUARTERS), x.one("eta", (1.125, 2, 100))
    ((w, m),) = x.bop([m], bits, 0 * m, gamma=1)
    x.same_bits(bop=w, by_sign=x.sign(bits - x.number(eta) * np.sign(m)))


@E28.claim
def votes(x):
    bits, workers, tau = x.start_bits(), x.one("K", range(1, 6)), x.one("tau", (0, 1, 2))
    m = x.array(x.many("m", SMALL, workers, len(bits)))
    new, _ = majority_vote_step(bits, m, None, threshold=tau)
    total = np.sign(m)[::-1].sum(0)
    ((w, _),) = x.bop([total], bits, 0 * total, 1, tau)
    x.same_bits(vote=new, bop=w)
    if not tau:
        ((w, _),) = x.bop([total * x.number(x.one("size", (1, 2, 3)))], bits, 0 * total, 1)
        x.same_bits(vote=new, on_batch=w)


E28.breaks("the sign of an average taken for an average of signs")(
    equal, sign_of_average=np.sign(0.5 * 4 + 0.5 * -1), average_of_signs=np.sign(0.5 - 0.5)
)
E28.shows(signs, bits=[1, -1, 1], m=[2, -1, 0], eta=2)
E28.breaks("eta = 1: a +1 never flips")(signs, m=2, eta=1)
E28.breaks("unequal sizes: 3, -1, -1")(equal, vote=np.sign(1 - 1 - 1), sum=np.sign(3 - 1 - 1))
E28.breaks("an even number of workers: 3, -1")(equal, vote=np.sign(1 - 1), sum=np.sign(3 - 1))
E28.breaks("one bit per worker, sgn(0) = +1: 0, 0, -2")(
    equal, of_bits=np.sign(1 + 1 - 1), vote=np.sign(0 + 0 - 1)
)


E29 = Entry(
    """E29 Accumulation is not averaging

    k micro-batches at frozen bits: sum of g_i / k = (sum of g_i) / k, bit for bit for k = 2^j. Leak
    once, then add all, threshold k tau / gamma: Bop on the mean. k averages at gamma' equal one at
    1 - (1 - gamma')^k iff the k gradients enter with weights gamma' (1 - gamma')^(k - i).
    Latent SGD without decay, clip, mask and momentum: k steps are one on the sum.

    if: frozen bits; k a power of two in float32
    class: B, Q
    why: Unroll the average over the k gradients.
    source: derived"""
)


@E29.claim
def divided(x):
    k = x.one("k", (2, 4, 8))
    parts = x.array(x.many("g", x.palette("g", SMALL, ANY), k, 2))
    x.same(sum_of_parts=sum(g / x.number(k) for g in parts), part_of_sum=sum(parts) / x.number(k))


@E29.claim(EXACT)
def leak_once(x):
    k, n = x.one("k", (2, 3, 4)), x.one("steps", range(1, 5))
    sums, v = x.array(x.many("g", SMALL, n, k, 2)).sum(1), x.signs(x.many("bits", (1, -1), 2))
    gamma, tau = x.one("gamma", RATES), x.number(x.one("tau", THRESHOLDS))
    a = 0 * sums[0]
    for g, (w, m) in x.beside(sums, x.bop(sums / k, v, a, gamma, tau)):
        a = (1 - gamma) * a + g
        v = flip_signs(v, a, k * tau / gamma)
        x.same_bits(bop=w, accumulated=v)
        x.same(m=m, scaled=gamma * a / k)


@E29.claim(EXACT)
def weighted(x, weights=None, once=None):
    """k averages from m = 0, and one of a rate ``once`` on a weighted sum."""
    k, gamma = x.one("k", (2, 3, 4)), x.one("gamma", RATES)
    parts = x.array(x.many("g", SMALL, k, 2))
    weights = weights or [gamma * (1 - gamma) ** (k - i) for i in range(1, k + 1)]
    total = sum(weight * g for weight, g in zip(weights, parts, strict=True)) / sum(weights)
    start = x.signs([1] * len(total)), 0 * total
    *_, (_, many) = x.bop(parts, *start, gamma, threshold=10**6)
    ((_, one),) = x.bop([total], *start, once or 1 - (1 - gamma) ** k, threshold=10**6)
    x.same(many=many, one=one)


@E29.claim(EXACT)
def undecayed(x, decay=0):
    parts, latent, lr = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS), x.one("lr", RATES)
    *_, many = x.sgd(parts, latent, lr, weight_decay=decay)
    (one,) = x.sgd([sum(parts)], latent, lr, weight_decay=decay)
    x.same(many=many, one=one)


QUARTER = {"gamma": Fraction(1, 4), "numbers": "fraction"}
E29.shows(divided, g=[[1], [3]])
E29.breaks("k = 3 in float32")(divided, k=3, g=[[3.5], [1.3], [0.1]])
E29.breaks("k averages taken for one on the plain mean")(
    weighted, weights=[1, 1], g=[[1], [0]], **QUARTER
)
E29.breaks("k averages taken for k gamma")(
    weighted, weights=[1] * 4, once=1, k=4, g=[[1]] * 4, **QUARTER
)
E29.breaks("latent SGD with decay")(undecayed, decay=1, g=(2, 0), latent=1)


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
def odd_flips(x, missed=0):
    """On an optimizer's own count, which telemetry sums up."""
    gradients, start, gamma = x.gradients(SMALL, ANY), x.start_bits(), x.one("gamma", RATES)
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


E35.shows(odd_flips, g=(2, -2, -2))
E35.breaks("a flip is not counted")(odd_flips, missed=1, g=(2, -2, -2))

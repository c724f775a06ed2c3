"""Wrong step functions, each with one mistake, and the rows of ``verify`` that catch it.

The table of which row caught which is ``CAUGHT`` in test_mutants.py.
"""

import numpy as np

from minibnn.optim import BopState, LatentSGDState

# -- right ports, in the ways people write them ----------------------------------------------------


def plain_bop(w, g, state, *, gamma, threshold):
    m = (1 - gamma) * state.m + gamma * g
    return np.where(w * m > threshold, -w, w), BopState(m)


def inclusive_bop(w, g, state, *, gamma, threshold):
    m = (1 - gamma) * state.m + gamma * g
    flip = (np.abs(m) >= threshold) & (np.sign(m) == np.sign(w))
    return np.where(flip, -w, w), BopState(m)


def larq_bop(w, g, state, *, gamma, threshold):
    """Larq's formula, word for word: lq.math.sign(-tf.sign(var * m - threshold) * var)."""
    m = state.m + gamma * (g - state.m)
    return np.where(-np.sign(w * m - threshold) * w < 0, -1, 1).astype(w.dtype), BopState(m)


def authors_bop(w, g, state, *, gamma, threshold):
    """The paper's own code: Larq's rule on the convex average."""
    m = (1 - gamma) * state.m + gamma * g
    return np.where(-np.sign(w * m - threshold) * w < 0, -1, 1).astype(w.dtype), BopState(m)


def looping_bop(w, g, state, gamma, threshold):
    """Entry by entry, as one would write it in C."""
    new, m = w.copy(), np.empty_like(state.m)
    for k in np.ndindex(w.shape):
        m[k] = (np.float32(1) - gamma) * state.m[k] + gamma * g[k]
        if w[k] * m[k] > threshold:
            new[k] = -w[k]
    return new, BopState(m)


def plain_sgd(latent, g, state, *, lr, weight_decay):
    return (1 - lr * weight_decay) * latent - lr * g, state


def coupled_sgd(latent, g, state, *, lr, weight_decay):
    return latent - lr * (g + weight_decay * latent), state


def framework_sgd(latent, g, state, *, lr, weight_decay):
    """The usual optimizer with its momentum at 0."""
    velocity = np.float32(0) * state.velocity + (g + weight_decay * latent)
    return latent - lr * velocity, LatentSGDState(velocity)


# -- wrong Bop -------------------------------------------------------------------------------------


def _bop(average=None, flips=None, result=None):
    """Bop with a part replaced: ``average(m, g, gamma)``, ``flips(w, m, threshold, state, g)``."""

    def step(w, g, state, *, gamma, threshold):
        m = average(state.m, g, gamma) if average else (1 - gamma) * state.m + gamma * g
        flip = flips(w, m, threshold, state, g) if flips else w * m > threshold
        new = np.where(flip, -w, w)
        return result(new, m, state) if result else (new, BopState(m))

    return step


def _double(m, g, gamma):
    gamma = float(gamma)
    m, g = m.astype(np.float64), g.astype(np.float64)
    return ((1 - gamma) * m + gamma * g).astype(np.float32)


def in_place(w, g, state, *, gamma, threshold):
    state.m[...] = (1 - gamma) * state.m + gamma * g
    return np.where(w * state.m > threshold, -w, w), state


def in_place_weights(w, g, state, *, gamma, threshold):
    m = (1 - gamma) * state.m + gamma * g
    w[w * m > threshold] *= -1
    return w, BopState(m)


def spoils_gradient(w, g, state, *, gamma, threshold):
    g *= gamma
    m = (1 - gamma) * state.m + g
    return np.where(w * m > threshold, -w, w), BopState(m)


def shared_buffer():
    buffers = {}

    def step(w, g, state, *, gamma, threshold):
        m = buffers.setdefault(w.shape, np.empty(w.shape, np.float32))
        m[...] = (1 - gamma) * state.m + gamma * g
        return np.where(w * m > threshold, -w, w), BopState(m)

    return step


def remembers_first_gamma():
    seen = []

    def step(w, g, state, *, gamma, threshold):
        seen.append(gamma)
        m = (1 - seen[0]) * state.m + seen[0] * g
        return np.where(w * m > threshold, -w, w), BopState(m)

    return step


def keeps_m_itself():
    kept = {}

    def step(w, g, state, *, gamma, threshold):
        m = (1 - gamma) * kept.get(w.shape, np.zeros_like(g)) + gamma * g
        kept[w.shape] = m
        return np.where(w * m > threshold, -w, w), BopState(m.copy())

    return step


def bias_corrected():
    count = [0]

    def step(w, g, state, *, gamma, threshold):
        count[0] += 1
        m = (1 - gamma) * state.m + gamma * g
        evidence = m / (1 - (1 - gamma) ** np.float32(count[0]))
        return np.where(w * evidence > threshold, -w, w), BopState(m)

    return step


def forgets_after(calls):
    """Right for the first calls, wrong afterwards."""
    count = [0]

    def step(w, g, state, *, gamma, threshold):
        count[0] += 1
        m = (1 - gamma) * state.m + gamma * g
        flip = w * m > threshold
        return np.where(flip & (count[0] <= calls), -w, w), BopState(m)

    return step


def _mean_flip(w, m, threshold, state, g):
    return np.broadcast_to(np.mean(w * m) > threshold, w.shape)


def wants_a_threshold(w, g, state, *, gamma, threshold):
    if not threshold:
        raise ValueError("threshold must be above 0")
    return plain_bop(w, g, state, gamma=gamma, threshold=threshold)


def flips_in_float64(w, g, state, *, gamma, threshold):
    m = (1 - gamma) * state.m + gamma * g
    exact = (1 - float(gamma)) * state.m.astype(float) + float(gamma) * g
    return np.where(w * exact > float(threshold), -w, w), BopState(m)


def rarely_wrong(seed):
    random = np.random.default_rng(seed)

    def step(w, g, state, *, gamma, threshold):
        new, state = plain_bop(w, g, state, gamma=gamma, threshold=threshold)
        if random.random() < 1 / 500:
            new[(0,) * new.ndim] *= -1
        return new, state

    return step


def last_entry_stuck(w, g, state, *, gamma, threshold):
    new, state = plain_bop(w, g, state, gamma=gamma, threshold=threshold)
    if new.size > 64:
        new.reshape(-1)[-1] = w.reshape(-1)[-1]
    return new, state


BOP = {
    "inclusive for strict": _bop(flips=lambda w, m, t, s, g: w * m >= t),
    "less for greater": _bop(flips=lambda w, m, t, s, g: w * m < t),
    "no sign agreement": _bop(flips=lambda w, m, t, s, g: np.abs(m) > t),
    "other sign": _bop(flips=lambda w, m, t, s, g: -w * m > t),
    "threshold squared": _bop(flips=lambda w, m, t, s, g: w * m > t * t),
    "threshold ignored": _bop(flips=lambda w, m, t, s, g: w * m > 0),
    "threshold with slack": _bop(flips=lambda w, m, t, s, g: w * m > t + np.float32(1e-9)),
    "threshold 0 read as unset": _bop(flips=lambda w, m, t, s, g: w * m > (t or np.float32(1e-8))),
    "isclose at ties": _bop(flips=lambda w, m, t, s, g: (w * m > t) & ~np.isclose(w * m, t)),
    "gradient for m": _bop(flips=lambda w, m, t, s, g: w * g > t),
    "stale m": _bop(flips=lambda w, m, t, s, g: w * s.m > t),
    "ties set +1": _bop(flips=lambda w, m, t, s, g: (w * m > t) | ((w * m == t) & (w < 0))),
    "ties set -1": _bop(flips=lambda w, m, t, s, g: (w * m > t) | ((w * m == t) & (w > 0))),
    "dead weights flip": _bop(flips=lambda w, m, t, s, g: (w * m > t) | ((m == 0) & (g == 0))),
    "sign of m only": _bop(flips=lambda w, m, t, s, g: w * m > -t),
    "one flip for the whole array": _bop(flips=_mean_flip),
    "never more than one flip": _bop(
        flips=lambda w, m, t, s, g: (w * m > t) & (w * m == np.max(w * m))
    ),
    "threshold per fan-in": _bop(flips=lambda w, m, t, s, g: w * m > t / np.float32(len(w))),
    "lerp for convex": _bop(lambda m, g, y: m + y * (g - m)),
    "float64 inside": _bop(_double),
    "float64 constant": _bop(lambda m, g, y: m * np.float32(1 - float(np.float16(y))) + y * g),
    "gamma exchanged": _bop(lambda m, g, y: y * m + (1 - y) * g),
    "gamma on m only": _bop(lambda m, g, y: (1 - y) * m + g),
    "gamma outside": _bop(lambda m, g, y: y * (m + g)),
    "no decay of m": _bop(lambda m, g, y: m + y * g),
    "gradient's sign": _bop(lambda m, g, y: (1 - y) * m - y * g),
    "gamma rounded": _bop(lambda m, g, y: (1 - np.round(y, 3)) * m + np.round(y, 3) * g),
    "m clipped": _bop(lambda m, g, y: np.clip((1 - y) * m + y * g, -1, 1)),
    "g clipped": _bop(lambda m, g, y: (1 - y) * m + y * np.clip(g, -1, 1)),
    "g normalised": _bop(lambda m, g, y: (1 - y) * m + y * g / np.float32(max(1, np.abs(g).max()))),
    "small m set to 0": _bop(
        lambda m, g, y: np.where(np.abs(m) < 1e-10, 0, (1 - y) * m + y * g).astype(np.float32)
    ),
    "small g dropped": _bop(lambda m, g, y: np.where(np.abs(g) > 1e-7, (1 - y) * m + y * g, m)),
    "starts at the first gradient": _bop(lambda m, g, y: np.where(m == 0, g, (1 - y) * m + y * g)),
    "m0 ignored": _bop(lambda m, g, y: y * g),
    "m not updated": _bop(lambda m, g, y: m),
    "half precision": _bop(
        lambda m, g, y: np.float32(np.float16(np.clip((1 - y) * m + y * g, -6e4, 6e4)))
    ),
    "m reset by a flip": _bop(result=lambda w, m, s: (w, BopState(np.where(m > 0.5, 0 * m, m)))),
    "old state returned": _bop(result=lambda w, m, s: (w, s)),
    "state not returned": _bop(result=lambda w, m, s: w),
    "array for the state": _bop(result=lambda w, m, s: (w, m)),
    "order exchanged": _bop(result=lambda w, m, s: (BopState(m), w)),
    "returns float64": _bop(result=lambda w, m, s: (w.astype(np.float64), BopState(m))),
    "returns int8": _bop(result=lambda w, m, s: (w.astype(np.int8), BopState(m))),
    "m in float64": _bop(lambda m, g, y: (1 - float(y)) * m.astype(np.float64) + float(y) * g),
    "returns a list": _bop(result=lambda w, m, s: (w.tolist(), BopState(m))),
    "flattens": _bop(result=lambda w, m, s: (w.reshape(-1), BopState(m.reshape(-1)))),
    "returns 0 at ties": _bop(result=lambda w, m, s: (np.where(m == 0, 0 * w, w), BopState(m))),
    "returns bits 0 and 1": _bop(result=lambda w, m, s: ((w + 1) / 2, BopState(m))),
    "returns m for w": _bop(result=lambda w, m, s: (m, BopState(m))),
    "NaN": _bop(lambda m, g, y: (1 - y) * m + y * g + np.where(g > 1, np.float32(np.nan), 0)),
    "three things": _bop(result=lambda w, m, s: (w, BopState(m), 0)),
    "in place": in_place,
    "weights in place": in_place_weights,
    "gradient in place": spoils_gradient,
    "shared buffer": shared_buffer(),
    "first gamma remembered": remembers_first_gamma(),
    "m kept inside": keeps_m_itself(),
    "bias correction": bias_corrected(),
    "forgets after 500 calls": forgets_after(500),
    "flips in float64": flips_in_float64,
    "rarely wrong": rarely_wrong(0),
    "ties of single weights": _bop(
        flips=lambda w, m, t, s, g: (w * m > t) | ((w * m == t) & (w.size == 1))
    ),
    "ties in convolutions": _bop(
        flips=lambda w, m, t, s, g: (w * m > t) | ((w * m == t) & (w.ndim == 4))
    ),
    "large arrays": _bop(flips=lambda w, m, t, s, g: (w * m > t) & (w.size <= 5000)),
    "last entry": last_entry_stuck,
    "no flip without gradient": _bop(flips=lambda w, m, t, s, g: (w * m > t) & (g != 0)),
    "large m never flip": _bop(flips=lambda w, m, t, s, g: (w * m > t) & (w * m < 1e3)),
    "threshold doubled": _bop(flips=lambda w, m, t, s, g: w * m > 2 * t),
    "half precision threshold": _bop(
        flips=lambda w, m, t, s, g: w * m > np.float32(np.float16(min(t, np.float32(6e4))))
    ),
    "gamma 1 read as off": _bop(lambda m, g, y: m if y == 1 else (1 - y) * m + y * g),
    "raises": lambda w, g, state, *, gamma, threshold: 1 / 0,
    "raises at 0": wants_a_threshold,
    "other argument": lambda w, g, state, *, lr, threshold: (w, state),
    "no keywords": lambda w, g, state: (w, state),
    "returns nothing": lambda w, g, state, *, gamma, threshold: None,
}


# -- wrong latent SGD ------------------------------------------------------------------------------


def _sgd(update):
    return lambda latent, g, state, *, lr, weight_decay: (
        update(latent, g, lr, weight_decay),
        state,
    )


def hidden_momentum(latent, g, state, *, lr, weight_decay):
    velocity = np.float32(0.9) * state.velocity + g
    return (1 - lr * weight_decay) * latent - lr * velocity, LatentSGDState(velocity)


def sgd_in_place(latent, g, state, *, lr, weight_decay):
    latent *= 1 - lr * weight_decay
    latent -= lr * g
    return latent, state


def _double_update(w, g, lr, lam):
    w, g, lr, lam = w.astype(np.float64), g.astype(np.float64), float(lr), float(lam)
    return ((1 - lr * lam) * w - lr * g).astype(np.float32)


SGD = {
    "coupled": coupled_sgd,
    "no decay": _sgd(lambda w, g, lr, lam: w - lr * g),
    "decay without rate": _sgd(lambda w, g, lr, lam: (1 - lam) * w - lr * g),
    "decay grows": _sgd(lambda w, g, lr, lam: (1 + lr * lam) * w - lr * g),
    "decay afterwards": _sgd(lambda w, g, lr, lam: (1 - lr * lam) * (w - lr * g)),
    "decay of the sign": _sgd(lambda w, g, lr, lam: w - lr * (g + lam * np.sign(w))),
    "decay of the gradient": _sgd(lambda w, g, lr, lam: w - (1 - lr * lam) * lr * g),
    "squared rate": _sgd(lambda w, g, lr, lam: (1 - lr * lam) * w - lr * lr * g),
    "ascent": _sgd(lambda w, g, lr, lam: (1 - lr * lam) * w + lr * g),
    "clipped": _sgd(lambda w, g, lr, lam: np.clip((1 - lr * lam) * w - lr * g, -1, 1)),
    "masked": _sgd(lambda w, g, lr, lam: (1 - lr * lam) * w - lr * np.where(abs(w) <= 1, g, 0 * g)),
    "rate 0 read as unset": _sgd(
        lambda w, g, lr, lam: (
            (1 - (lr or np.float32(0.01)) * lam) * w - (lr or np.float32(0.01)) * g
        )
    ),
    "decay 0 read as unset": _sgd(
        lambda w, g, lr, lam: (1 - lr * (lam or np.float32(1e-4))) * w - lr * g
    ),
    "float64 inside": _sgd(_double_update),
    "three terms": _sgd(lambda w, g, lr, lam: w - lr * lam * w - lr * g),
    "sign descent": _sgd(lambda w, g, lr, lam: (1 - lr * lam) * w - lr * np.sign(g)),
    "hidden momentum": hidden_momentum,
    "in place": sgd_in_place,
    "returns bits": _sgd(lambda w, g, lr, lam: np.sign((1 - lr * lam) * w - lr * g)),
    "float64": _sgd(lambda w, g, lr, lam: ((1 - lr * lam) * w - lr * g).astype(np.float64)),
    "state not returned": lambda latent, g, state, *, lr, weight_decay: latent - lr * g,
    "other argument": lambda latent, g, state, *, lr, decay: (latent, state),
    "gradient averaged": _sgd(lambda w, g, lr, lam: (1 - lr * lam) * w - lr * g.mean()),
    "nothing": _sgd(lambda w, g, lr, lam: w),
}


# -- right by another dialect than the one claimed: (step, claimed, rows that must fail) -----------


def larq_to_minus(w, g, state, *, gamma, threshold):
    """Larq's formula with sign(0) = -1."""
    m = state.m + gamma * (g - state.m)
    return np.where(-np.sign(w * m - threshold) * w <= 0, -1, 1).astype(w.dtype), BopState(m)


DIALECTS = {
    "strict for inclusive": (plain_bop, {"rule": "inclusive"}, "bop.ties"),
    "strict for larq": (plain_bop, {"rule": "larq"}, "bop.ties E4"),
    "inclusive for larq": (inclusive_bop, {"rule": "larq"}, "bop.ties"),
    "larq for strict": (authors_bop, {}, "bop.ties E4"),
    "convex for lerp": (plain_bop, {"average": "lerp"}, "bop.average E4"),
    "lerp for convex": (larq_bop, {"rule": "larq"}, "bop.average E4"),
    "larq and lerp for the defaults": (larq_bop, {}, "bop.average bop.ties"),
    "dead weights flip": (BOP["inclusive for strict"], {"rule": "inclusive"}, "bop.ties"),
    "size alone": (_bop(flips=lambda w, m, t, *_: abs(m) >= t), {"rule": "inclusive"}, "bop.rule"),
    "larq, ties to -1": (larq_to_minus, {"rule": "larq", "average": "lerp"}, "bop.ties"),
}

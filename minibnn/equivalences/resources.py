"""What training costs: E12 (numbers stored per weight) and E13 (many workers)."""

import numpy as np

from minibnn import optim
from minibnn.equivalences.cases import (
    QUARTERS,
    RATES,
    WHOLE,
    Loop,
    always,
    gradients,
    sizes,
)
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.nn import Parameter
from minibnn.optim import BopState

# -- E12 -------------------------------------------------------------------------------------------

# Reals of state per weight, and whether the bit itself has to be kept beside them.
STORED = {
    "LatentSGD": (1, False, lambda: optim.LatentSGD()),
    "LatentSGD with momentum": (2, False, lambda: optim.LatentSGD(momentum=0.9)),
    "LatentAdam": (3, False, lambda: optim.LatentAdam()),
    "InertiaSGD": (1, True, lambda: optim.InertiaSGD()),
    "Bop": (1, True, lambda: optim.Bop()),
    "Bop2ndOrder": (2, True, lambda: optim.Bop2ndOrder()),
    "CEMA": (2, True, lambda: optim.CEMA()),
    "SchmittSGD": (1, True, lambda: optim.SchmittSGD()),
    "DoubleWellSGD": (1, False, lambda: optim.DoubleWellSGD()),
}


def measured_bytes(make, shape=(32, 32)):
    """Bytes of state per weight, from a real optimizer after a step on a real parameter."""
    p = Parameter("kernel", np.ones(shape, np.int8), binary=True)
    p.grad = np.ones(shape, np.float32)
    optimizer = make()
    optimizer.step([p])
    return optimizer.state_bytes() / p.size


def storage_table():
    """Rows of (optimizer, measured bytes of state per weight, reals, bit kept beside them)."""
    return [(name, measured_bytes(make), reals, bit) for name, (reals, bit, make) in STORED.items()]


def _storage_cases(draw, steps):
    if draw.flag():
        return {
            "part": "count",
            "optimizer": draw.choice(tuple(STORED)),
            "shape": draw.values((3, 1, 2, 5), 2),
        }
    n, length = sizes(draw)
    case = {"part": "bit", "gamma": draw.choice(RATES), "threshold": 0}
    case |= {"bits": draw.values((1, -1), n), "m": draw.values(QUARTERS, n)}
    return case | {"gradients": gradients(draw, n, length, WHOLE)}


def _check_storage(case, run):
    if case["part"] == "count":
        reals, _, make = STORED[case["optimizer"]]
        found = measured_bytes(make, tuple(case["shape"])) / 4
        run.row(optimizer=case["optimizer"], reals=found)
        return run.same(f"reals per weight of {case['optimizer']}", found, case.get("reals", reals))
    loop = Loop(case)
    w, state = run.signs(case["bits"], loop.exact), BopState(loop.array(case["m"]))
    threshold = loop.number(case["threshold"])
    for t in range(loop.steps):
        g = loop.gradient(t, w)
        hyper = {"gamma": loop.number(case["gamma"]), "threshold": threshold}
        w, state = run.steps.bop_step(w, g, state, **hyper)
        known = state.m != 0
        run.tie(~known)
        run.row(step=t + 1, g=g, m=state.m, bits=w)
        run.same(f"bits and -sgn(m) after step {t + 1}", w[known], run.bits(-state.m)[known])


E12 = Entry(
    id="E12",
    title="Numbers stored per weight",
    statement=(
        "Latent SGD 1 real, with momentum 2, Adam 3; Bop 1 and the bit, Bop2ndOrder and the "
        "cascade 2 and the bit. At tau = 0 Bop's bit is -sgn(m) wherever m is not 0, so it is "
        "redundant there."
    ),
    preconditions="counted on the optimizers' own state; redundant only at tau = 0",
    exactness="B",
    proof="b m > 0 flips, so after a step b m <= 0.",
    source="Helwegen et al. 2019, section 4; their code keeps b as float32, so 2 reals",
    make=_storage_cases,
    run_case=_check_storage,
    example={"part": "count", "optimizer": "Bop", "shape": [3, 3]},
    counterexamples=(
        Counterexample(
            "tau = 1: the bit is not in m",
            {
                "part": "bit",
                "gamma": 0.5,
                "threshold": 1,
                "bits": [1],
                "m": [0],
                "gradients": always(1),
            },
        ),
        Counterexample(
            '"Adam stores the two averages": and the latent weight',
            {"part": "count", "optimizer": "LatentAdam", "shape": [2, 2], "reals": 2},
        ),
    ),
)


# -- E13 -------------------------------------------------------------------------------------------


def _parallel_cases(draw, steps):
    numbers = draw.choice(("float32", "fraction"))
    workers = draw.choice((2, 4) if numbers == "float32" else (2, 3))
    per_worker = draw.choice((1, 2))
    n, length = sizes(draw)
    n = min(n, 2)
    samples = [workers * per_worker]
    return {
        "numbers": numbers,
        "part": draw.choice(("mean gradient", "mean average")),
        "shards": [per_worker] * workers,
        "threshold": draw.choice((0, 0.5, 0.25)),
        "bits": draw.values((1, -1), n),
        "samples": [gradients(draw, n, min(length, 4), WHOLE) for _ in range(samples[0])],
    }


def _check_parallel(case, run):
    """Bop on the mean over all samples, and on the mean of the workers' means."""
    samples = [Loop({**case, "gradients": table}) for table in case["samples"]]
    loop = samples[0]
    w = v = run.signs(case["bits"], loop.exact)
    zero = loop.array([0] * loop.n)
    state = other = BopState(zero)
    locals_ = [BopState(zero) for _ in case["shards"]]
    hyper = {"gamma": loop.number(0.5), "threshold": loop.number(case["threshold"])}
    for t in range(loop.steps):
        each = [sample.gradient(t, w) for sample in samples]
        w, state = run.steps.bop_step(w, _mean(each, loop), state, **hyper)
        means, done = [], 0
        for size in case["shards"]:
            means.append(_mean(each[done : done + size], loop))
            done += size
        if case["part"] == "mean gradient":
            v, other = run.steps.bop_step(v, _mean(means, loop), other, **hyper)
        elif case["part"] == "mean average":
            locals_ = [
                run.steps.bop_step(v, g, s, **hyper)[1] for g, s in zip(means, locals_, strict=True)
            ]
            v, _ = run.steps.bop_step(
                v,
                _mean([s.m for s in locals_], loop),
                BopState(zero),
                gamma=1,
                threshold=hyper["threshold"],
            )
        else:  # votes on the local flips
            stepped = [
                run.steps.bop_step(v, g, s, **hyper) for g, s in zip(means, locals_, strict=True)
            ]
            locals_ = [s for _, s in stepped]
            v = run.bits(sum(x.astype(int) for x, _ in stepped))
        run.tie(np.abs(state.m) == hyper["threshold"])
        run.row(step=t + 1, mean=_mean(each, loop), m=state.m, bits=w, workers=v)
        run.same(f"bits of one worker and of {len(case['shards'])} after step {t + 1}", w, v)


def _mean(arrays, loop):
    total = arrays[0]
    for x in arrays[1:]:
        total = total + x
    return total / loop.number(len(arrays))


def _parallel_case(per_sample, shards, part="mean gradient", numbers="float32", threshold=0.5):
    """``per_sample[s]`` are the gradients of sample s at the steps."""
    case = {"numbers": numbers, "part": part, "shards": shards, "threshold": threshold}
    return case | {"bits": [1], "samples": [always(*g) for g in per_sample]}


E13 = Entry(
    id="E13",
    title="Data parallel training is training on the whole batch",
    statement=(
        "The mean of K workers' mean gradients is the mean over the batch; averaging the workers' "
        "m is averaging their gradients."
    ),
    preconditions=(
        "equal shards (or weights by size), losses per sample, no batch statistics; in float32 "
        "exact partial sums"
    ),
    exactness="Q, B",
    proof="Linearity of the mean and of the moving average.",
    source="Helwegen et al. 2019, algorithm 2 (the 1/K)",
    make=_parallel_cases,
    run_case=_check_parallel,
    example=_parallel_case([(3, 1, -4), (1, 1, 0)], [1, 1]),
    counterexamples=(
        Counterexample(
            "shards of 1 and 3 samples, all workers weighted alike",
            _parallel_case([(4,), (0,), (0,), (0,)], [1, 3], threshold=0.75),
        ),
        Counterexample(
            "a vote on local flips",
            _parallel_case([(8,), (0,), (0,)], [1, 1, 1], "vote", "fraction"),
        ),
        Counterexample(
            "float32 sums that round: 0.1 + 0.2 + 0.3 in another order",
            _parallel_case([(2**24,), (1,), (1,), (-(2**24),)], [2, 2], threshold=0.0),
        ),
    ),
)

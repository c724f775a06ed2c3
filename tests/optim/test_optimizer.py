"""The classes: state per parameter, what is checked before anything is written, round trips."""

import json
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import optim
from minibnn.errors import InputError
from minibnn.nn.layers.layer import Parameter
from minibnn.ops.bits import binarize

TEXTS = [
    "bop:gamma=0.3,threshold=0.1",
    "bop:gamma=step:0.3:0.5:2ep,threshold=linear:0.1:0,rule=larq,average=lerp,initial=0.25",
    "latent-sgd:lr=0.3",
    "latent-sgd:lr=cosine:0.3:0,momentum=0.9,weight_decay=0.1,decay=coupled,clip=none,ste_clip=1",
    "latent-adam:lr=0.05,lr_scaling=glorot,seed=3",
    "bop2nd:gamma=0.3,sigma=0.1,threshold=0.5,form=unbiased",
    "cema:gamma=0.3,alpha=exp:0.2:0.5:5",
    "inertia-sgd:lr=0.3,momentum=0.5",
    "schmitt-sgd:lr=0.3,weight_decay=0.5,deadband=0.1",
    "schmitt-sgd:lr=0.5,weight_decay=0.01,deadband=linear:2:0",
    "double-well-sgd:lr=0.3,weight_decay=0.5,deadband=0.1",
    "double-well-sgd:lr=0.5,weight_decay=0.01,deadband=linear:2:0",
    "double-well-sgd:lr=0.3,weight_decay=0.5,deadband=0.1,jump=bottom",
    "bold:lr=0.5",
    "diode:lr=0.5,beta_1=0.5,beta_2=0.9",
    "latent-direction:direction=adamw,lr=0.01,weight_decay=0.5,clip=1",
    "directed-bop:direction=nesterov,gamma=0.3,threshold=0.1",
    "integer-bop:shift=3,threshold=5,unit=0.03125",
    "sgd:lr=0.1,momentum=0.9",
    "sgd",
    "adam:lr=0.1",
]
every_optimizer = pytest.mark.parametrize("text", TEXTS)


def test_a_step_of_ones_own_is_never_taken_for_the_kernel_of_its_name():
    def bop_step(w, g, state, *, gamma, threshold):
        return w, state

    assert type("Mine", (optim.Bop,), {"step_function": bop_step}).update == ""


def parameters(binary=True, seed=0):
    random = np.random.default_rng(seed)
    shapes = {"conv1/kernel": (3, 3, 4, 5), "dense2/kernel": (7, 3)}
    if not binary:
        shapes = {"batch_norm1/beta": (5,), "dense3/kernel": (3, 4)}
    draw = (lambda s: random.choice([-1, 1], s)) if binary else (lambda s: random.normal(size=s))
    return [Parameter(name, draw(shape), binary) for name, shape in shapes.items()]


def give_gradients(ps, step):
    for i, p in enumerate(ps):
        p.grad = np.random.default_rng([step, i]).normal(size=p.shape).astype(np.float32)


def make(text):
    optimizer = optim.parse_optimizer(text).bind(steps_per_epoch=3, total_steps=12)
    return optimizer, parameters(optimizer.trains == "binary")


def run(optimizer, ps, steps):
    flips = []
    for step in steps:
        give_gradients(ps, step)
        flips.append(optimizer.step(ps))
    return flips


def values(ps):
    return {p.name: p.value.copy() for p in ps}


def assert_equal_dicts(ours, theirs):
    assert list(ours) == list(theirs)
    for name in ours:
        assert ours[name].dtype == theirs[name].dtype
        assert_array_equal(ours[name], theirs[name], err_msg=name)


def assert_flips_are_counted(flips, before, after, trains):
    if trains == "real":
        assert flips == {}
        assert all((before[name] != after[name]).any() for name in after)
        return
    assert flips == {name: int((before[name] != after[name]).sum()) for name in after}
    assert all(type(n) is int for n in flips.values())
    assert all(set(np.unique(w)) <= {-1, 1} for w in after.values())


@every_optimizer
def test_flips_are_counted_and_backends_agree_bit_for_bit(text, use_backend):
    results = []
    for name in ("reference", "numba"):
        use_backend(name)
        optimizer, ps = make(text)
        seen = [values(ps)]
        for step in range(8):
            (flips,) = run(optimizer, ps, [step])
            seen.append(values(ps))
            assert_flips_are_counted(flips, *seen[-2:], optimizer.trains)
        assert optimizer.iterations == 8
        results.append((seen, optimizer.state_dict()))
    for ours, theirs in zip(*(seen for seen, _ in results), strict=True):
        assert_equal_dicts(ours, theirs)
    assert_equal_dicts(results[0][1], results[1][1])


@every_optimizer
def test_resumed_equals_uninterrupted(text, each_backend):
    """A copy, and state and configuration through JSON and arrays alone, also others' arrays."""
    optimizer, ps = make(text)
    run(optimizer, ps, range(4))
    state, config = optimizer.state_dict(), json.loads(json.dumps(optimizer.config()))
    kept = {name: array.copy() for name, array in state.items()}
    transposed_doubles = {
        name: a if a.dtype.kind == "i" else np.asfortranarray(a, np.float64)
        for name, a in state.items()
    }
    twins = [optimizer.copy()]
    for arrays in (state, transposed_doubles):
        twins.append(optim.from_config(config).bind(3, 12))
        twins[-1].load_state_dict(arrays)
    own = [[Parameter(p.name, p.value, p.binary) for p in ps] for _ in twins]
    flips = run(optimizer, ps, range(4, 10))
    assert_equal_dicts(state, kept)
    assert_equal_dicts(twins[0].state_dict(), kept)  # no memory is shared
    for twin, qs in zip(twins, own, strict=True):
        assert run(twin, qs, range(4, 10)) == flips
        assert_equal_dicts(values(qs), values(ps))
        assert_equal_dicts(twin.state_dict(), optimizer.state_dict())
        assert twin.config() == optimizer.config() == config


@every_optimizer
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_stops_before_anything_is_written(text, bad, each_backend):
    optimizer, ps = make(text)
    run(optimizer, ps, range(2))
    before, state = values(ps), optimizer.state_dict()
    give_gradients(ps, 2)
    ps[1].grad.flat[-1] = bad
    with pytest.raises(optim.NonFiniteError, match=ps[1].name) as caught:
        optimizer.step(ps)
    assert caught.value.parameter == ps[1].name
    assert isinstance(caught.value, ArithmeticError)
    assert_equal_dicts(values(ps), before)
    assert_equal_dicts(optimizer.state_dict(), state)


def test_a_gradient_whose_squares_are_too_large_is_one():
    optimizer, ps = make("bop:gamma=0.5,threshold=0.1")
    give_gradients(ps, 0)
    ps[1].grad[...] = 1e30 * ps[1].value
    assert optimizer.step(ps)[ps[1].name] == ps[1].size


@every_optimizer
def test_wrong_kind_of_parameter(text):
    optimizer = optim.parse_optimizer(text)
    wrong = parameters(optimizer.trains != "binary")
    give_gradients(wrong, 0)
    message = f"{optimizer.kind} trains {optimizer.trains} parameters, and {wrong[0].name} is"
    with pytest.raises(InputError, match=message):
        optimizer.step(wrong)


def test_missing_and_misshapen_gradients():
    optimizer, ps = make("bop")
    with pytest.raises(InputError, match="conv1/kernel has no gradient yet"):
        optimizer.step(ps)
    give_gradients(ps, 0)
    ps[1].grad = ps[1].grad.T
    with pytest.raises(InputError, match=r"dense2/kernel must have shape \(7, 3\), found \(3, 7\)"):
        optimizer.step(ps)


def test_a_state_of_another_shape_is_refused_at_the_next_step():
    optimizer, ps = make("bop")
    run(optimizer, ps, [0])
    optimizer.load_state_dict(optimizer.state_dict() | {"dense2/kernel/m": np.zeros((2, 2))})
    with pytest.raises(InputError, match=r"kernel/m must have shape \(7, 3\), found \(2, 2\)"):
        optimizer.step(ps)


@pytest.mark.parametrize("text", TEXTS[:6])  # those with kernels
def test_steady_state_allocates_no_arrays(text, use_backend):
    use_backend("numba")
    optimizer = optim.parse_optimizer(text).bind(3, 12)
    n = 300_000
    p = Parameter("kernel", np.ones((n // 3, 3)), optimizer.trains == "binary")
    p.grad = np.random.default_rng(0).normal(size=p.shape).astype(np.float32)
    optimizer.step([p])
    tracemalloc.start()
    try:
        optimizer.step([p])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n / 2


@pytest.mark.parametrize("text", ["sgd", "latent-sgd", "inertia-sgd"])
def test_momentum_cannot_begin_or_end_in_the_middle(text):
    optimizer, ps = make(text)
    optimizer.momentum = 0.5
    run(optimizer, ps, range(2))
    optimizer.momentum = 0.25
    with pytest.raises(InputError, match=rf"{text}: momentum, .* cannot become 0.0 from 0.25"):
        optimizer.momentum = 0
    assert optimizer.momentum == 0.25
    run(optimizer, ps, [2])


@pytest.mark.parametrize(
    "text", ["bop", "latent-sgd", "inertia-sgd", "schmitt-sgd", "double-well-sgd"]
)
def test_transposed_start_arrays(text, each_backend):
    starts = np.random.default_rng(0).uniform(0, 1, (3, 7)), np.ones((5, 4, 3, 3))
    initial = {"dense2/kernel": starts[0].T, "conv1/kernel": starts[1].T}
    optimizer, ps = make(text)
    optimizer.initial = initial
    run(optimizer, ps, range(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": np.int64(-5)}, "bop: state iterations must be an integer from 0 on"),
        ({"iterations": np.float64(5)}, "bop: state iterations must be an integer from 0 on"),
        ({"dense2/kernel/m": np.full((7, 3), np.nan)}, "dense2/kernel/m must be finite numbers"),
        ({"dense2/kernel/m": np.full((7, 3), 1j)}, "dense2/kernel/m must be finite numbers"),
        ({"dense2/kernel/m": np.full((7, 3), "0")}, "dense2/kernel/m must be finite numbers"),
        ({"dense2/kernel/v": np.ones((7, 3))}, "state of dense2/kernel must be m; found m, v"),
        ({"stray": np.zeros(3)}, "bop: state has no entry 'stray'"),
    ],
)
def test_a_state_no_step_leaves_behind(change, message):
    optimizer, ps = make("bop")
    run(optimizer, ps, range(2))
    before = optimizer.state_dict()
    with pytest.raises(InputError, match=message):
        optimizer.load_state_dict(before | change)
    assert_equal_dicts(optimizer.state_dict(), before)


def test_inertia_is_the_callers_to_keep():
    optimizer, ps = make("inertia-sgd:lr=0.3")
    run(optimizer, ps, [0])
    kept = optimizer.inertia(ps[0]).values
    copied = kept.copy()
    run(optimizer, ps, [1])
    assert_array_equal(kept, copied)


def test_schedules_count_updates_from_zero(each_backend):
    """gamma 1, 1, 1/2, 1/2: m = 1, 0, then 1/2 * 0 + 1/2 * 4, then halved."""
    bop = optim.Bop(gamma=optim.ExponentialDecay(1.0, 0.5, "1ep", staircase=True), threshold=9)
    p = Parameter("kernel", np.ones((1, 1)), True)
    p.grad = np.ones((1, 1), np.float32)
    with pytest.raises(InputError, match=r"counts epochs or the run: call bind"):
        bop.step([p])
    bop.bind(steps_per_epoch=2, total_steps=100)
    seen = []
    for g in (1, 0, 4, 0):
        p.grad = np.full((1, 1), g, np.float32)
        bop.step([p])
        seen.append(bop.state_dict()["kernel/m"].item())
    assert seen == [1, 0, 2, 1]
    assert bop.config()["gamma"] == "step:1.0:0.5:1ep"


def test_bop_starts_its_average_where_it_is_told():
    p = Parameter("kernel", np.ones((2, 2)), True)
    bop = optim.Bop(initial={"kernel": [[1, -2], [3, -4]]})
    bop.prepare([p])
    assert_array_equal(bop.state_dict()["kernel/m"], np.float32([[1, -2], [3, -4]]))
    bop = optim.Bop(initial=-0.5)
    bop.prepare([p])
    assert_array_equal(bop.state_dict()["kernel/m"], np.full((2, 2), -0.5, np.float32))
    assert bop.iterations == 0
    with pytest.raises(InputError, match=r"shape \(2, 2\), found \(3,\)"):
        optim.Bop(initial={"kernel": [1, 2, 3]}).prepare([p])


def test_start_arrays_come_back_with_the_state_and_not_with_the_configuration():
    p = Parameter("kernel", np.ones((2, 2)), True)
    bop = optim.Bop(initial={"kernel": np.ones((2, 2))})
    bop.prepare([p])
    again = optim.from_config(json.loads(json.dumps(bop.config())))
    with pytest.raises(InputError, match="load a state"):
        again.prepare([p])
    again.load_state_dict(bop.state_dict())
    again.prepare([p])


def test_latent_signs_agree_with_the_network_after_every_step(each_backend):
    for text in ("latent-sgd:lr=0.5,momentum=0.5", "latent-adam:lr=0.2"):
        optimizer, ps = make(text)
        for step in range(5):
            run(optimizer, ps, [step])
            for p in ps:
                latent = optimizer.state_dict()[f"{p.name}/latent"]
                assert_array_equal(binarize(latent), p.value)
                assert np.abs(latent).max() <= 1


@pytest.mark.parametrize(
    ("deadband", "threshold", "longer", "higher"),
    [
        ("step:8:0.5:10", "step:2:0.5:10", "step:8:0.5:40", "step:2:0.5:40"),
        ("linear:0:8:32", "linear:0:2:32", "linear:0:8:64", "linear:0:2:64"),
    ],
)
def test_twins_are_bop_while_the_threshold_changes(
    deadband, threshold, longer, higher, each_backend
):
    """E8 while the threshold moves. Integers and powers of two, so that nothing rounds."""
    lam, rng = 0.25, np.random.default_rng(0)
    twins = {"lr": 0.5, "weight_decay": lam, "deadband": deadband}
    optimizers = [
        optim.Bop(gamma=0.5 * lam, threshold=threshold),
        optim.SchmittSGD(**twins),
        optim.DoubleWellSGD(**twins),
    ]
    start, flips = rng.choice([-1, 1], (50, 1)), 0
    kernels = [Parameter("kernel", start, True) for _ in optimizers]
    for step in range(40):
        if step == 20:  # taken up by a longer run
            optimizers[0].threshold, twins["deadband"] = higher, longer
            states = [o.state_dict() for o in optimizers[1:]]
            optimizers[1:] = optim.SchmittSGD(**twins), optim.DoubleWellSGD(**twins)
            for optimizer, state in zip(optimizers[1:], states, strict=True):
                optimizer.load_state_dict(state)
        g = rng.integers(-12, 13, (50, 1)).astype(np.float32)
        for optimizer, kernel in zip(optimizers, kernels, strict=True):
            kernel.grad = g
            flips += optimizer.step([kernel])["kernel"]
        assert_array_equal(kernels[1].value, kernels[0].value)
        assert_array_equal(kernels[2].value, kernels[0].value)
    assert flips > 100

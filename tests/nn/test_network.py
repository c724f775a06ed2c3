"""Sequential: names, gradients through many layers, state, and what may be kept."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import deploy, nn, zoo
from minibnn.errors import InputError
from minibnn.ops.bits import pack_signs

pytestmark = pytest.mark.usefixtures("reference_backend")


def small(seed=0):
    return nn.Sequential(
        [
            nn.BinaryConv2D(5, 3, padding="valid"),
            *(nn.BatchNorm(), nn.Sign()),
            *(nn.BinaryConv2D(33, 3), nn.MaxPool2D(2), nn.BatchNorm()),
            nn.Residual([nn.Sign("approx_sign"), nn.BinaryConv2D(33, 3), nn.BatchNorm(scale=True)]),
            *(nn.Sign(), nn.Flatten()),
            *(nn.BinaryDense(7), nn.BatchNorm(), nn.ReLU(), nn.Dense(4)),
        ],
        (8, 8, 3),
        seed=seed,
        name="small",
    )


def batch(n=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8), rng.integers(0, 4, n)


def trained_a_little(net):
    """Moving statistics and betas away from their start."""
    rng = np.random.default_rng(5)
    for _ in range(3):
        net.forward(batch(seed=rng.integers(99))[0], training=True)
    for p in net.parameters():
        if not p.binary:
            p.assign(rng.standard_normal(p.shape))
    return net


def test_names_are_unique_and_in_layer_order():
    assert [p.name for p in small().parameters()] == [
        *("conv1/kernel", "batch_norm1/beta", "conv2/kernel", "batch_norm2/beta", "conv3/kernel"),
        *("batch_norm3/gamma", "batch_norm3/beta", "dense1/kernel", "batch_norm4/beta"),
        *("dense2/kernel", "dense2/bias"),
    ]


def test_the_seed_draws_the_kernels():
    kernels = [small(seed).parameters()[4].value for seed in (0, 0, 1)]
    assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()


def test_backward_overwrites_every_gradient():
    net = small()
    x, labels = batch()
    assert all(p.grad is None for p in net.parameters())
    grads = []
    for _ in range(2):
        logits = net.forward(x, training=True)
        _, dlogits = nn.softmax_cross_entropy(logits, labels)
        assert net.backward(dlogits) is None
        grads.append([p.grad.copy() for p in net.parameters()])
    for p, a, b in zip(net.parameters(), *grads, strict=True):
        assert p.grad.shape == p.shape
        assert p.grad.dtype == np.float32
        assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(5, 4), (7, 4), (6, 3), (6,), (24,)])
def test_a_gradient_of_another_batch_is_refused(shape):
    net, (x, _) = small(), batch()
    with pytest.raises(InputError, match=r"^dy must have shape \(0, 4\), found \(6, 4\)"):
        net.backward(np.ones((6, 4), np.float32))
    net.forward(x, training=True)
    with pytest.raises(InputError, match=r"^dy must have shape \(6, 4\), found "):
        net.backward(np.ones(shape, np.float32))
    assert all(p.grad is None for p in net.parameters())


def test_a_gradient_of_integers_counts_as_floats():
    net, (x, _), dy = small(), batch(), np.arange(24).reshape(6, 4) % 7
    grads = []
    for given in (dy.astype(np.float32), dy, dy.tolist()):
        net.forward(x, training=True)
        net.backward(given)
        grads.append(np.concatenate([p.grad.ravel() for p in net.parameters()]))
    assert_array_equal(grads[1:], grads[:1] * 2)


def test_gradients_of_a_network_by_hand():
    """sign(x w1) w2, no normalisation: dw1 = x^T (dy w2^T where |x w1| <= 1)."""
    net = nn.Sequential([nn.BinaryDense(3), nn.Sign(), nn.BinaryDense(2)], (2,))
    w1, w2 = np.array([[1, -1, 1], [1, 1, -1]]), np.array([[1, -1], [1, 1], [-1, 1]])
    for p, w in zip(net.parameters(), (w1, w2), strict=True):
        p.assign(w)
    x = np.float32([[0.5, 0.25], [-1, 0.5]])  # x w1 = (.75, -.25, .25), (-.5, 1.5, -1.5)
    y = net.forward(x)
    assert_array_equal(y, [[-1, -1], [1, 1]])  # signs (+ - +), (- + -)
    dy = np.float32([[1, 2], [3, 4]])
    dx = net.backward(dy, need_dx=True)
    dh = dy @ w2.T * [[1, 1, 1], [1, 0, 0]]
    assert_array_equal(net.parameters()[0].grad, x.T @ dh)
    assert_array_equal(net.parameters()[1].grad, np.array([[1, -1, 1], [-1, 1, -1]]).T @ dy)
    assert_array_equal(dx, dh @ w1.T)


def test_nothing_is_computed_before_the_first_parameter():
    class Watched(nn.Flatten):
        asked = 0

        def backward(self, dy, need_dx=True):
            self.asked += need_dx
            return super().backward(dy, need_dx)

    watched = Watched()
    net = nn.Sequential([watched, nn.BinaryDense(2), nn.BatchNorm()], (2, 2, 1))
    dy = np.ones((3, 2), np.float32)
    net.forward(np.zeros((3, 2, 2, 1), np.float32), training=True)
    assert net.backward(dy) is None
    assert watched.asked == 0
    nothing = nn.Sequential([], (2,))
    assert nothing.backward(nothing.forward(dy)) is None
    assert net.backward(dy, need_dx=True).shape == (3, 2, 2, 1)
    assert watched.asked == 1


def test_predict_is_evaluation_whatever_the_batch_size():
    net = trained_a_little(small())
    x, _ = batch(11)
    whole = net.forward(x)
    state = net.state_dict()
    for size in (1, 4, 11, 100):
        assert_array_equal(net.predict(x, batch_size=size), whole)
    assert net.predict(x[:0]).shape == (0, 4)
    for name, value in net.state_dict().items():
        assert_array_equal(value, state[name])
    assert (net.forward(x, training=True) != whole).any()
    net = nn.Sequential([nn.BinaryConv2D(65, (1, 2), (2, 2), "valid")], (13, 2, 32))
    f = np.random.default_rng(0).normal(size=(31, 13, 2, 32)).astype(np.float32, order="F")
    assert_array_equal(net.predict(f, batch_size=1), net.predict(f, batch_size=31))


def test_a_last_layer_gives_floats_in_evaluation_whatever_the_gradients():
    """Of bytes it hands on integers in training; test_gradients has networks that end otherwise."""
    net = nn.Sequential([nn.BinaryConv2D(3, 3)], (8, 8, 3))
    x, _ = batch()
    expected = net.forward(x)
    net.gradients = "int8"
    found = net.forward(x)
    assert found.dtype == expected.dtype == np.float32
    assert_array_equal(found, expected)


def test_inputs_stay_untouched_and_results_are_the_callers():
    net = small()
    x, labels = batch()
    before = x.copy()
    logits = net.forward(x, training=True)
    dlogits = nn.softmax_cross_entropy(logits, labels)[1]
    given = dlogits.copy()
    dx = net.backward(dlogits, need_dx=True)
    assert_array_equal(x, before)
    assert_array_equal(dlogits, given)
    kept = logits.copy(), dx.copy()
    other = net.forward(batch(seed=1)[0], training=True)
    net.backward(nn.softmax_cross_entropy(other, labels)[1], need_dx=True)
    assert_array_equal(logits, kept[0])
    assert_array_equal(dx, kept[1])


# -- state ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duplicate", [nn.Sequential.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]
)
def test_a_copy_is_equal_and_independent(duplicate):
    net = trained_a_little(small())
    twin = duplicate(net)
    x, labels = batch()
    assert twin.name == "small"
    assert_array_equal(twin.predict(x), net.predict(x))
    before = net.state_dict()
    _, dlogits = nn.softmax_cross_entropy(twin.forward(x, training=True), labels)
    twin.backward(dlogits)
    for p in twin.parameters():
        p.assign(-p.value)
    for name, value in net.state_dict().items():
        assert_array_equal(value, before[name])
    for p, q in zip(twin.parameters(), net.parameters(), strict=True):
        assert_array_equal(p.value, -q.value)
    assert (twin.predict(x) != net.predict(x)).any()  # what is computed with follows


def test_the_state_of_a_network():
    net = trained_a_little(small())
    state = net.state_dict()
    assert state["conv2/kernel"].dtype == np.int8
    assert state["batch_norm1/moving_variance"].dtype == np.float32
    state["batch_norm1/moving_mean"][...] = 0  # copies
    state["conv2/kernel"][...] = 1
    assert net.state_dict()["batch_norm1/moving_mean"].any()
    assert (net.parameters()[2].value == -1).any()
    other = small(seed=1)
    versions = [p.version for p in other.parameters()]
    other.load_state_dict(net.state_dict())
    assert_array_equal(other.predict(batch()[0]), net.predict(batch()[0]))
    assert not {p.version for p in other.parameters()} & {*versions}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv2/kernel"), "array conv2/kernel is missing"),
        (lambda s: s.update(extra=np.ones(3)), "array extra is not part of this network"),
        (lambda s: s.update({"dense2/bias": np.ones(3)}), r"dense2/bias must have shape \(4,\)"),
        (lambda s: s.update({"dense1/kernel": s["dense1/kernel"] * 0}), r"must be \+1 or -1"),
        (
            lambda s: s.update({"batch_norm4/moving_mean": np.ones(3)}),
            r"batch_norm4/moving_mean must have shape \(7,\), found \(3,\)",
        ),
        (
            lambda s: s.update({"batch_norm4/moving_mean": np.full(7, "x")}),
            "batch_norm4/moving_mean must be real numbers, found <U1",
        ),
        (
            lambda s: s.update({"batch_norm4/moving_variance": np.arange(-1.0, 6.0)}),
            "batch_norm4/moving_variance must not be below 0",
        ),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    net, other = small(), small(seed=1)
    state = other.state_dict()
    change(state)
    before = net.state_dict()
    with pytest.raises(InputError, match=message):
        net.load_state_dict(state)
    for name, value in net.state_dict().items():
        assert_array_equal(value, before[name])


def test_arrays_are_known_before_they_are_made():
    layers = [
        nn.Conv2D(3, 3, padding="same", use_bias=False),
        nn.Residual(
            [nn.Sign(), nn.BinaryConv2D(6, 3, 2, kernel_quantizer="magnitude_aware_sign")],
            [nn.AvgPool2D(2), nn.Conv2D(6, 1), nn.BatchNorm(scale=True)],
        ),
        nn.BatchNorm(center=False),
        nn.Flatten(),
        nn.Sign(),
        nn.BinaryDense(4),
        nn.ReLU(),
        nn.Dense(2),
    ]
    net = nn.Sequential(layers, (4, 4, 2))
    found = {name: (np.dtype(dtype), shape) for name, (dtype, shape) in net.arrays().items()}
    assert found == {name: (a.dtype, a.shape) for name, a in net.state_dict().items()}


# -- what a user can get wrong ----------------------------------------------------------------


def test_inputs_need_not_be_arrays():
    net = nn.Sequential([nn.BinaryDense(2)], (3,))
    x = np.random.default_rng(0).standard_normal((2, 3)).round(3)
    assert_array_equal(net.forward(x.tolist()), net.forward(x))
    assert net.forward(pack_signs(x, 1)).dtype == np.int16


def test_layers_that_did_not_fit_may_be_tried_again():
    layers = [nn.BinaryDense(3), nn.BatchNorm()]
    with pytest.raises(InputError, match="Flatten"):
        nn.Sequential(layers, (2, 2, 1))
    with pytest.raises(InputError, match="classes"):
        nn.Sequential(layers, (4,), classes=["one"])
    own = type("Own", (nn.Layer,), {"build": lambda self, *_: 1 / 0})
    with pytest.raises(ZeroDivisionError):
        nn.Sequential([*layers, own()], (4,))
    assert nn.Sequential([nn.Dense(3), layers[1]], (4,)).output_shape == (3,)
    assert layers[1].rounds_for is None  # the binary layer is no longer before it
    assert nn.Sequential(layers[:1], (4,)).output_shape == (3,)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "Sequential", "layers": [{"kind": "LSTM"}], "input_shape": [3]}, "found 'LSTM'"),
        ({"kind": "Sequential", "layers": [{"kind": "Dense", "x": 1}], "input_shape": [3]}, "'x'"),
        ({"kind": "Sequential", "layers": [], "input_shape": [0]}, "input_shape must be positive"),
        ({"kind": "Sequential", "layers": []}, "input_shape"),
    ],
)
def test_configurations_that_make_no_network(config, message):
    with pytest.raises(InputError, match=message):
        nn.Sequential.from_config(config)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_image_that_is_no_number_is_refused(bad, dtype):
    net = zoo.digits_net(filters=4, dense_units=8)  # a sign would hide it
    x = np.zeros((3, 8, 8, 1), dtype)
    x[1, 3, 3] = bad
    for model in (net, deploy.pack(net)):
        for call in (model.predict, model.forward):
            with pytest.raises(InputError, match=r"^inputs must be finite numbers, found NaN or"):
                call(x)
    with pytest.raises(InputError, match="finite"):
        net.forward(x, training=True)


def test_signs_are_predicted_as_they_are_forwarded():
    net = zoo.digits_net(filters=4, dense_units=8)
    x = np.random.default_rng(0).choice(np.int8([-1, 1]), (5, 8, 8, 1))
    for model in (net, deploy.pack(net)):
        assert_array_equal(model.predict(pack_signs(x, 3), 2), model.forward(np.float32(x)))
        assert model.predict(pack_signs(x[:0], 3)).shape == (0, 10)
        with pytest.raises(InputError, match="signs must be packed along their last axis, found 0"):
            model.predict(pack_signs(x, 0))


TOO_MANY = [10**9, 10**12, 10**30, 10**400]


@pytest.mark.parametrize("sizes", [{"filters": n} for n in TOO_MANY] + [{"dense_units": 10**12}])
def test_more_than_there_is_memory_is_refused_at_once(sizes):
    tracemalloc.start()
    with pytest.raises(InputError, match=r"digits: its arrays take [\d,.]+ GB"):
        zoo.digits_net(**sizes)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()

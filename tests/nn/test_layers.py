"""Each layer: its output against naive loops, its gradients against central differences."""

from types import SimpleNamespace

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minibnn import nn
from minibnn.errors import InputError
from minibnn.nn.quantizers import ApproxSign, SteSign, SwishSign, get_quantizer, quantizer_config
from minibnn.ops.bits import Signs, pack_signs

pytestmark = pytest.mark.usefixtures("reference_backend")


def built(layer, input_shape, seed=0):
    """The layer with random parameters, also where it starts with zeros."""
    nn.Sequential([layer], input_shape, seed=seed)
    rng = np.random.default_rng(seed + 1)
    for p in layer.parameters():
        if not p.binary:
            p.assign(rng.standard_normal(p.shape))
        elif p.scale is not None:
            p.rescale(rng.standard_normal(p.shape))
    return layer


SMOOTH = {
    "binary dense": (lambda: nn.BinaryDense(4), (7,)),
    "dense": (lambda: nn.Dense(4), (7,)),
    "dense without bias": (lambda: nn.Dense(4, use_bias=False), (7,)),
    "binary conv": (lambda: nn.BinaryConv2D(3, 3, strides=2), (5, 6, 2)),
    "binary conv ones": (lambda: nn.BinaryConv2D(3, (3, 2), pad_value=1), (5, 4, 2)),
    "conv": (lambda: nn.Conv2D(3, 3, padding="same"), (5, 4, 2)),
    "conv strided": (lambda: nn.Conv2D(3, (2, 3), strides=(2, 1), use_bias=False), (5, 6, 2)),
    "conv with a penalty": (lambda: nn.Conv2D(3, 2, l2=0.3), (4, 5, 2)),
    "dense with a penalty": (lambda: nn.Dense(4, use_bias=False, l2=0.3), (7,)),
    "binary conv scaled": (
        lambda: nn.BinaryConv2D(3, 3, kernel_quantizer="magnitude_aware_sign"),
        (5, 6, 2),
    ),
    "binary dense scaled": (
        lambda: nn.BinaryDense(4, kernel_quantizer="magnitude_aware_sign"),
        (7,),
    ),
    "batch norm": (lambda: nn.BatchNorm(), (3, 2, 2)),
    "batch norm scaled": (lambda: nn.BatchNorm(scale=True), (5,)),
    "batch norm scaled only": (lambda: nn.BatchNorm(scale=True, center=False), (5,)),
    "relu": (lambda: nn.ReLU(), (3, 4)),
    "max pool": (lambda: nn.MaxPool2D(), (5, 4, 2)),
    "max pool same": (lambda: nn.MaxPool2D(3, strides=2, padding="same"), (5, 4, 2)),
    "max pool overlapping": (lambda: nn.MaxPool2D(3, strides=2), (6, 7, 2)),
    "avg pool halving": (lambda: nn.AvgPool2D(2, strides=2, padding="same"), (5, 4, 2)),
    "avg pool": (lambda: nn.AvgPool2D(3, strides=2, padding="same"), (5, 4, 2)),
    "global avg pool": (lambda: nn.GlobalAvgPool2D(), (3, 4, 2)),
    "flatten": (lambda: nn.Flatten(), (3, 4, 2)),
    "residual": (lambda: nn.Residual([nn.Conv2D(2, 3, padding="same"), nn.ReLU()]), (3, 4, 2)),
    "residual shortcut": (
        lambda: nn.Residual(
            [nn.BinaryConv2D(4, 3, strides=2), nn.BatchNorm()],
            shortcut=[nn.AvgPool2D(2), nn.Conv2D(4, 1)],
        ),
        (4, 4, 2),
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_by_central_differences_in_float64(name, training):
    make, shape = SMOOTH[name]
    layer = built(make(), shape)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, *shape))
    y = layer.forward(x, training)
    assert y.dtype == np.float64
    assert y.shape == (4, *layer.output_shape(shape))
    dy = rng.standard_normal(y.shape)
    loss = lambda x: float((layer.forward(x, training) * dy).sum()) + layer.penalty()  # noqa: E731
    layer.forward(x, training)
    dx = layer.backward(dy)
    close = {"rtol": 1e-6, "atol": 1e-7}
    grads = {p.name: p.grad for p in layer.parameters() if not p.binary}
    kernel_grads = {p.name: (p.grad * p.value).sum() for p in layer.parameters() if p.binary}
    assert_allclose(dx, naive.central_differences(loss, x), **close)

    for p in layer.parameters():
        if p.binary:  # the loss is linear in a kernel: one exact difference along the kernel
            before = p.value.copy()
            p.assign(-before)
            flipped = layer.forward(x, training)
            p.assign(before)
            if "residual" not in name:
                change = ((layer.forward(x, training) - flipped) * dy).sum()
                assert_allclose(kernel_grads[p.name], change / 2, **close)
            continue
        value, h = p.value.astype(np.float64), 2.0**-8
        numeric = np.zeros(p.shape)
        for place in np.ndindex(p.shape):
            total = 0
            for step in (h, -h):
                moved = value.copy()
                moved[place] += step
                p.assign(moved)
                total += loss(x) * (1 if step > 0 else -1)
            rounded = [float(np.float32(value[place] + s)) for s in (h, -h)]
            numeric[place] = total / (rounded[0] - rounded[1])
        p.assign(value)
        if name != "residual":  # its ReLU has a kink
            assert_allclose(grads[p.name], numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", SMOOTH)
def test_without_dx_the_gradients_are_the_same(name):
    make, shape = SMOOTH[name]
    layer = built(make(), shape)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, *shape)).astype(np.float32)
    dy = rng.standard_normal((4, *layer.output_shape(shape))).astype(np.float32)
    layer.forward(x, True)
    dx = layer.backward(dy)
    assert (dx.dtype, dx.shape) == (np.float32, x.shape)
    grads = [p.grad.copy() for p in layer.parameters()]
    layer.forward(x, True)
    assert layer.backward(dy, need_dx=False) is None
    for p, grad in zip(layer.parameters(), grads, strict=True):
        assert p.grad.dtype == np.float32
        assert_array_equal(p.grad, grad)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_layer_comes_back_from_its_configuration(name):
    make, shape = SMOOTH[name]
    net = nn.Sequential([make()], shape, seed=3)
    again = nn.Sequential.from_config(net.config())
    assert again.config() == net.config()
    for a, b in zip(net.parameters(), again.parameters(), strict=True):
        assert (a.name, a.binary) == (b.name, b.binary)
        assert_array_equal(a.value, b.value)


# -- kernels ----------------------------------------------------------------------------------


def test_binary_layers_on_signs_give_integers():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 5, 5, 33))
    conv = built(nn.BinaryConv2D(4, 3), (5, 5, 33))
    y = conv.forward(pack_signs(x, 3))
    assert y.dtype == np.int16
    assert_array_equal(y, naive.conv2d(naive.sign(x), conv.kernel.value))
    dense = built(nn.BinaryDense(4), (65,))
    x = rng.standard_normal((2, 65))
    assert_array_equal(
        dense.forward(pack_signs(x, 1)), naive.dense(naive.sign(x), dense.kernel.value)
    )


def test_real_layers_take_signs_bytes_and_integers():
    rng = np.random.default_rng(1)
    raw = rng.integers(0, 256, (2, 5), dtype=np.uint8)
    dense = built(nn.Dense(3), (5,))
    w, bias = dense.kernel.value, dense.bias.value
    for x, numbers in [
        (pack_signs(raw - 127.5, 1), naive.sign(raw - 127.5)),
        (raw, (2.0 * raw - 255) / 255),
        (raw.astype(np.int16), raw),
    ]:
        y = dense.forward(x)
        assert y.dtype == np.float32
        assert_allclose(y, naive.dense(numbers, w) + bias, rtol=2e-5, atol=1e-5)


def test_kernels_start_as_random_signs_or_in_glorots_range():
    kernel = built(nn.BinaryConv2D(64, 3), (4, 4, 64)).kernel.value
    assert set(np.unique(kernel)) == {-1, 1}
    assert abs(kernel.mean(dtype=float)) < 0.02  # 5 standard deviations are 0.026
    conv = nn.Conv2D(8, 3)
    nn.Sequential([conv], (8, 8, 4))
    limit = np.sqrt(6 / (9 * 4 + 9 * 8))
    assert 0.95 * limit < np.abs(conv.kernel.value).max() <= limit
    assert not conv.bias.value.any()


def test_the_normal_start_is_keras_truncated_one():
    dense = nn.Dense(300, kernel_initializer="glorot_normal")
    nn.Sequential([dense], (200,))
    kernel, deviation = dense.kernel.value, np.sqrt(2 / 500)
    assert kernel.std() == pytest.approx(deviation, rel=0.02)
    widest = 2 * deviation / 0.8796  # Keras cuts at two deviations, then widens to keep one
    assert 0.98 * widest < np.abs(kernel).max() <= 1.0001 * widest


def test_a_penalty_is_that_of_keras_l2():
    net = nn.Sequential([nn.Flatten(), nn.Dense(2, l2=0.25), nn.Dense(1)], (3, 1, 1))
    net.parameters()[0].assign([[1, 2], [0, -1], [3, 0]])
    assert net.penalty() == 0.25 * (1 + 4 + 1 + 9)
    net.forward(np.zeros((1, 3, 1, 1), np.float32), training=True)
    net.backward(np.zeros((1, 1), np.float32))  # the loss itself has no gradient
    assert_array_equal(net.parameters()[0].grad, 2 * 0.25 * net.parameters()[0].value)
    assert not any(p.grad.any() for p in net.parameters()[1:])


# -- batch normalisation ----------------------------------------------------------------------


def test_of_two_ranks_each_has_half_a_penalty_where_they_add_up():
    net = nn.Sequential([nn.Dense(2, l2=0.5), nn.BinaryDense(2)], (3,), gradients="int8")
    layer, dw = net.layers[0], np.zeros((3, 2), np.float32)
    layer.across = SimpleNamespace(size=2)
    layer.keep_gradients(dw, dw)
    assert_array_equal(2 * layer.kernel.grad, layer.kernel.value)


def test_moving_statistics_by_hand():
    layer = nn.BatchNorm(momentum=0.5)
    nn.Sequential([layer], (1,))
    x = np.array([[1], [2], [6]], np.int16)  # mean 3, unbiased variance (4 + 1 + 9) / 2 = 7
    layer.forward(x, training=True)
    assert_array_equal(layer.moving_mean, np.float32([1.5]))
    assert_array_equal(layer.moving_variance, np.float32([0.5 + 3.5]))
    y = layer.forward(x, training=False)
    assert_array_equal(layer.moving_mean, np.float32([1.5]))  # evaluation moves nothing
    assert_allclose(y, (x - 1.5) / np.sqrt(4 + 1e-3), rtol=1e-6)


def test_training_normalises_by_the_batch():
    x = (np.random.default_rng(0).standard_normal((50, 4, 4, 3)) * 7 + 3).astype(np.float32)
    y = built(nn.BatchNorm(center=False), (4, 4, 3)).forward(x, training=True)
    assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-6)
    assert_allclose(y.var((0, 1, 2)), 1, rtol=1e-4)


def test_one_entry_per_channel_is_no_division_by_zero():
    layer = built(nn.BatchNorm(), (4,))
    assert_array_equal(layer.forward(np.ones((1, 4), np.int16), True)[0], layer.beta.value)
    assert np.isfinite(layer.moving_variance).all()


def test_what_batch_norm_trains_and_what_it_only_keeps():
    names = lambda layer: [p.name for p in built(layer, (3,)).parameters()]  # noqa: E731
    assert names(nn.BatchNorm()) == ["batch_norm1/beta"]
    assert names(nn.BatchNorm(scale=True)) == ["batch_norm1/gamma", "batch_norm1/beta"]
    assert names(nn.BatchNorm(center=False)) == []
    layer = built(nn.BatchNorm(), (3,))
    layer.state()["moving_mean"][...] = 9
    assert not layer.moving_mean.any()


# -- signs ------------------------------------------------------------------------------------


def test_sign_packs_and_its_gradient_is_the_quantizers():
    x = np.float32([[-2, -1, -0.5, -0.0, 0, 0.5, 1, 2]])
    dy = np.full((1, 8), 3, np.float32)
    for spec, slope in [
        ("ste_sign", [0, 1, 1, 1, 1, 1, 1, 0]),
        (nn.ste_sign, [0, 1, 1, 1, 1, 1, 1, 0]),
        (SteSign(clip_value=None), [1] * 8),
        (SteSign(clip_value=0.5), [0, 0, 1, 1, 1, 1, 0, 0]),
        ("approx_sign", [0, 0, 1, 2, 2, 1, 0, 0]),
    ]:
        layer = nn.Sign(spec)
        y = layer.forward(x)
        assert isinstance(y, Signs)
        assert_array_equal(y.unpack(), [[-1, -1, -1, 1, 1, 1, 1, 1]])
        assert_array_equal(layer.backward(dy), 3 * np.float32([slope]))
    layer = nn.Sign("swish_sign")
    layer.forward(x)
    assert layer.backward(dy)[0, 4] == 15


def test_sign_of_integer_sums_and_of_bytes():
    layer = nn.Sign()
    assert_array_equal(layer.forward(np.int16([[-1, 0, 5]])).unpack(), [[-1, 1, 1]])
    assert_array_equal(layer.backward(np.ones((1, 3), np.float32)), [[1, 1, 0]])
    assert_array_equal(layer.forward(np.uint8([[0, 127, 128, 255]])).unpack(), [[-1, -1, 1, 1]])


def test_quantizers_by_name_and_configuration():
    for quantizer in (SteSign(), SteSign(clip_value=None), ApproxSign(), SwishSign(beta=2.0)):
        assert get_quantizer(quantizer_config(quantizer)) == quantizer
        net = nn.Sequential([nn.Sign(quantizer)], (3,))
        assert nn.Sequential.from_config(net.config()).layers[0].quantizer == quantizer


# -- shapes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [3, 32, 33, 64])
def test_flatten_and_max_pool_keep_signs_signs(channels):
    x = np.random.default_rng(0).standard_normal((2, 4, 4, channels))
    packed = pack_signs(x, 3)
    flat = nn.Flatten().forward(packed)
    assert (flat.shape, flat.axis) == ((2, 16 * channels), 1)
    assert_array_equal(flat.words, naive.pack(x.reshape(2, -1), 1))
    pool = nn.MaxPool2D()
    y = pool.forward(packed)
    expected, where = naive.max_pool2d(naive.sign(x), (2, 2), (2, 2), "valid")
    assert_array_equal(y.unpack(), expected)
    dy = np.random.default_rng(1).integers(-9, 9, expected.shape).astype(np.float32)
    dx = naive.max_pool2d_grad(dy, where, x.shape, (2, 2), (2, 2), "valid")
    assert_array_equal(pool.backward(dy), dx)


def test_max_pool_keeps_bytes_bytes_and_average_pools_read_them():
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    assert nn.MaxPool2D().forward(x).dtype == np.uint8
    numbers = (2.0 * x - 255) / 255
    assert_allclose(nn.GlobalAvgPool2D().forward(x), numbers.mean((1, 2)), rtol=1e-5, atol=1e-6)
    y = nn.AvgPool2D().forward(x)
    assert y.dtype == np.float32
    assert_allclose(y, naive.avg_pool2d(numbers, (2, 2), (2, 2), "valid"), rtol=1e-5, atol=1e-6)


def test_residual_adds_integers_as_floats():
    layer = built(nn.Residual([nn.Sign(), nn.BinaryConv2D(3, 3)]), (4, 4, 3))
    x = np.full((1, 4, 4, 3), 32767, np.int16)
    y = layer.forward(x)
    assert y.dtype == np.float32
    inner = naive.conv2d(naive.sign(x), layer.body.layers[1].kernel.value)
    assert_array_equal(y, inner + 32767.0)


@pytest.mark.parametrize("layer", [nn.MaxPool2D, nn.GlobalAvgPool2D])
def test_pools_take_images(layer):
    with pytest.raises(InputError, match=f"{layer.__name__} takes images"):
        nn.Sequential([layer()], (4,))

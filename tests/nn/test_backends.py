"""A whole network on both backends: bit for bit forward, to rounding backward."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minibnn import nn, zoo


def odd():
    """Odd sizes, strides, both paddings, every kind of layer that hands on signs or integers."""
    return nn.Sequential(
        [
            nn.BinaryConv2D(33, (3, 2), padding="same", pad_value=1),
            *(nn.BatchNorm(), nn.Sign("approx_sign")),
            nn.BinaryConv2D(65, 3, strides=(2, 1)),
            nn.MaxPool2D(3, strides=2, padding="same"),
            *(nn.BatchNorm(scale=True), nn.Sign(), nn.MaxPool2D(2, padding="same")),
            nn.BinaryConv2D(31, 2, padding="valid", strides=1),
            *(nn.BatchNorm(center=False), nn.Sign("swish_sign"), nn.Flatten()),
            *(nn.BinaryDense(63), nn.BatchNorm(), nn.Sign(), nn.BinaryDense(5), nn.BatchNorm()),
        ],
        (11, 14, 3),
    )


NETWORKS = {
    "odd": (odd, 5),
    "digits": (lambda: zoo.digits_net(filters=16, dense_units=48), 10),
    "binarynet": (lambda: zoo.binarynet(filters=8, dense_units=24), 10),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_backends_agree(name, use_backend):
    make, classes = NETWORKS[name]
    rng = np.random.default_rng(0)
    net = make()
    x = rng.integers(0, 256, (7, *net.input_shape), dtype=np.uint8)
    labels = rng.integers(0, classes, 7)
    seen = {}
    for backend in ("reference", "numba"):
        use_backend(backend)
        net = make()
        logits = net.forward(x, training=True)
        net.backward(nn.softmax_cross_entropy(logits, labels)[1])
        grads = {p.name: p.grad for p in net.parameters()}
        seen[backend] = logits, net.predict(x), net.state_dict(), grads
    reference, numba = seen["reference"], seen["numba"]
    assert_array_equal(numba[0], reference[0])
    assert_array_equal(numba[1], reference[1])
    for key, value in reference[2].items():
        assert_array_equal(numba[2][key], value, err_msg=key)
    for key, grad in reference[3].items():
        size = np.abs(grad).max()
        assert numba[3][key].dtype == np.float32
        assert_allclose(numba[3][key], grad, rtol=0, atol=2e-5 * size, err_msg=key)

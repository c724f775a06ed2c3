"""What a network will hold is known, and checked, before any of it is made; see test_saving."""

import tracemalloc

import numpy as np
import pytest

from minibnn import nn, zoo
from minibnn.errors import InputError

LAYERS = [
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


def test_arrays_are_those_of_the_state():
    net = nn.Sequential(LAYERS, (4, 4, 2))
    found = {name: (np.dtype(dtype), shape) for name, (dtype, shape) in net.arrays().items()}
    assert found == {name: (a.dtype, a.shape) for name, a in net.state_dict().items()}


TOO_MANY = [10**9, 10**12, 10**30, 10**400]


@pytest.mark.parametrize("sizes", [{"filters": n} for n in TOO_MANY] + [{"dense_units": 10**12}])
def test_more_than_there_is_memory_is_refused_at_once(sizes):
    tracemalloc.start()
    with pytest.raises(InputError, match=r"digits: its arrays take [\d,.]+ GB"):
        zoo.digits_net(**sizes)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()

"""Losses: values by hand, gradients by central differences, labels that do not fit."""

import doctest

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minibnn import nn
from minibnn.errors import InputError
from minibnn.nn import losses
from minibnn.nn.losses import LOSSES

pytestmark = pytest.mark.usefixtures("reference_backend")


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_by_central_differences(name):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((5, 4)), rng.integers(0, 4, 5)
    _, dlogits = LOSSES[name](logits, labels)
    numeric = naive.central_differences(lambda z: LOSSES[name](z, labels)[0], logits)
    assert_allclose(dlogits, numeric, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_types_and_untouched_inputs(name):
    logits, labels = np.float32([[3, -1, 0.5], [0, 0, 0]]), np.array([2, 0], np.uint8)
    before = logits.copy()
    loss, dlogits = LOSSES[name](logits, labels)
    assert isinstance(loss, float)
    assert dlogits.dtype == np.float32
    assert_array_equal(logits, before)
    assert_array_equal(labels, [2, 0])
    for whole in (np.int16, np.int32):  # a last layer without batch normalisation
        same, dsame = LOSSES[name](np.array([[3, -1, 2]], whole), labels[:1])
        assert (same, dsame.dtype) == (LOSSES[name](np.float32([[3, -1, 2]]), labels[:1])[0], "f4")


def test_squared_hinge_by_hand():
    # t = (-1, +1): short = max(0, 1 - t y) = (3, 0.5) and (0, 0)
    loss, dlogits = nn.squared_hinge(np.float32([[2, 0.5], [-1, 1]]), np.array([1, 1]))
    assert loss == (9 + 0.25) / 4
    assert_array_equal(dlogits, np.float32([[2 * 3 / 4, -2 * 0.5 / 4], [0, 0]]))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "labels must lie in 0 to 2, found 0 to 3"),
        ([-1, 2], "labels must lie in 0 to 2, found -1 to 2"),
        ([0.0, 1.0], r"labels must be 2 integers, found float64 \(2,\)"),
        ([0, 1, 2], r"labels must be 2 integers, found int64 \(3,\)"),
        ([[1, 0, 0], [0, 1, 0]], r"labels must be 2 integers, found int64 \(2, 3\)"),
    ],
)
def test_labels_that_do_not_fit(name, labels, message):
    with pytest.raises(InputError, match=message):
        LOSSES[name](np.zeros((2, 3), np.float32), np.array(labels))


def test_the_numbers_in_the_docstrings():
    results = doctest.testmod(losses)
    assert (results.failed, results.attempted) == (0, 6)


@pytest.mark.parametrize("loss", [nn.softmax_cross_entropy, nn.squared_hinge])
def test_lists_will_do(loss):
    assert loss([[1.0, 2.0]], [0])[0] == loss(np.array([[1.0, 2.0]]), np.array([0]))[0]

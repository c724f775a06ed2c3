"""Losses: gradients by central differences, labels that do not fit; docstrings have values.

Of double logits the bits of the cross-entropy depend on no order in which samples are added.
"""

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minibnn import nn
from minibnn.errors import InputError
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


@pytest.mark.parametrize("loss", [nn.softmax_cross_entropy, nn.squared_hinge])
def test_lists_will_do(loss):
    assert loss([[1.0, 2.0]], [0])[0] == loss(np.array([[1.0, 2.0]]), np.array([0]))[0]


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return 8 * rng.standard_normal((101, 10)), rng.integers(0, 10, 101)


def test_the_order_of_samples_does_not_change_the_cross_entropy(batch):
    logits, labels = batch
    loss, dlogits = nn.softmax_cross_entropy(logits, labels)
    rows = np.random.default_rng(1).permutation(len(logits))
    found = nn.softmax_cross_entropy(logits[rows], labels[rows])
    assert found[0] == loss
    assert_array_equal(found[1], dlogits[rows])


def test_cross_entropy_by_its_formula(batch):
    logits, labels = batch
    loss, dlogits = nn.softmax_cross_entropy(logits, labels)
    e = np.exp(logits - logits.max(1, keepdims=True))
    softmax = e / e.sum(1, keepdims=True)
    assert_allclose(loss, -np.log(softmax[np.arange(101), labels]).mean(), rtol=1e-14)
    assert_allclose(dlogits, (softmax - np.eye(10)[labels]) / 101, rtol=0, atol=1e-16)
    short, gradient = nn.softmax_cross_entropy(logits.astype(np.float32), labels)
    assert_allclose(loss, short, rtol=1e-6)
    assert_allclose(dlogits, gradient, rtol=0, atol=1e-8)


def test_what_is_not_a_number_stays_so():
    logits = np.array([[1, np.nan], [2, 3]])
    loss, dlogits = nn.softmax_cross_entropy(logits, np.array([0, 1]))
    assert np.isnan(loss)
    assert np.isnan(dlogits[0]).all()
    assert np.isfinite(dlogits[1]).all()


@pytest.mark.parametrize(
    ("logits", "loss", "dlogits"),
    [
        (np.array([[1e300, -1e300, 0]]), 0, [[0, 0, 0]]),
        (np.float32([[1e38, -1e38], [0, 1e4]]), 5000, [[0, 0], [-0.5, 0.5]]),
    ],
)
def test_far_logits_do_not_overflow(logits, loss, dlogits):
    found = nn.softmax_cross_entropy(logits, np.zeros(len(logits), int))
    assert (found[0], found[1].tolist()) == (loss, dlogits)

"""The loss in double precision: the same bits everywhere, in whatever order samples are added."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minibnn.nn import softmax_cross_entropy


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return 8 * rng.standard_normal((101, 10)), rng.integers(0, 10, 101)


def test_the_order_of_samples_does_not_change_it(batch):
    logits, labels = batch
    loss, dlogits = softmax_cross_entropy(logits, labels)
    rows = np.random.default_rng(1).permutation(len(logits))
    found = softmax_cross_entropy(logits[rows], labels[rows])
    assert found[0] == loss
    assert_array_equal(found[1], dlogits[rows])


def test_it_is_close_to_that_of_floats(batch):
    logits, labels = batch
    loss, dlogits = softmax_cross_entropy(logits, labels)
    short, gradient = softmax_cross_entropy(logits.astype(np.float32), labels)
    assert_allclose(loss, short, rtol=1e-6)
    assert_allclose(dlogits, gradient, rtol=0, atol=1e-8)
    e = np.exp(logits - logits.max(1, keepdims=True))
    softmax = e / e.sum(1, keepdims=True)
    assert_allclose(loss, -np.log(softmax[np.arange(101), labels]).mean(), rtol=1e-14)
    assert_allclose(dlogits, (softmax - np.eye(10)[labels]) / 101, rtol=0, atol=1e-16)


def test_what_is_not_a_number_stays_so():
    loss, dlogits = softmax_cross_entropy(np.array([[1, np.nan], [2, 3]]), np.array([0, 1]))
    assert np.isnan(loss)
    assert np.isnan(dlogits[0]).all()
    assert np.isfinite(dlogits[1]).all()


def test_far_logits_weigh_nothing():
    loss, dlogits = softmax_cross_entropy(np.array([[1e300, -1e300, 0]]), np.array([0]))
    assert (loss, dlogits.tolist()) == (0, [[0, 0, 0]])

"""The inertia form by hand, at s = 0; that it is the latent form is E3 of the catalogue."""

import numpy as np
from numpy.testing import assert_array_equal

from minibnn.optim import InertiaSGDState, inertia_sgd_step


def test_by_hand():
    """s = 1/2 - 1/2 * w * g is 0, 0, 1, -1/2: at s = 0 the latent weight's sign is +1."""
    w, g = np.int8([1, -1, 1, -1]), np.float32([1, -1, -1, -2])
    w, state = inertia_sgd_step(w, g, InertiaSGDState(np.float32([0.5] * 4)), lr=0.5)
    assert_array_equal(w, [1, 1, 1, 1])
    assert_array_equal(state.inertia, np.float32([0, 0, 1, 0.5]))


def test_clip_bounds_the_inertia():
    state = InertiaSGDState(np.float32([0.5, 0.5]))
    w, state = inertia_sgd_step(np.int8([1, -1]), np.float32([-4, -4]), state, lr=1, clip=1.0)
    assert_array_equal(w, [1, 1])
    assert_array_equal(state.inertia, np.float32([1, 1]))

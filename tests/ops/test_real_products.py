"""Real products in chunks: the same bits whatever the number of threads and the batch around."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn.ops import kernels
from minibnn.ops.kernels.real import CHUNK, LANES, ROWS

IMAGE, KERNEL, STRIDES = (5, 64, 60, 3), (7, 7, 3, 9), (2, 2)
DENSE = ROWS + 6, 300, LANES + 3


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def convolution():
    x, w, dy = arrays(IMAGE, KERNEL, (5, 32, 30, 9))
    assert 32 * 30 * 7 * 7 * 3 > 2 * CHUNK  # several chunks for each image
    place = STRIDES, "same"
    return (
        kernels.conv2d(x, w, *place),
        kernels.conv2d_grad_input(dy, w, IMAGE, *place),
        kernels.conv2d_grad_kernel(x, dy, KERNEL[:2], *place),
        kernels.conv2d(np.uint8(255 * (x > 0)), w, *place),
    )


def dense():
    x, w = arrays(DENSE[:2], DENSE[1:])
    return (kernels.dense(x, w),)


@pytest.mark.parametrize("products", [convolution, dense])
def test_number_of_threads_changes_nothing(products, use_threads):
    seen = []
    for threads in (1, 2):
        use_threads(threads)
        seen.append(products())
    for one, two in zip(*seen, strict=True):
        assert_array_equal(one, two)


def test_the_batch_around_a_sample_changes_nothing():
    x, w = arrays(IMAGE, KERNEL)
    whole = kernels.conv2d(x, w, STRIDES, "same")
    for k in range(len(x)):
        assert_array_equal(kernels.conv2d(x[k : k + 1], w, STRIDES, "same")[0], whole[k])
    x, w = arrays(DENSE[:2], DENSE[1:])
    whole = kernels.dense(x, w)
    for k in (0, ROWS - 1, ROWS, len(x) - 1):
        assert_array_equal(kernels.dense(x[k : k + 1], w)[0], whole[k])


def test_what_lies_behind_the_image_gets_into_no_window():
    """A row of a window is copied as whole vectors, past its end where the image goes on."""
    x, w = arrays((1, 8, 7, 3), (7, 7, 3, 2))
    memory = np.full(x.size + 64, np.nan, np.float32)
    memory[: x.size] = x.reshape(-1)
    inside = memory[: x.size].reshape(x.shape)
    for strides in ((1, 1), (2, 2)):
        expected = kernels.conv2d(x, w, strides, "same")
        assert_array_equal(kernels.conv2d(inside, w, strides, "same"), expected)

"""Parameters: what may be assigned, and packed forms that follow the value."""

from threading import Thread

import naive
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn.errors import InputError
from minibnn.nn import Parameter
from minibnn.ops.backend import ops


@pytest.fixture
def kernel():
    return naive.sign(np.random.default_rng(0).standard_normal((3, 3, 33, 5)))


def test_a_binary_value_is_read_only_int8(kernel):
    p = Parameter("conv1/kernel", kernel, binary=True)
    assert (p.value.dtype, p.shape, p.size) == (np.int8, (3, 3, 33, 5), 1485)
    assert_array_equal(p.value, kernel)
    with pytest.raises(ValueError, match="read-only"):
        p.value[0] = 1
    with pytest.raises(AttributeError):
        p.shape = (1,)


def test_the_parameter_does_not_share_memory_with_what_it_was_given(kernel):
    p = Parameter("conv1/kernel", kernel.astype(np.int8), binary=True)
    other = -kernel
    p.assign(other)
    other[...] = 1
    assert_array_equal(p.value, -kernel)


def test_packed_forms_follow_every_change(kernel):
    p = Parameter("conv1/kernel", kernel, binary=True)

    def check(value):
        assert (p.signs.axis, p.signs_t.axis) == (2, 2)
        assert_array_equal(p.signs.words, naive.pack(value, 2))
        assert_array_equal(p.signs_t.words, naive.pack(value.swapaxes(2, 3), 2))

    check(kernel)
    assert p.signs is p.signs
    p.assign(-kernel)
    check(-kernel)
    p.writable()[0] *= -1
    check(np.concatenate([kernel[:1], -kernel[1:]]))


def test_the_packed_form_of_a_dense_kernel(kernel):
    flat = kernel[0, 0]
    p = Parameter("dense1/kernel", flat, binary=True)
    assert_array_equal(p.signs.words, naive.pack(flat, 0))
    assert_array_equal(p.signs_t.words, naive.pack(flat.T, 0))


def test_only_assign_counts_as_a_new_version(kernel):
    p = Parameter("conv1/kernel", kernel, binary=True)
    version = p.version
    p.writable()[...] = -kernel
    assert p.version is version
    p.assign(kernel)
    assert p.version is not version


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 3)), r"^w must have shape \(3, 2\), found \(2, 3\)$"),
        (np.zeros((3, 2)), r"every entry must be \+1 or -1, found 0.0"),
        (np.full((3, 2), 0.5), r"every entry must be \+1 or -1, found 0.5"),
        (np.full((3, 2), np.nan), r"every entry must be \+1 or -1, found nan"),
        (np.full((3, 2), 257), r"every entry must be \+1 or -1, found 257"),
        (np.full((3, 2), "1"), "must be real numbers, found <U1"),
        (np.full((3, 2), 1j), "must be real numbers, found complex128"),
        (np.full((3, 2), 1, "m8[s]"), "must be real numbers, found timedelta64"),
    ],
)
def test_what_is_not_binary_is_refused_and_nothing_changes(array, message):
    p = Parameter("w", np.ones((3, 2)), binary=True)
    version = p.version
    with pytest.raises(InputError, match=message):
        p.assign(array)
    assert_array_equal(p.value, np.ones((3, 2)))
    assert p.version is version


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
def test_signs_of_any_number_type_are_taken(dtype):
    p = Parameter("w", np.ones(3), binary=True)
    p.assign(np.array([1, -1, 1], dtype))
    assert_array_equal(p.value, [1, -1, 1])


def test_a_real_parameter_takes_any_number():
    p = Parameter("beta", np.zeros(3))
    p.assign([0.1, -2, 3e5])
    assert p.value.dtype == np.float32
    assert_array_equal(p.value, np.float32([0.1, -2, 3e5]))
    with pytest.raises(InputError, match="must have shape"):
        p.assign(0.0)
    with pytest.raises(InputError, match="beta is binary"):
        Parameter("beta", p.value, binary=True)


def test_packing_holds_no_lock(kernel, monkeypatch):
    """A fork would leave it locked: functools.cached_property has one in Python 3.11."""
    one, other = (Parameter(name, kernel, binary=True) for name in ("a/kernel", "b/kernel"))
    pack, done = ops.pack_signs, []

    def slow(x, axis):
        if np.shares_memory(x, one._array):
            thread = Thread(target=lambda: done.append(other.signs), daemon=True)
            thread.start()
            thread.join(5)
        return pack(x, axis)

    monkeypatch.setattr(ops, "pack_signs", slow)
    assert one.signs.shape == kernel.shape
    assert len(done) == 1

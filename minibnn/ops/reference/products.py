"""Matrix products, convolutions and pooling of signs, bytes and floats.

Images are NHWC, kernels HWIO (height, width, inputs, outputs), dense kernels (I, O); gradients of
outputs dy are shaped like the outputs. An operand x, (B, I) or NHWC, is one of

- Signs, packed along its last axis: ±1;
- uint8: an image's bytes b, which stand for (2b - 255) / 255 in [-1, 1];
- float32 or float64: itself.

A convolution is a sum of dense products, one per tap of the kernel, and so are its gradients. With
more threads BLAS would add in another order. Pools go over the same taps: ``max_pool2d`` keeps
where each maximum was, for its gradient; ``binary_conv2d_pool`` is both, one pass of the kernels.

Gradients by binary layers may be Fixed: then the same products run on integers held in floats wide
enough for their sums to be exact. InputError where so many terms would not fit (``check_sum``).
"""

import math

import numpy as np

from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed, check_input_sum, check_sum, width_of
from minibnn.ops.rounding import BYTE_SCALE, EXACT, byte_sum_dtype, sum_dtype
from minibnn.ops.shapes import windows
from minibnn.ops.threads import one_blas_thread


@one_blas_thread()
def dense(x, w):
    """y = x @ w, floats (B, O); one product per sample, so that it does not depend on the batch."""
    x, unit = _array_and_unit(x, w.dtype)
    y = (x[:, None] @ w)[:, 0]
    return y if unit == 1 else y * y.dtype.type(unit)


@one_blas_thread()
def dense_grad_input(dy, w):
    """dx = dy @ w.T, (B, I)."""
    return dy @ w.T


@one_blas_thread()
def dense_grad_kernel(x, dy):
    """dw = x.T @ dy, (I, O) in dy's type."""
    x, unit = _array_and_unit(x, dy.dtype)
    dw = x.T @ dy
    return dw if unit == 1 else dw * dw.dtype.type(unit)


def binary_dense(x, w, fixed=False):
    """y = x @ w for a binary kernel w, Signs (I, O) on axis 0.

    Of Signs x integers, int16 where I fits, else int32; of floats, floats of their type. Of bytes
    the exact sums of w * (2b - 255), times float32(1 / 255); with ``fixed`` the sums themselves,
    Fixed with divisor 255.

    >>> from minibnn.ops.bits import pack_signs
    >>> x, w = np.int8([[1, -1, 1]]), np.int8([[1, -1], [1, 1], [-1, 1]])
    >>> binary_dense(pack_signs(x, 1), pack_signs(w, 0))  # x @ w
    array([[-1, -1]], dtype=int16)
    """
    if isinstance(x, Signs):
        return integer_sums_dense(x, w)
    if x.dtype == np.uint8:
        return of_bytes(integer_sums_dense(x, w), w, fixed)
    return dense(x, w.unpack(x.dtype))


def integer_sums_dense(x, w):
    """``binary_dense`` of signs or bytes, the latter unscaled: sums of w * (2b - 255)."""
    if isinstance(x, Signs):  # sums of ±1 are exact in float32
        return dense(x, w.unpack(np.float32)).astype(sum_dtype(w.shape[0]))
    dtype = byte_sum_dtype(w.shape[0])
    return dense(2 * x.astype(dtype) - 255, w.unpack(dtype))


@one_blas_thread()
def binary_dense_grad_input(dy, w_t):
    """dx = dy @ w.T, (B, I), with w_t = w.T as Signs (O, I) on axis 0.

    dx has dy's float type; of Fixed dy it is the exact sums, int32 with dy's unit.
    """
    if isinstance(dy, Fixed):
        check_input_sum(dy, w_t)  # then sums are exact in float32
        dx = binary_dense_grad_input(dy.integers.astype(np.float32), w_t)
        return dy.like(dx.astype(np.int32))
    return dy @ w_t.unpack(dy.dtype)


def binary_dense_grad_kernel(x, dy, fixed=False):
    """dw = x.T @ dy (Eq. 3), by the binary weight: (I, O) in dy's type.

    Of Fixed dy float32, from exact sums where x is Signs or bytes; with ``fixed`` these sums
    themselves, int32, of bytes int64.
    """
    if isinstance(dy, Fixed):
        return _grad_kernel(dense_grad_kernel, x, dy, fixed)
    return dense_grad_kernel(x, dy)


def conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    """Cross-correlation of x with w, as every framework calls it: floats NHWC.

    ``pad_value``, 0 or 1, is what ``padding`` "same" pads with, on the scale of [-1, 1]. A sample's
    result does not depend on its batch. ``strides`` are (rows, columns).
    """
    x, unit = _array_and_unit(x, w.dtype)
    y = _correlate(x, w, strides, padding, pad_value / unit)
    return y if unit == 1 else y * y.dtype.type(unit)


def conv2d_grad_input(dy, w, input_shape, strides=(1, 1), padding="same"):
    """dx of ``conv2d`` from dy NHWC: floats of ``input_shape``, that of x.

    ``w``, ``strides`` and ``padding`` are those of ``conv2d``.
    """
    return _spread(dy, w.swapaxes(2, 3), input_shape, strides, padding)


@one_blas_thread()
def conv2d_grad_kernel(x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0):
    """dw of ``conv2d`` from x and dy: HWIO in dy's type, ``kernel_size`` its (H, W).

    ``strides``, ``padding`` and ``pad_value`` are those of ``conv2d``.
    """
    x, unit = _array_and_unit(x, dy.dtype)
    seen = windows(x.shape[1:3], kernel_size, strides, padding)
    x = np.pad(x, seen.borders, constant_values=pad_value / unit)
    dw = np.empty((*kernel_size, x.shape[3], dy.shape[3]), dy.dtype)
    dy = dy.reshape(-1, dy.shape[3])
    for tap, (rows, columns) in seen.taps:
        dw[tap] = x[:, rows, columns].reshape(-1, x.shape[3]).T @ dy
    return dw if unit == 1 else dw * dw.dtype.type(unit)


def binary_conv2d(x, w, strides=(1, 1), padding="same", pad_value=0, fixed=False):
    """Convolution of x with a binary kernel w, Signs HWIO on axis 2: NHWC.

    Types and ``fixed`` are those of ``binary_dense``. A ``pad_value`` of 0 adds nothing at the
    border (Larq's default; the border then is no sign), 1 pads with +1. ``strides`` and ``padding``
    are those of ``conv2d``.
    """
    if isinstance(x, Signs):
        return integer_sums_conv2d(x, w, strides, padding, pad_value)
    if x.dtype == np.uint8:
        return of_bytes(integer_sums_conv2d(x, w, strides, padding, pad_value), w, fixed)
    return _correlate(x, w.unpack(x.dtype), strides, padding, pad_value)


def integer_sums_conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    """``binary_conv2d`` of signs or bytes, the latter unscaled: sums of w * (2b - 255)."""
    n = math.prod(w.shape[:3])
    if isinstance(x, Signs):
        x, w = x.unpack(np.float32), w.unpack(np.float32)
        return _correlate(x, w, strides, padding, pad_value).astype(sum_dtype(n))
    dtype = byte_sum_dtype(n)
    x = 2 * x.astype(dtype) - 255
    return _correlate(x, w.unpack(dtype), strides, padding, 255 * pad_value)


def binary_conv2d_grad_input(dy, w_t, input_shape, strides=(1, 1), padding="same"):
    """dx of ``binary_conv2d`` from dy, floats or Fixed: ``input_shape``, in dy's type.

    w_t is the kernel with inputs and outputs swapped, Signs (H, W, O, I) on axis 2; ``strides`` and
    ``padding`` are those of ``conv2d``. Of Fixed dy the exact sums, int32 with dy's unit.
    """
    if isinstance(dy, Fixed):
        check_input_sum(dy, w_t)  # then sums are exact in float32
        floats = dy.integers.astype(np.float32)
        dx = binary_conv2d_grad_input(floats, w_t, input_shape, strides, padding)
        return dy.like(dx.astype(np.int32))
    return _spread(dy, w_t.unpack(dy.dtype), input_shape, strides, padding)


def binary_conv2d_grad_kernel(
    x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0, fixed=False
):
    """dw of ``binary_conv2d`` by the binary weights (Eq. 3), HWIO, ``kernel_size`` its (H, W).

    Types of x, dy and dw and ``fixed`` are those of ``binary_dense_grad_kernel``; ``strides``,
    ``padding`` and ``pad_value`` those of ``binary_conv2d``.
    """
    geometry = kernel_size, strides, padding
    if isinstance(dy, Fixed):
        bytes_ = isinstance(x, np.ndarray) and x.dtype == np.uint8
        pad_value = 255 * pad_value if bytes_ else pad_value
        return _grad_kernel(conv2d_grad_kernel, x, dy, fixed, *geometry, pad_value)
    return conv2d_grad_kernel(x, dy, *geometry, pad_value)


def max_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """(y, where): the largest entry of each window, and which it is.

    Windows are ``pool_size`` (rows, columns) large and ``strides`` apart; the ``padding`` is
    "valid" or "same", with minus infinity. y is like x, floats or integers; where is uint8 and
    counts a window's entries row by row. Of equals the first wins.

    >>> y, where = max_pool2d(np.float32([[1, 4], [4, 2]]).reshape(1, 2, 2, 1))
    >>> y.item(), where.item()
    (4.0, 1)
    """
    seen = windows(x.shape[1:3], pool_size, strides, padding)
    padded = np.pad(x.astype(np.float64), seen.borders, constant_values=-np.inf)
    entries = np.stack([padded[:, rows, columns] for _, (rows, columns) in seen.taps])
    return entries.max(0).astype(x.dtype), entries.argmax(0).astype(np.uint8)


def max_pool2d_grad(dy, where, input_shape, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """dx of ``max_pool2d``: each dy, floats or Fixed, goes to the entry ``where`` points at.

    dx has dy's type and the ``input_shape`` of x. ``pool_size``, ``strides`` and ``padding`` are
    those of the pool.
    """
    if isinstance(dy, Fixed):  # windows that overlap may add up to more than dy's type holds
        wide = dy.integers if strides == pool_size else dy.integers.astype(np.int32)
        return dy.like(max_pool2d_grad(wide, where, input_shape, pool_size, strides, padding))
    seen = windows(tuple(input_shape[1:3]), pool_size, strides, padding)
    dx = np.zeros((len(dy), *seen.padded, dy.shape[3]), dy.dtype)
    for k, (_, (rows, columns)) in enumerate(seen.taps):
        dx[:, rows, columns] += np.where(where == k, dy, dy.dtype.type(0))
    return np.ascontiguousarray(dx[:, *seen.inside])


def avg_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """Mean over the pixels of each window that lie in the image (Keras' rule for ``same``).

    Of floats x in their type, of integers in float32. ``pool_size``, ``strides`` and ``padding``
    are those of ``max_pool2d``.
    """
    seen = windows(x.shape[1:3], pool_size, strides, padding)
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float32)
    padded = np.pad(x, seen.borders)
    total = sum(padded[:, rows, columns] for _, (rows, columns) in seen.taps)
    return total / _pixels(seen, x.dtype)


def avg_pool2d_grad(dy, input_shape, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """dx of ``avg_pool2d``: each dy is shared equally among the pixels of its window.

    dx has dy's float type and the ``input_shape`` of x. ``pool_size``, ``strides`` and ``padding``
    are those of the pool.
    """
    seen = windows(tuple(input_shape[1:3]), pool_size, strides, padding)
    dx = np.zeros((len(dy), *seen.padded, dy.shape[3]), dy.dtype)
    share = dy / _pixels(seen, dy.dtype)
    for _, (rows, columns) in seen.taps:
        dx[:, rows, columns] += share
    return np.ascontiguousarray(dx[:, *seen.inside])


def binary_conv2d_pool(x, w, strides=(1, 1), padding="same", pad_value=0):
    """(y, where) of ``max_pool2d`` after ``binary_conv2d``, of Signs x and w.

    ``strides``, ``padding`` and ``pad_value`` are the convolution's.
    """
    return max_pool2d(binary_conv2d(x, w, strides, padding, pad_value))


def binary_conv2d_pool_grad_input(dy, where, w_t, input_shape, strides=(1, 1), padding="same"):
    """dx of ``binary_conv2d_pool``: dy goes to the maxima, ``where`` they are, and from there to x.

    The rest as in ``binary_conv2d_grad_input``: ``w_t``, ``input_shape``, ``strides``, ``padding``.
    """
    sums = windows(tuple(input_shape[1:3]), w_t.shape[:2], strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_input(dy, w_t, input_shape, strides, padding)


def binary_conv2d_pool_grad_kernel(
    x, dy, where, kernel_size, strides=(1, 1), padding="same", pad_value=0, fixed=False
):
    """dw of ``binary_conv2d_pool`` by the binary weights, of Signs x; dy goes to the maxima.

    ``where`` is what ``binary_conv2d_pool`` returned. The rest as in ``binary_conv2d_grad_kernel``:
    ``kernel_size``, ``strides``, ``padding``, ``pad_value``, ``fixed``.
    """
    sums = windows(x.shape[1:3], tuple(kernel_size), strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_kernel(x, dy, kernel_size, strides, padding, pad_value, fixed)


def _pixels(seen, dtype):
    """How many pixels of each window lie in the image: (rows, columns, 1)."""
    image = np.pad(np.ones(seen.image, dtype), seen.borders[1:3])
    return sum(image[rows, columns] for _, (rows, columns) in seen.taps)[..., None]


@one_blas_thread()
def _correlate(x, w, strides, padding, pad_value):
    """Per tap, the pixels it meets times its matrix (I, O); one product per sample."""
    seen = windows(x.shape[1:3], w.shape[:2], strides, padding)
    x = np.ascontiguousarray(np.pad(x, seen.borders, constant_values=pad_value))
    y, pixels = 0, math.prod(seen.output)
    for tap, (rows, columns) in seen.taps:
        y += x[:, rows, columns].reshape(len(x), pixels, x.shape[3]) @ w[tap]
    return y.reshape(len(x), *seen.output, w.shape[3])


@one_blas_thread()
def _spread(dy, w_t, input_shape, strides, padding):
    """Per tap, dy times its transposed matrix (O, I), added to the pixels it met."""
    seen = windows(tuple(input_shape[1:3]), w_t.shape[:2], strides, padding)
    dx = np.zeros((len(dy), *seen.padded, w_t.shape[3]), np.result_type(dy, w_t))
    flat = dy.reshape(-1, dy.shape[3])
    for tap, (rows, columns) in seen.taps:
        dx[:, rows, columns] += (flat @ w_t[tap]).reshape(*dy.shape[:3], w_t.shape[3])
    return np.ascontiguousarray(dx[:, *seen.inside])


def _grad_kernel(product, x, dy, fixed, *geometry):
    """x's integers times dy's, summed over the batch; of real x in floats."""
    if not isinstance(x, Signs) and x.dtype != np.uint8:
        return product(x, dy.floats(x.dtype.type), *geometry)
    count = math.prod(dy.shape[:-1])
    check_sum(count, width_of(dy), "the gradient of a binary kernel")
    largest = (1 if isinstance(x, Signs) else 255) * width_of(dy) * count
    dtype = np.float32 if largest <= EXACT else np.float64
    integers, unit = _array_and_unit(x, dtype)
    sums = product(integers, dy.integers.astype(dtype), *geometry)
    sums = sums.astype(np.int32 if unit == 1 else np.int64)
    dw = Fixed(sums, dy.exponent, round(1 / unit))
    return dw if fixed else dw.floats()


def _array_and_unit(x, dtype):
    """(array, unit) with x = array * unit; integers wherever x is signs or bytes."""
    if isinstance(x, Signs):
        return x.unpack(dtype), 1
    if x.dtype == np.uint8:
        return 2 * x.astype(dtype) - 255, 1 / 255
    return x, 1


def of_bytes(sums, w, fixed):
    """What the sums over bytes stand for: they are 255 times as large."""
    if fixed:
        return Fixed(sums.astype(sum_dtype(255 * math.prod(w.shape[:-1]))), divisor=255)
    return sums.astype(np.float32) * BYTE_SCALE

"""Matrix products and convolutions of signs, bytes and floats.

Shapes: images NHWC, kernels HWIO (height, width, inputs, outputs), dense kernels (I, O).
An operand ``x`` is one of

- Signs, packed along its last axis: ±1;
- uint8: a picture's bytes b, which stand for (2b - 255) / 255 in [-1, 1];
- float32 or float64: itself.

A convolution is a sum of dense products, one per tap of the kernel, and so are its gradients. With
more threads BLAS would add in another order.
"""

import numpy as np

from minibnn.ops.bits import Signs
from minibnn.ops.rounding import BYTE_SCALE, byte_sum_dtype, sum_dtype
from minibnn.ops.shapes import windows
from minibnn.ops.threads import one_blas_thread

# -- dense ------------------------------------------------------------------------------------


@one_blas_thread()
def dense(x, w):
    """y = x @ w, one product per sample, so that a sample's result does not depend on its batch.

    Parameters
    ----------
    x : Signs (B, I) on axis 1, uint8 or float (B, I)
    w : (I, O) float

    Returns
    -------
    y : (B, O) float
    """
    x, scale = _numbers(x, w.dtype)
    return _times((x[:, None] @ w)[:, 0], scale)


@one_blas_thread()
def dense_grad_input(dy, w):
    """dx = dy @ w.T.

    Parameters
    ----------
    dy : (B, O) float
    w : (I, O) float

    Returns
    -------
    dx : (B, I) float
    """
    return dy @ w.T


@one_blas_thread()
def dense_grad_kernel(x, dy):
    """dw = x.T @ dy.

    Parameters
    ----------
    x : Signs (B, I) on axis 1, uint8 or float (B, I)
    dy : (B, O) float

    Returns
    -------
    dw : (I, O), typed like dy
    """
    x, scale = _numbers(x, dy.dtype)
    return _times(x.T @ dy, scale)


def binary_dense(x, w):
    """y = x @ w for a binary kernel.

    Parameters
    ----------
    x : Signs (B, I) on axis 1, uint8 or float (B, I)
    w : Signs (I, O) on axis 0

    Returns
    -------
    (B, O): for signs whole numbers, int16 where I fits, else int32. For bytes the exact sums of
    w * (2b - 255), times float32(1 / 255). For floats a product in that type.

    Examples
    --------
    >>> from minibnn.ops.bits import pack_signs
    >>> x, w = np.int8([[1, -1, 1]]), np.int8([[1, -1], [1, 1], [-1, 1]])
    >>> binary_dense(pack_signs(x, 1), pack_signs(w, 0))  # x @ w
    array([[-1, -1]], dtype=int16)
    """
    if isinstance(x, Signs) or x.dtype == np.uint8:
        return _scale_bytes(whole_sums_dense(x, w), x)
    return dense(x, w.unpack(x.dtype))


def whole_sums_dense(x, w):
    """``binary_dense`` of signs or bytes, the latter unscaled: sums of w * (2b - 255)."""
    n = w.shape[0]
    if isinstance(x, Signs):  # sums of ±1 are exact in float32
        return dense(x.unpack(np.float32), w.unpack(np.float32)).astype(sum_dtype(n))
    dtype = byte_sum_dtype(n)
    return dense(_centred(x, dtype), w.unpack(dtype))


@one_blas_thread()
def binary_dense_grad_input(dy, w_t):
    """dx = dy @ w.T.

    Parameters
    ----------
    dy : (B, O) float
    w_t : Signs (O, I) on axis 0
        The kernel transposed.

    Returns
    -------
    dx : (B, I), typed like dy
    """
    return dy @ w_t.unpack(dy.dtype)


def binary_dense_grad_kernel(x, dy):
    """dw = x.T @ dy (Eq. 3), by the binary weight.

    Parameters
    ----------
    x : Signs (B, I) on axis 1, uint8 or float (B, I)
        As in the forward product.
    dy : (B, O) float

    Returns
    -------
    dw : (I, O), typed like dy
    """
    return dense_grad_kernel(x, dy)


# -- convolution ------------------------------------------------------------------------------


def conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    """Cross-correlation, as every framework calls it.

    A sample's result does not depend on its batch.

    Parameters
    ----------
    x : NHWC: Signs on axis 3, uint8 or float
    w : HWIO float
    strides : (int, int)
    padding : "same" or "valid"
    pad_value : 0 or 1
        What ``same`` pads with, on the scale of [-1, 1].

    Returns
    -------
    NHWC float
    """
    x, scale = _numbers(x, w.dtype)
    return _times(_correlate(x, w, strides, padding, pad_value / scale), scale)


def conv2d_grad_input(dy, w, input_shape, strides=(1, 1), padding="same"):
    """dL/dx of ``conv2d``.

    Parameters
    ----------
    dy : NHWC float
    w : HWIO float
    input_shape : (N, H, W, C)
        Of x.
    strides : (int, int)
    padding : "same" or "valid"

    Returns
    -------
    dx : ``input_shape``, float
    """
    return _spread(dy, w.swapaxes(2, 3), input_shape, strides, padding)


@one_blas_thread()
def conv2d_grad_kernel(x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0):
    """dL/dw of ``conv2d``.

    Parameters
    ----------
    x : NHWC: Signs on axis 3, uint8 or float
    dy : NHWC float
    kernel_size : (int, int)
        Height and width.
    strides : (int, int)
    padding : "same" or "valid"
    pad_value : 0 or 1

    Returns
    -------
    dw : HWIO, typed like dy
    """
    x, scale = _numbers(x, dy.dtype)
    place = windows(x.shape[1:3], kernel_size, strides, padding)
    x = _pad(x, place, pad_value / scale)
    dw = np.empty((*kernel_size, x.shape[3], dy.shape[3]), dy.dtype)
    dy = dy.reshape(-1, dy.shape[3])
    for tap, (rows, columns) in place.taps():
        dw[tap] = x[:, rows, columns].reshape(-1, x.shape[3]).T @ dy
    return _times(dw, scale)


def binary_conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    """Convolution with a binary kernel.

    Parameters
    ----------
    x : Signs NHWC on axis 3, uint8 or float NHWC
    w : Signs HWIO on axis 2
    strides : (int, int)
    padding : "same" or "valid"
    pad_value : 0 or 1
        0 adds nothing at the border (Larq's default; the border then is no sign), 1 pads with +1.

    Returns
    -------
    NHWC, typed as by ``binary_dense``
    """
    if isinstance(x, Signs) or x.dtype == np.uint8:
        return _scale_bytes(whole_sums_conv2d(x, w, strides, padding, pad_value), x)
    return _correlate(x, w.unpack(x.dtype), strides, padding, pad_value)


def whole_sums_conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    """``binary_conv2d`` of signs or bytes, the latter unscaled: sums of w * (2b - 255)."""
    n = w.shape[0] * w.shape[1] * w.shape[2]
    place = strides, padding
    if isinstance(x, Signs):
        y = _correlate(x.unpack(np.float32), w.unpack(np.float32), *place, pad_value)
        return y.astype(sum_dtype(n))
    dtype = byte_sum_dtype(n)
    return _correlate(_centred(x, dtype), w.unpack(dtype), *place, 255 * pad_value)


def binary_conv2d_grad_input(dy, w_t, input_shape, strides=(1, 1), padding="same"):
    """dL/dx of ``binary_conv2d``.

    Parameters
    ----------
    dy : NHWC float
    w_t : Signs (H, W, O, I) on axis 2
        The kernel, inputs and outputs swapped.
    input_shape : (N, H, W, C)
        Of x.
    strides : (int, int)
    padding : "same" or "valid"

    Returns
    -------
    dx : ``input_shape``, typed like dy
    """
    return _spread(dy, w_t.unpack(dy.dtype), input_shape, strides, padding)


def binary_conv2d_grad_kernel(x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0):
    """dL/dw of ``binary_conv2d`` by the binary weights (Eq. 3).

    Parameters
    ----------
    x : NHWC: Signs on axis 3, uint8 or float
        As in the forward product.
    dy : NHWC float
    kernel_size : (int, int)
    strides : (int, int)
    padding : "same" or "valid"
    pad_value : 0 or 1

    Returns
    -------
    dw : HWIO, typed like dy
    """
    return conv2d_grad_kernel(x, dy, kernel_size, strides, padding, pad_value)


# -- the loops over taps ----------------------------------------------------------------------


@one_blas_thread()
def _correlate(x, w, strides, padding, pad_value):
    """Per tap, the pixels it meets times its matrix (I, O); one product per sample."""
    place = windows(x.shape[1:3], w.shape[:2], strides, padding)
    x = _pad(x, place, pad_value)
    y = 0
    for tap, (rows, columns) in place.taps():
        seen = x[:, rows, columns].reshape(len(x), -1, x.shape[3])
        y = y + seen @ w[tap]
    return y.reshape(len(x), *place.output, w.shape[3])


@one_blas_thread()
def _spread(dy, w_t, input_shape, strides, padding):
    """Per tap, dy times its transposed matrix (O, I), added to the pixels it met."""
    place = windows(tuple(input_shape[1:3]), w_t.shape[:2], strides, padding)
    dx = np.zeros((len(dy), *place.padded, w_t.shape[3]), np.result_type(dy, w_t))
    flat = dy.reshape(-1, dy.shape[3])
    for tap, (rows, columns) in place.taps():
        dx[:, rows, columns] += (flat @ w_t[tap]).reshape(*dy.shape[:3], -1)
    return np.ascontiguousarray(dx[:, *place.inside()])


def _pad(x, place, value):
    rows, columns = (place.top, place.bottom), (place.left, place.right)
    return np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)


# -- operands ---------------------------------------------------------------------------------


def _numbers(x, dtype):
    """(array, scale) with x = array * scale; whole numbers wherever x is signs or bytes."""
    if isinstance(x, Signs):
        return x.unpack(dtype), 1
    if x.dtype == np.uint8:
        return _centred(x, dtype), 1 / 255
    return x, 1


def _centred(x, dtype):
    return 2 * x.astype(dtype) - 255


def _times(y, scale):
    return y if scale == 1 else y * y.dtype.type(scale)


def _scale_bytes(sums, x):
    return sums if isinstance(x, Signs) else sums.astype(np.float32) * BYTE_SCALE

"""``pack``: a network's layers as steps on bits.

Layers are translated one by one. Behind a binary product of signs, everything up to the next sign
is one comparison with a whole number per channel (``fold``); where it is none, the layers are
taken over as they are, and are exact too. At last neighbours that the backend can do in one pass
become one step.
"""

from minibnn import nn
from minibnn.deploy import binary, real, shape
from minibnn.deploy.fold import fold
from minibnn.deploy.network import PackedNetwork
from minibnn.deploy.plan import Residual
from minibnn.deploy.translate import normalisation, spread, translate
from minibnn.deploy.value import PICTURES, SIGNS, SUMS, Value
from minibnn.errors import InputError
from minibnn.ops.rounding import BYTE_SCALE


def pack(network, classes=None, pictures=None, dataset=None):
    """A trained network as bits and integer thresholds.

    Its outputs are those of ``network.forward`` in evaluation mode, bit for bit, for every input.

    Parameters
    ----------
    network : Sequential
        Its arrays are copied.
    classes : sequence of str, optional
        Names of the outputs; by default the network's own.
    pictures : str, optional
        What it takes, by default what the network tells; see ``minibnn.nn.inputs``.
    dataset : str, optional
        Name of the data set it was trained on.

    Returns
    -------
    PackedNetwork

    Raises
    ------
    InputError
        For a layer that cannot be packed, naming it, and for statistics that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from minibnn import zoo
    >>> net = zoo.digits_net(filters=4, dense_units=8)
    >>> images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)
    >>> bool((pack(net).forward(images) == net.forward(images)).all())
    True
    """
    if not isinstance(network, nn.Sequential):
        raise InputError(f"what is packed must be a Sequential, found {network!r:.60}")
    given = Value(PICTURES, tuple(network.input_shape))
    steps = fuse(steps_of(spread(network.layers), given))
    classes = network.classes if classes is None else classes
    pictures = network.pictures if pictures is None else pictures
    return PackedNetwork(steps, network.input_shape, classes, network.name, pictures, dataset)


def steps_of(layers, given):
    """The steps that do what the layers do on a Value."""
    steps, rest = [], list(layers)
    while rest:
        made, done = _next(rest, given)
        steps += made
        del rest[:done]
        given = steps[-1].output if steps else given
    return steps


def _next(layers, given):
    """Steps of the first layers, and of how many."""
    first = layers[0]
    if given.kind == SUMS and (folded := fold(layers, given)) is not None:
        return folded
    if given.kind == PICTURES and (made := _first_product(layers, given)) is not None:
        return made
    if type(first) is nn.Sign and given.kind == SIGNS:
        return [], 1
    if [type(layer) for layer in layers[:2]] == [nn.BatchNorm, nn.Sign]:
        return [normalisation(first, given, real.BatchNormSign)], 2
    if type(first) is nn.Residual:
        chains = (steps_of(spread(chain.layers), given) for chain in first.inner_chains())
        return [Residual(first.name, given, *map(fuse, chains))], 1
    return [translate(first, given)], 1


_FIRST = {nn.BinaryDense: binary.FirstDense, nn.BinaryConv2D: binary.FirstConv2D}


def _first_product(layers, given):
    """A binary product of pictures and the signs behind it: other steps for bytes and floats.

    None where there is none, or the signs of its sums over bytes are no plain comparison.
    """
    kind = _FIRST.get(type(layers[0]))
    if kind is None:
        return None
    product = translate(layers[0], given)
    sums = Value(SUMS, product.output.shape, binary.BYTE * product.terms)
    folded = fold(layers[1:], sums, BYTE_SCALE)
    if folded is None:
        return None
    (*before, threshold), done = folded
    pool = len(before) == 1 and _halves(before[0])
    if not isinstance(threshold, binary.Threshold) or (before and not pool):
        return None
    options = product.options() | ({"pool": pool} if "pool" in kind.fields else {})
    floats = fuse(steps_of(layers[1 : 1 + done], product.output))
    step = kind(product.name, given, floats, **options)
    return [step.fill(product.arrays | threshold.arrays)], 1 + done


# -- one pass for neighbours ---------------------------------------------------------------------


def fuse(steps):
    """Products and the comparisons behind them as single steps."""
    fused, rest = [], list(steps)
    while rest:
        step, done = _fused(rest)
        fused.append(step)
        del rest[:done]
    return fused


def _fused(steps):
    first, second, third = [*steps, None, None][:3]
    if first.given.kind != SIGNS:
        return first, 1
    if isinstance(first, binary.BinaryDense) and isinstance(second, binary.Threshold):
        return _merged(binary.BinaryDenseThreshold, first, second), 2
    if not isinstance(first, binary.BinaryConv2D):
        return first, 1
    if _halves(second) and isinstance(third, binary.Threshold):
        return _merged(binary.BinaryConv2DThreshold, first, third, pool=True), 3
    if isinstance(second, binary.Threshold):
        if _halves(third) and second.thresholds.rising.all():  # then the order does not matter
            return _merged(binary.BinaryConv2DThreshold, first, second, pool=True), 3
        return _merged(binary.BinaryConv2DThreshold, first, second, pool=False), 2
    return first, 1


def _halves(step):
    """Whether a step is the pooling that convolutions can do themselves."""
    return isinstance(step, shape.MaxPool2D) and (
        (step.pool_size, step.strides, step.padding) == ((2, 2), (2, 2), "valid")
    )


def _merged(kind, product, threshold, **options):
    step = kind(product.name, product.given, **product.options(), **options)
    return step.fill(product.arrays | threshold.arrays)

"""``pack``: a network's layers as steps on bits.

Layers are translated one by one. Behind a binary product of signs, everything up to the next sign
is one comparison with an integer per channel (``fold``); where it is none, the layers are taken
over as they are, and are exact too. At last neighbours that the backend can do in one pass become
one step.
"""

from minibnn import nn
from minibnn.deploy.fold import fold, spread
from minibnn.deploy.network import PackedNetwork
from minibnn.deploy.steps import (
    BYTE,
    IMAGES,
    KINDS,
    SIGNS,
    SUMS,
    ThresholdStep,
    Value,
    of_layer,
    translate,
)
from minibnn.errors import InputError
from minibnn.ops.rounding import BYTE_SCALE


def pack(network, classes=None, dataset=None):
    """A trained network, a Sequential, as bits and integer thresholds: a PackedNetwork.

    Its outputs are those of ``network.forward`` in evaluation mode, bit for bit, for every input.
    ``classes``, names of the outputs, are the network's own by default; ``dataset`` names what it
    was trained on. InputError for a layer that cannot be packed, naming it, and for statistics that
    are not finite.

    >>> import numpy as np
    >>> from minibnn import zoo
    >>> net = zoo.digits_net(filters=4, dense_units=8)
    >>> images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)
    >>> bool((pack(net).forward(images) == net.forward(images)).all())
    True
    """
    if not isinstance(network, nn.Sequential):
        raise InputError(f"what is packed must be a Sequential, found {network!r:.60}")
    given = Value(IMAGES, tuple(network.input_shape))
    steps = steps_of(network.layers, given)
    classes = network.classes if classes is None else classes
    about = classes, network.name, network.image_form, dataset
    return PackedNetwork(steps, network.input_shape, *about)


def steps_of(layers, given):
    """The steps that do what the layers do on a Value."""
    steps, rest = [], list(spread(layers))
    while rest:
        made, done = _next(rest, given)
        steps += made
        del rest[:done]
        given = steps[-1].output if steps else given
    return _joined(steps)


def _next(layers, given):
    """Steps of the first layers, and of how many."""
    first = layers[0]
    if given.kind == SUMS and (folded := fold(layers, given)) is not None:
        return folded
    if given.kind == IMAGES and (made := _first_product(layers, given)) is not None:
        return made
    if type(first) is nn.Sign and given.kind == SIGNS:
        return [], 1
    if [type(layer) for layer in layers[:2]] == [nn.BatchNorm, nn.Sign]:
        return [of_layer(KINDS["batch_norm_sign"], first, given)], 2
    if type(first) is nn.Residual:
        body, shortcut = (steps_of(chain.layers, given) for chain in first.inner_chains())
        inner = {"body": body, "shortcut": shortcut}
        return [KINDS["residual"].make(first.name, given, inner)], 1
    return [translate(first, given)], 1


def _first_product(layers, given):
    """A binary product of images and the signs behind it: other steps for bytes and floats.

    None where there is none, or the signs of its sums over bytes are no plain comparison.
    """
    if type(layers[0]) not in (nn.BinaryDense, nn.BinaryConv2D):
        return None
    product = translate(layers[0], given)
    sums = Value(SUMS, product.output.shape, BYTE * product.terms)
    folded = fold(layers[1:], sums, BYTE_SCALE)
    if folded is None:
        return None
    (*before, threshold), done = folded
    pool = len(before) == 1 and _halves(before[0])
    if not isinstance(threshold, ThresholdStep) or (before and not pool):
        return None
    floats = steps_of(layers[1 : 1 + done], product.output)
    return [_merged("first", product, threshold, pool, floats=floats)], 1 + done


# -- one pass for neighbours ---------------------------------------------------------------------


def _joined(steps):
    """Products and the comparisons behind them as single steps."""
    joined, rest = [], list(steps)
    while rest:
        first, second, third = [*rest, None, None][:3]
        made, done = first, 1
        if first.given.kind == SIGNS and first.kind == "binary_dense":
            if isinstance(second, ThresholdStep):
                made, done = _merged("threshold", first, second), 2
        elif first.given.kind == SIGNS and first.kind == "binary_conv2d":
            if _halves(second) and isinstance(third, ThresholdStep):
                made, done = _merged("threshold", first, third, True), 3
            elif isinstance(second, ThresholdStep):
                # Where all channels rise, the order of pooling and comparison does not matter.
                pool = _halves(third) and bool(second.thresholds.rising.all())
                made, done = _merged("threshold", first, second, pool), 2 + pool
        joined.append(made)
        del rest[:done]
    return joined


def _halves(step):
    """Whether a step is the pooling that convolutions can do themselves."""
    return (
        step is not None
        and step.kind == "max_pool2d"
        and step.layer.geometry == ((2, 2), (2, 2), "valid")
    )


def _merged(what, product, threshold, pool=False, **options):
    """A product and a comparison as one step: "first" of images, or "threshold" of signs."""
    shape = product.kind.removeprefix("binary_")
    kind = KINDS[f"first_{shape}" if what == "first" else f"binary_{shape}_threshold"]
    options |= {"pool": pool} if "pool" in kind.fields else {}
    step = kind.make(product.name, product.given, product.options | options)
    return step.fill(product.arrays | threshold.arrays)

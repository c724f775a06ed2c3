"""A trained network as bits and integer thresholds; FORMAT.md beside this module has its file.

Behind a binary product of signs, everything up to the next sign is one comparison with an integer
per channel (``fold``). Where it is none, the layers are taken over as they are, and are exact too.
"""

import math

import numpy as np

from minibnn import nn
from minibnn.deploy.fold import check_statistics, fold
from minibnn.errors import InputError, ours
from minibnn.nn.chain import BINARY, MultiplyAndCompare, fuse, halves
from minibnn.nn.network import load_network
from minibnn.ops.rounding import BYTE_SCALE

BYTE = 255  # the largest magnitude of 2 b - 255
_KEEP_INTEGERS = *BINARY, nn.MaxPool2D, nn.Flatten, nn.ReLU


class PackedNetwork(nn.Sequential):
    """What ``pack`` makes of a network and ``load`` reads: a Sequential that cannot be trained."""

    on_bytes = None  # the first step for bytes, if it is another one, and the steps behind it

    def load_state_dict(self, arrays):
        """Put back the ``arrays`` of ``state_dict``; InputError if they misfit, or hold NaN."""
        super().load_state_dict(arrays)
        check_statistics(self)
        self.on_bytes = None
        if self.layers and type(self.layers[0]) in BINARY:
            product, *behind = self.layers
            channels, most = product.kernel.shape[-1], BYTE * _terms(product)
            found, done = fold(behind, channels, most, product.scale, BYTE_SCALE) or ([], 0)
            if len(found) == 1 or (len(found) == 2 and halves(found[0])):
                first = MultiplyAndCompare(product, *found)
                self.on_bytes = first, fuse(behind[done:])

    def backward(self, dy, need_dx=False):
        """InputError, whatever ``dy`` and ``need_dx``: it cannot be trained."""
        raise InputError(f"{self.name} is packed: train the network it comes from")

    def _run(self, x, training):
        if training:
            self.backward(x)
        if self.on_bytes is None or not isinstance(x, np.ndarray) or x.dtype != np.uint8:
            return super()._run(x, training)
        first, steps = self.on_bytes
        x = first.compare(x)
        for step in steps:
            x = step.forward(x)
        return x


def pack(network, classes=None, dataset=None):
    """A trained network, a Sequential, as bits and integer thresholds: a PackedNetwork.

    Its outputs are those of ``network.forward`` in evaluation mode, bit for bit, for every input.
    ``classes`` and ``dataset`` are as in ``Sequential``; by default the classes are the network's.
    InputError names a layer that cannot be packed, or whose statistics are not finite.

    >>> from minibnn import zoo
    >>> net = zoo.digits_net(filters=4, dense_units=8)
    >>> images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)
    >>> bool((pack(net).forward(images) == net.forward(images)).all())
    True
    """
    if not isinstance(network, nn.Sequential) or isinstance(network, PackedNetwork):
        raise InputError(f"what is packed must be a Sequential, found {network!r:.60}")
    check_statistics(network)
    configs, sources = _packed(network.layers, network.input_shape, False)
    packed = PackedNetwork(
        configs,
        network.input_shape,
        name=network.name,
        classes=network.classes if classes is None else classes,
        image_form=network.image_form,
        dataset=dataset,
    )
    arrays, layers = {}, [one for one in packed.chain.walk() if not one.inner_chains()]
    for layer, source in zip(layers, sources, strict=True):
        arrays |= {f"{layer.name}/{key}": array for key, array in source.held().items()}
    packed.load_state_dict({name: arrays[name] for name in packed.arrays()})
    return packed


def load(path):
    """The PackedNetwork in the file ``path`` of ``PackedNetwork.save``; InputError if it is none.

    Where its sizes do not add up, nothing of these sizes was allocated.
    """
    return load_network(path, (PackedNetwork,))


def _packed(layers, shape, signs):
    """(configurations of the packed layers, the layers that hold their arrays).

    The ``layers`` are given inputs of a ``shape``, which are Signs or not; where ``fold`` finds
    Thresholds, these take their place.
    """
    configs, sources, rest = [], [], list(layers)
    most = None  # the largest magnitude of what the next layer is given, if these are integers
    while rest:
        first, scale, product = rest[0], None, type(rest[0]) in BINARY
        if not ours(type(first)):
            kind = type(first).__name__
            raise InputError(f"{first.name} cannot be packed: {kind} is no layer of minibnn's")
        if product:
            most, scale = _terms(first) if signs else None, first.scale
        channels = (first.output_shape(shape) if product else shape)[-1]
        folded = None if most is None else fold(rest[product:], channels, most, scale)
        if folded is None:
            new, done = [first], 1
            most = most if scale is None and type(first) in _KEEP_INTEGERS else None
        else:
            new, done = folded[0], product + folded[1]
            if len(new) == 1 and new[0].thresholds.rising.all() and halves(*rest[done : done + 1]):
                new, done = [rest[done], *new], done + 1  # pooling commutes with what rises
            new, scale, most = [*rest[:product], *new], None, None
        for layer in new:
            config = {"kind": "Sign"} if type(layer) is nn.Sign else layer.config()
            if type(layer) in BINARY:
                config["kernel_quantizer"] = "ste_sign" if scale is None else "magnitude_aware_sign"
            if isinstance(layer, nn.Residual):
                for part, chain in zip(("body", "shortcut"), layer.inner_chains(), strict=True):
                    config[part], inner = _packed(chain.layers, shape, signs)
                    sources += inner
            else:
                sources.append(layer)
            configs.append(config)
            shape, signs = layer.output_shape(shape), layer.gives_signs(signs)
        del rest[:done]
    return configs, sources


def _terms(product):
    """How many products are added up for each output of a layer."""
    return math.prod(product.kernel.shape[:-1])

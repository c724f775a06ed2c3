"""Everything between integers and the next sign is one comparison per channel.

Scales, batch normalisation and ReLU are monotone in each channel, their roundings included, and so
is one after the other: among integers there is one at most where the sign changes. It is found by
bisection of the very layers. Max pooling may come before, between and after: it commutes with what
rises; behind a channel that falls it chooses among the signs. And flattening may come last.
"""

from copy import copy

import numpy as np

from minibnn import nn
from minibnn.errors import InputError
from minibnn.nn.layers.threshold import Threshold
from minibnn.ops.backend import ops
from minibnn.ops.thresholds import where_sign_changes


def fold(layers, channels, most, scale=None, unit=None):
    """(what the layers up to the first Sign become, how many layers these are), or None.

    They are given integers of ``channels``, at most ``most`` large, and see them times ``scale``,
    one per channel, if there is one. With ``unit`` they see float32(z) * unit: 1 / 255 for sums
    over bytes. They become a Threshold, perhaps with pooling and Flatten. None where another layer
    comes before the sign, or pooling stands where neither order is exact.
    """
    program, first_pools, last_pools, flat = [], [], [], []
    rising = np.ones(channels, bool)
    if scale is not None:
        program, rising = [lambda x: ops.scale_channels(x, scale)], ~(scale < 0)
    for layer in layers:
        if type(layer) is nn.Sign:
            break
        if flat:  # what follows has other channels
            return None
        if type(layer) is nn.MaxPool2D:
            (first_pools if rising.all() and not last_pools else last_pools).append(layer)
        elif type(layer) in (nn.BatchNorm, nn.ReLU):
            turns = type(layer) is nn.BatchNorm and layer.scale and layer.gamma.value < 0
            if last_pools and np.any(turns):
                return None
            program.append(copy(layer).forward)  # the network keeps what its backward pass needs
            rising = rising ^ turns
        elif type(layer) is nn.Flatten:
            flat.append(layer)
        else:
            return None
    else:
        return None
    ends = -most, most
    if most >= 2**31 - 1 or not all(_run(program, np.full(channels, end), unit)[1] for end in ends):
        return None  # a level has 32 bits; and what is not finite on the way is not monotone
    level = where_sign_changes(lambda z: ~(_run(program, z, unit)[0] < 0), rising, -most, most)
    threshold, direction = Threshold(), np.where(rising, 1, -1).astype(np.int8)
    threshold.load_state({"level": level.astype(np.int32), "direction": direction})
    return [*first_pools, threshold, *last_pools, *flat], layers.index(layer) + 1


def check_statistics(network):
    """InputError unless scales and batch normalisations are finite, with no variance below 0."""
    for layer in network.chain.walk():
        if layer.inner_chains():
            continue
        for key, array in layer.held().items():
            if key not in ("kernel", "bias") and not np.isfinite(array).all():
                raise InputError(f"{layer.name}/{key} holds NaN or infinity")
        layer.check_state(layer.state())  # no variance below 0


def _run(program, z, unit):
    y, finite = z.astype(np.int32)[None], True
    y = y if unit is None else y.astype(np.float32) * unit
    for step in program:
        y = step(y)
        finite = finite and bool(np.isfinite(y).all())
    return y[0], finite

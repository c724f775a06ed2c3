"""Everything between integers and the next sign is one comparison per channel.

Scales, batch normalisation and ReLU are monotone in each channel, their roundings included, and so
is one after the other: among integers there is one at most where the sign changes. It is found by
bisection of the very layers. Max pooling may come before, between and after: it commutes with what
rises; behind a channel that falls it chooses among the signs. And flattening may come last.
"""

from copy import copy

import numpy as np

from minibnn import nn
from minibnn.deploy.steps import KINDS, Scale, translate
from minibnn.ops.thresholds import where_sign_changes


def spread(layers):
    """The layers, and behind each binary one the Scale of its outputs if there is one."""
    for layer in layers:
        yield layer
        if type(layer) in (nn.BinaryConv2D, nn.BinaryDense) and layer.kernel.scale is not None:
            scale = Scale()
            scale.name, scale.scale = f"{layer.name}_scale", layer.kernel.scale.copy()
            yield scale


def fold(layers, given, unit=None):
    """Steps for the layers up to the first Sign, for integers given, and of how many layers.

    With ``unit`` the layers see float32(z) * unit: 1 / 255 for sums over bytes. None where this is
    no comparison: there is no sign, another layer comes before it, or pooling stands where neither
    order is exact.
    """
    program, first_pools, last_pools, flat = [], [], [], []
    rising = np.ones(given.shape[-1], bool)
    for layer in layers:
        if type(layer) is nn.Sign:
            break
        if flat:  # what follows has other channels
            return None
        if type(layer) is nn.MaxPool2D:
            (first_pools if rising.all() and not last_pools else last_pools).append(layer)
        elif type(layer) in (Scale, nn.BatchNorm, nn.ReLU):
            factor = layer.scale if type(layer) is Scale else None
            if type(layer) is nn.BatchNorm:
                translate(layer, given)  # refuses statistics that are not finite
                factor = layer.gamma.value if layer.scale else None
            turns = factor is not None and factor < 0
            if last_pools and np.any(turns):
                return None
            program.append(layer)
            rising = rising ^ turns
        elif type(layer) is nn.Flatten:
            flat.append(layer)
        else:
            return None
    else:
        return None
    found = _levels(program, rising, given.most, unit)
    if found is None:
        return None
    steps = _steps(first_pools, given)
    last = steps[-1].output if steps else given
    steps.append(KINDS["threshold"].make(layer.name, last, {}).fill_levels(*found))
    steps += _steps(last_pools, steps[-1].output)
    steps += _steps(flat, steps[-1].output)
    return steps, layers.index(layer) + 1


def _steps(layers, given):
    steps = []
    for layer in layers:
        steps.append(translate(layer, given))
        given = steps[-1].output
    return steps


def _levels(program, rising, most, unit):
    """(level, rising): where the sign of the program changes for integers from -most to most.

    None if a number on the way is not finite: only what is finite is monotone.
    """
    if not all(_run(program, np.full(rising.shape, end), unit)[1] for end in (-most, most)):
        return None
    level = where_sign_changes(lambda z: ~(_run(program, z, unit)[0] < 0), rising, -most, most)
    first = np.where(rising, level, -level)
    constant = (first == -most) | (first > most)
    return np.where(constant, first, level), rising | constant


def _run(program, z, unit):
    y, finite = z.astype(np.int32)[None], True
    y = y if unit is None else y.astype(np.float32) * unit
    for layer in program:
        y = copy(layer).forward(y)  # the network keeps what it has for its own backward pass
        finite = finite and bool(np.isfinite(y).all())
    return y[0], finite

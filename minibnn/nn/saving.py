"""One network in one file: an npz without pickles, kernels as bits, configuration as JSON."""

import json
import math

import numpy as np

from minibnn.errors import InputError
from minibnn.files import archive
from minibnn.files.atomic import write_atomic
from minibnn.nn.network import Sequential

FORMAT = 1
HEADER = "network.json"
BITS = ".bits"  # ends the name of a packed array


def save_network(network, path):
    """Write a network into one file, which is never half there."""
    binary = {p.name for p in network.parameters() if p.binary}
    arrays = {}
    for name, value in network.state_dict().items():
        if name in binary:
            arrays[name + BITS] = np.packbits(value.ravel() < 0)
        else:
            arrays[name] = value
    header = json.dumps({"format": FORMAT, "config": network.config()})
    arrays[HEADER] = np.frombuffer(header.encode(), np.uint8)
    try:
        write_atomic(path, archive.encode(arrays))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def load_network(path):
    """The network in a file of ``Sequential.save``.

    Parameters
    ----------
    path : path

    Returns
    -------
    Sequential

    Raises
    ------
    InputError
        If the file is missing, damaged or something else.
    """
    try:
        with archive.opened(path) as members:
            arrays = members.read_all()
        if archive.CHECKSUM in arrays:  # the first files had none
            archive.verify(arrays)
        header = json.loads(arrays.pop(HEADER).tobytes())
        version, config = header["format"], header["config"]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not a saved network, or damaged: {error}") from None
    if version != FORMAT:
        raise InputError(f"{path} has format {version}; this version of minibnn reads {FORMAT}")
    try:
        network = Sequential.from_config(config, lambda needed: _check(needed, arrays))
        shapes = {name: shape for name, (_, shape) in network.arrays().items()}
        network.load_state_dict({name: _value(name, arrays, shapes[name]) for name in shapes})
    except InputError as error:
        raise InputError(f"{path} does not fit its own configuration: {error}") from None
    return network


def _check(needed, arrays):
    """InputError unless these arrays of a file are those that a network needs."""
    names = {}
    for name, (dtype, _) in needed.items():
        names[name + BITS if np.dtype(dtype) == np.int8 else name] = name
    for name in names.keys() ^ arrays.keys():
        where = "is missing" if name in names else "is not part of this network"
        raise InputError(f"array {name} {where}")
    for name, plain in names.items():
        shape, found = needed[plain][1], arrays[name]
        if name == plain and found.shape != shape:
            raise InputError(f"{name} must have shape {shape}, found {found.shape}")
        if name != plain:
            count, bits = math.prod(shape), found.size * 8
            if found.dtype != np.uint8 or found.ndim != 1 or not count <= bits < count + 8:
                raise InputError(f"{plain} must hold {count} bits, found {bits} ({found.dtype})")


def _value(name, arrays, shape):
    if name in arrays:
        return arrays[name]
    bits = np.unpackbits(arrays[name + BITS], count=math.prod(shape))
    return (1 - 2 * bits.view(np.int8)).reshape(shape)

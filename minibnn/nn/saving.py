"""One network in one file: an npz without pickles, kernels as bits, configuration as JSON."""

import json
import os
from pathlib import Path

import numpy as np

from minibnn.errors import InputError
from minibnn.files import archive
from minibnn.nn.network import Sequential

FORMAT = 1
HEADER = "network.json"
BITS = ".bits"  # ends the name of a packed array


def save_network(network, path):
    """Write a network; the file is made beside, synced and renamed, so it is never half there."""
    path = Path(path)
    binary = {p.name for p in network.parameters() if p.binary}
    arrays = {}
    for name, value in network.state_dict().items():
        if name in binary:
            arrays[name + BITS] = np.packbits(value.ravel() < 0)
        else:
            arrays[name] = value
    header = json.dumps({"format": FORMAT, "config": network.config()})
    arrays[HEADER] = np.frombuffer(header.encode(), np.uint8)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


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
        header = json.loads(arrays.pop(HEADER).tobytes())
        version, config = header["format"], header["config"]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not a saved network, or damaged: {error}") from None
    if version != FORMAT:
        raise InputError(f"{path} has format {version}; this version of minibnn reads {FORMAT}")
    network = Sequential.from_config(config)
    try:
        network.load_state_dict({name: _unpacked(name, arrays, network) for name in _names(arrays)})
    except InputError as error:
        raise InputError(f"{path} does not fit its own configuration: {error}") from None
    return network


def _names(arrays):
    return [name.removesuffix(BITS) for name in arrays]


def _unpacked(name, arrays, network):
    if name in arrays:
        return arrays[name]
    shape = next((p.shape for p in network.parameters() if p.name == name), (0,))
    bits = np.unpackbits(arrays[name + BITS])
    size = int(np.prod(shape))
    if not size <= len(bits) < size + 8:
        raise InputError(f"{name} must hold {size} bits, found {len(bits)}")
    return 1 - 2 * bits[:size].astype(np.int8).reshape(shape)

"""``load``: a network from a file or a run folder."""

import os
from pathlib import Path

from minibnn.deploy import file as deploy
from minibnn.errors import InputError
from minibnn.files.archive import member_names
from minibnn.nn import Sequential, load_network
from minibnn.training import checkpoint
from minibnn.training.run_folder import CHECKPOINT, compared, read_config


def load(path):
    """The network in ``path``: a Sequential or PackedNetwork.

    ``path`` is a file of ``net.save``, a run folder (its last checkpoint), a checkpoint.npz, a
    best.npz or a packed network. InputError if there is none, or the file is damaged.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path must be a text or a path, found {path!r:.60}")
    path = Path(path)
    if path.is_dir():
        if not (path / CHECKPOINT).exists():
            raise InputError(_nothing_in(path))
        path = path / CHECKPOINT
    names = member_names(path)
    if deploy.DESCRIPTION in names:
        return deploy.load(path)
    if "meta" not in names and path.name != CHECKPOINT:
        return load_network(path)
    meta, arrays = checkpoint.read(path)
    prefix = "network/"
    own = {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
    try:
        net = Sequential.from_config(meta.get("network"), lambda needed: _check(needed, own))
        net.load_state_dict(own)
    except InputError as error:
        raise InputError(f"{path} does not fit its own configuration: {error}") from None
    return net


def _check(needed, arrays):
    """InputError unless these arrays of a file are those that a network needs."""
    for name in needed.keys() | arrays.keys():
        found = arrays[name].shape if name in arrays else "none"
        wanted = needed[name][1] if name in needed else "none"
        if found != wanted:
            raise InputError(f"{name} must have shape {wanted}, found {found}")


def _nothing_in(folder):
    read_config(folder)
    if runs := compared(folder):
        return f"{folder} compares several runs; name one: {', '.join(map(str, runs))}"
    return f"{folder} has no {CHECKPOINT} yet"

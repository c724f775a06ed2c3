"""``load``: a network from a file or a run folder."""

import os
from pathlib import Path

from minibnn.deploy import network as deploy
from minibnn.errors import InputError
from minibnn.files.archive import member_names
from minibnn.nn import load_network
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
    if deploy.DESCRIPTION in member_names(path):
        return deploy.load(path)
    return load_network(path)


def _nothing_in(folder):
    read_config(folder)
    if runs := compared(folder):
        return f"{folder} compares several runs; name one: {', '.join(map(str, runs))}"
    return f"{folder} has no {CHECKPOINT} yet"

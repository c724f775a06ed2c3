"""``load``: a network from a file or a run folder."""

import os
from pathlib import Path

from minibnn.deploy import PackedNetwork
from minibnn.errors import InputError
from minibnn.nn import Sequential, load_network
from minibnn.training.run_folder import CHECKPOINT, compared, read_config


def load(path):
    """The network in ``path``: a Sequential or PackedNetwork.

    ``path`` is a file of ``net.save``, a run folder (its last checkpoint), a checkpoint.npz, a
    best.npz or a packed network. InputError if there is none, or the file is damaged.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path must be a text or a path, found {path!r:.60}")
    path = folder = Path(path)
    if folder.is_dir():
        path = folder / CHECKPOINT
        if not path.exists():
            read_config(folder)  # which tells a folder that is none of a run
            names = ", ".join(map(str, compared(folder)))
            several = f"{folder} compares several runs; name one: {names}"
            raise InputError(several if names else f"{folder} has no {CHECKPOINT} yet")
    return load_network(path, (Sequential, PackedNetwork))

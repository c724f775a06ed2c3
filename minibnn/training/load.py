"""``load``: a network from a file or a run folder."""

import zipfile
from pathlib import Path

from minibnn.errors import InputError
from minibnn.nn import Sequential, load_network
from minibnn.training import checkpoint
from minibnn.training.run_folder import CHECKPOINT, read_config


def load(path):
    """The network in ``path``.

    Parameters
    ----------
    path : path
        A file of ``net.save``, a run folder (its last checkpoint) or a checkpoint.npz.

    Returns
    -------
    Sequential

    Raises
    ------
    InputError if there is none, or the file is damaged.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / CHECKPOINT).exists():
            raise InputError(_nothing_in(path))
        path = path / CHECKPOINT
    if not _is_checkpoint(path):
        return load_network(path)
    meta, arrays = checkpoint.read(path)
    net = Sequential.from_config(meta["network"])
    prefix = "network/"
    own = {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
    net.load_state_dict(own)
    return net


def _is_checkpoint(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return "meta.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return path.name == CHECKPOINT  # let its reader say what is wrong


def _nothing_in(folder):
    runs = [name for name in read_config(folder).get("optimizers", ())]
    if runs:
        return (
            f"{folder} compares several runs; name one: {', '.join(f'{folder}/{r}' for r in runs)}"
        )
    return f"{folder} has no {CHECKPOINT} yet"

"""What a run is: its settings as a plain dict, and whether two of them are the same run."""

import zlib

import numpy as np

from minibnn._version import __version__
from minibnn.data.folder import FolderImages
from minibnn.errors import InputError
from minibnn.ops import backend
from minibnn.optim import schedules

# Recorded, but no reason to refuse a resume: how the run was started, and what computes it.
_NOT_IDENTITY = (
    "options",
    "epochs",
    "checkpoint_every",
    "checkpoint_minutes",
    "minibnn",
    "computed_by",
    "class_names",
    "mpi",
    "machine_dependent",
)


def describe_run(
    kind,
    net,
    data,
    *,
    epochs,
    batch_size,
    seed,
    loss,
    augment,
    validation,
    checkpoint_every,
    checkpoint_minutes,
    class_weight=None,
):
    """Everything but the optimizers that is needed to repeat a run, as JSON can hold it."""
    return {
        "kind": kind,
        "minibnn": __version__,
        "computed_by": describe_backend(),
        "data": describe_data(data),
        "class_names": list(data.classes),
        "network": net.config(),
        **_machine_dependent(net, data),
        "loss": loss if isinstance(loss, str) else _name_of(loss),
        "class_weight": class_weight,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "augment": augment,
        "validation": validation,
        "checkpoint_every": checkpoint_every,
        "checkpoint_minutes": checkpoint_minutes,
    }


def _name_of(function):
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{function.__module__}.{name}"


def _machine_dependent(net, data):
    """With integer gradients, the layers whose last bits depend on the machine all the same."""
    if net.gradients == "float32":
        return {}
    return {"machine_dependent": net.machine_dependent(data.train_images.dtype)}


def machine_note(net, data):
    """A line about what integer gradients promise of a network, or None if they promise all."""
    layers = _machine_dependent(net, data).get("machine_dependent")
    if not layers:
        return None
    some = ", ".join(layers[:5]) + (", ..." if len(layers) > 5 else "")
    return f"last bits may differ between machines: {some} compute with real numbers"


def describe_backend():
    """The backend and its vector path: bits are promised to repeat where both are the same."""
    describe = getattr(backend, "describe", lambda: {"backend": backend.backend_name()})
    return describe()


def describe_data(data):
    """Name, sizes and a CRC-32 of pictures and labels; of files only their names and sizes."""
    crc = 0
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        if isinstance(array, FolderImages):
            crc = array.crc32(crc)
        else:
            crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    return {
        "name": data.name,
        "train": len(data.train_images),
        "test": len(data.test_images),
        "shape": list(data.train_images.shape[1:]),
        "classes": len(data.classes),
        "crc32": f"{crc:08x}",
    }


def check_same_run(found, asked, folder):
    """Hold the settings of the run in ``folder`` against those asked for.

    Parameters
    ----------
    found, asked : dict
        config.json as it is, and as this start would write it.

    Returns
    -------
    list of str
        What changed without being another run (version, backend), to be told.

    Raises
    ------
    InputError naming the first setting that differs, or epochs if they would shrink.
    """
    known = {key: value for key, value in found.items() if key not in _NOT_IDENTITY}
    wanted = {key: value for key, value in asked.items() if key not in _NOT_IDENTITY}
    for key, was, now in _differences(known, wanted):
        raise InputError(f"{folder} holds another run: {key} was {was}, now {now}")
    if (found.get("epochs") or 0) > asked["epochs"]:
        raise InputError(
            f"epochs may only be raised: {folder} was started for {found['epochs']}, "
            f"now {asked['epochs']}"
        )
    notes = []
    if found.get("epochs") != asked["epochs"] and _has_schedule(asked):
        notes.append(
            f"started for {found.get('epochs')} epochs, now {asked['epochs']}: schedules over the "
            f"whole run go on as those of {asked['epochs']} epochs"
        )
    if found.get("minibnn") != asked["minibnn"]:
        notes.append(f"started with minibnn {found.get('minibnn')}, now {asked['minibnn']}")
    exact = asked.get("machine_dependent") == []  # the same bits wherever it is computed
    if found.get("computed_by") != asked["computed_by"] and not exact:
        was, now = (_words(config.get("computed_by")) for config in (found, asked))
        notes.append(f"started on {was}, now on {now}: last bits may differ from one long run")
    was, now = (_ranks_words(config.get("mpi")) for config in (found, asked))
    synced = all(m is None or m["sync_batch_norm"] for m in (found.get("mpi"), asked.get("mpi")))
    if was != now and not (exact and synced):
        notes.append(f"started on {was}, now on {now}: it goes on, but not bit for bit the same")
    return notes


def _ranks_words(mpi):
    if not mpi:
        return "1 rank"
    how = "synchronised" if mpi["sync_batch_norm"] else "per rank"
    return f"{mpi['ranks']} ranks with batch normalisation {how}"


def _has_schedule(config):
    """Whether a hyperparameter has a schedule over the whole run, or over a share of it."""
    if isinstance(config, dict):
        return any(_has_schedule(value) for key, value in config.items() if key != "options")
    if isinstance(config, str) and config.startswith(schedules.NAMES):
        return schedules.parse(config).over_whole_run
    return False


def _words(computed_by):
    return " ".join(str(value) for value in (computed_by or {}).values()) or "an unknown backend"


def flat(value, at=""):
    """{dotted key: short text} of every leaf of a configuration."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: t for key, leaf in items for k, t in flat(leaf, f"{at}{key}.").items()}
    return {at.rstrip("."): _short(value)}


def _differences(found, asked, at=""):
    """(dotted key, value found, value asked) of every leaf that differs."""
    if isinstance(found, dict) and isinstance(asked, dict):
        for key in sorted({*found, *asked}, key=str):
            yield from _differences(found.get(key), asked.get(key), f"{at}{key}.")
    elif isinstance(found, list) and isinstance(asked, list) and len(found) == len(asked):
        for i, pair in enumerate(zip(found, asked, strict=True)):
            yield from _differences(*pair, f"{at}{i}.")
    elif found != asked:
        yield at.rstrip("."), _short(found), _short(asked)


def _short(value):
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""config.json: what a run is, written at its start and held against what a resume asks for."""

import json
import zlib

import numpy as np

from minibnn._version import __version__
from minibnn.data.folder import FolderImages
from minibnn.errors import InputError, one_line
from minibnn.ops import backend
from minibnn.optim import schedules

# Recorded, but no reason to refuse a resume: how the run was started, and what computes it.
_NOT_IDENTITY = (
    *("options", "epochs", "checkpoint_every", "checkpoint_minutes", "minibnn", "computed_by"),
    *("class_names", "mpi", "machine_dependent"),
)
_OF_THE_START = ("minibnn", "computed_by", "mpi")  # a resume leaves them as they were


def describe(runs, data, settings, run_options=None):
    """(config.json of each run as if alone, that of the comparison or None).

    It is a comparison if there are ``run_options``: for each name, how it would be started alone.
    """
    net, exchange = runs[0].net, runs[0].exchange
    shared = {
        "minibnn": __version__,
        "computed_by": backend.describe(),  # bits repeat where backend and vector path are the same
        "data": describe_data(data),
        "class_names": list(data.classes),
        "network": net.config(),
        **settings.recorded(),
    }
    if net.gradients != "float32":
        shared["machine_dependent"] = net.machine_dependent(data.train_images.dtype)
    if exchange.ranks.size > 1:
        shared["mpi"] = {
            "ranks": exchange.ranks.size,
            "sync_batch_norm": exchange.sync_batch_norm,
        }
    optimizers = {run.name: run.optimizer.config() for run in runs}
    own, common = {runs[0].name: settings.options}, None
    if run_options is not None:
        own, common = run_options, {"kind": "lockstep"} | shared
        common |= {"optimizers": optimizers, "options": settings.options}
    alone = [
        {"kind": "fit"} | shared | {"name": name, "optimizer": one, "options": own.get(name)}
        for name, one in optimizers.items()
    ]
    return alone, common


def describe_data(data):
    """Name, sizes and a CRC-32 of images and labels; of files only their names and sizes."""
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


def machine_note(config):
    """A line about what integer gradients promise of a network, or None if they promise all."""
    layers = config.get("machine_dependent")
    if not layers:
        return None
    some = ", ".join(layers[:5]) + (", ..." if len(layers) > 5 else "")
    return f"last bits may differ between machines: {some} compute with real numbers"


def check_config(folder, config):
    """(config.json of the run to resume, or None; what changed since its start, in lines).

    Raises InputError if the folder holds a run with other settings. Nothing is written.
    """
    found = folder.read_config() if folder.resume else None
    if found is None:
        return None, []
    return found, check_same_run(found, json.loads(json.dumps(config)), folder.path)


def adopt_config(folder, config, note=None):
    """Write ``config`` as the folder's, or bring that of the run resumed up to date.

    ``note`` is called with each line about what changed since the start.
    """
    found, notes = check_config(folder, config)
    config = json.loads(json.dumps(config))
    if found is not None:
        for line in notes if note else ():
            note(one_line(f"{folder.path} was {line}"))
        config = {key: value for key, value in config.items() if key not in _OF_THE_START}
        config |= {key: found[key] for key in _OF_THE_START if key in found}
        config["options"] = (found.get("options") or {}) | (config["options"] or {}) or None
    if found != config:
        folder.write_config(config)


def check_same_run(found, asked, folder):
    """Lines about what changed without being another run: more epochs, version, backend, ranks.

    ``found`` is config.json as it is, ``asked`` as this start would write it. Raises InputError
    naming the first setting that differs, or epochs if they would shrink.
    """
    known = {key: value for key, value in found.items() if key not in _NOT_IDENTITY}
    wanted = {key: value for key, value in asked.items() if key not in _NOT_IDENTITY}
    for key, was, now in differences(known, wanted):
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
        was, now = (_backend_words(config.get("computed_by")) for config in (found, asked))
        notes.append(f"started on {was}, now on {now}: last bits may differ from one long run")
    both = found.get("mpi"), asked.get("mpi")
    was, now = map(_ranks_words, both)
    synced = all(mpi is None or mpi["sync_batch_norm"] for mpi in both)
    if was != now and not (exact and synced):
        notes.append(f"started on {was}, now on {now}: it goes on, but not bit for bit the same")
    return notes


def _ranks_words(mpi):
    if not mpi:
        return "1 rank"
    how = "synchronised" if mpi["sync_batch_norm"] else "per rank"
    return f"{mpi['ranks']} ranks with batch normalisation {how}"


def _backend_words(computed_by):
    return " ".join(str(value) for value in (computed_by or {}).values()) or "an unknown backend"


def _has_schedule(config):
    """Whether a hyperparameter has a schedule over the whole run, or over a share of it."""
    if isinstance(config, dict):
        return any(_has_schedule(value) for key, value in config.items() if key != "options")
    if isinstance(config, str) and config.startswith(schedules.NAMES):
        return schedules.parse(config).over_whole_run
    return False


def differences(found, asked, at=""):
    """(dotted key, value found, value asked) of every leaf that differs."""
    if isinstance(found, dict) and isinstance(asked, dict):
        for key in sorted({*found, *asked}, key=str):
            yield from differences(found.get(key), asked.get(key), f"{at}{key}.")
    elif isinstance(found, list) and isinstance(asked, list) and len(found) == len(asked):
        for i, pair in enumerate(zip(found, asked, strict=True)):
            yield from differences(*pair, f"{at}{i}.")
    elif found != asked:
        yield at.rstrip("."), _short(found), _short(asked)


def _short(value):
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."

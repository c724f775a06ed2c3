"""config.json: what a run is, written at its start and held against what a resume asks for."""

import json
import zlib

import numpy as np

from minibnn._version import __version__
from minibnn.data.folder.images import FolderImages
from minibnn.errors import InputError, one_line
from minibnn.ops import backend
from minibnn.optim import schedules

# Recorded, but no reason to refuse a resume.
_ASIDE = "options epochs earlier checkpoint_every checkpoint_minutes machine_dependent".split()


def describe(runs, data, settings, run_options=None):
    """The config.json of each folder, by its name below ``out``, of which "" is ``out`` itself.

    With ``run_options``, a comparison: by name, how each run would be started alone.
    """
    net, ranks, sync = runs[0].net, runs[0].ranks, runs[0].exchange.sync_batch_norm
    shared = {
        "minibnn": __version__,
        "computed_by": backend.describe(),  # bits repeat where backend and vector path are the same
        "data": describe_data(data),
        "network": net.config(),
        **settings.recorded(),
    }
    if net.gradients != "float32":
        shared["machine_dependent"] = net.machine_dependent(data.train_images.dtype)
    if ranks.size > 1:
        shared["mpi"] = {"ranks": ranks.size, "sync_batch_norm": sync}
    optimizers = {run.name: run.optimizer.config() for run in runs}

    def alone(name, options):
        own = {"name": name, "optimizer": optimizers[name], "options": options}
        return {"kind": "fit"} | shared | own

    if run_options is None:
        configs = {"": alone(runs[0].name, settings.options)}
    else:
        common = {"optimizers": optimizers, "options": settings.options}
        configs = {"": {"kind": "lockstep"} | shared | common}
        configs |= {name: alone(name, run_options.get(name)) for name in optimizers}
    return json.loads(json.dumps(configs))  # as they are read again


def _start_of(config):
    """By what and where a run was started, in words, by keys that a resume leaves as they are."""
    where = " ".join(map(str, (config.get("computed_by") or {}).values()))
    ranks = "1 rank"
    if mpi := config.get("mpi"):
        how = "synchronised" if mpi.get("sync_batch_norm") else "per rank"
        ranks = f"{mpi.get('ranks')} ranks with batch normalisation {how}"
    return {
        "minibnn": f"with minibnn {config.get('minibnn')}",
        "computed_by": f"on {where or 'an unknown backend'}",
        "mpi": f"on {ranks}",
    }


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


def adopted(found, asked, folder, stands=None):
    """(the config.json to write, lines about what changed) where ``found`` is there already.

    ``found`` is None for a new run. More epochs, with them other hyperparameters of its optimizers
    or another width of gradients, another version, backend or number of ranks do not make another
    run; the first other setting that differs is an InputError. ``earlier`` keeps what it had,
    ``repeatable`` false if no commands do that again, as where it ``stands`` at no end of an epoch.
    """
    if found is None:
        return asked, []
    was, now = _start_of(found), _start_of(asked)
    aside = {*_ASIDE, *now}
    kept = ({k: v for k, v in config.items() if k not in aside} for config in (found, asked))
    before, epochs = found.get("epochs") or 0, asked["epochs"]
    notes = []
    for key, *values in differences(*kept):
        number = not key.endswith("kind") and "absent" not in values
        free = key.startswith("optimizer") and number
        if key == "network.gradients":  # which leaves float32 out
            free, values = True, ["float32" if x == "absent" else x for x in values]
        if not (free and epochs > before):
            raise InputError(f"{folder} holds another run: {key} was {values[0]}, now {values[1]}")
        notes.append(f"with {key} {values[0]}, now {values[1]}")
    if before > epochs:
        words = f"{folder} was started for {before}, now {epochs}"
        raise InputError(f"epochs may only be raised: {words}")
    if before != epochs and _has_schedule(asked):
        words = f"schedules over the whole run go on as those of {epochs} epochs"
        notes.append(f"for {before} epochs, now {epochs}: {words}")
    # Integer gradients are the same wherever they are computed, and on ranks that synchronise.
    exact = asked.get("machine_dependent") == []
    synced = all(not c.get("mpi") or c["mpi"].get("sync_batch_norm") for c in (found, asked))
    same = {"computed_by": exact, "mpi": exact and synced}
    for key in now:
        if was[key] != now[key] and not same.get(key):
            notes.append(f"{was[key]}, now {now[key]}: last bits may differ from one long run")
    new = asked | {key: found[key] for key in (*now, "earlier") if key in found}
    if before != epochs:
        had = {key: found[key] for key in found if key in ("epochs", "optimizer", "optimizers")}
        had["gradients"] = found["network"].get("gradients", "float32")
        at_end = stands in (None, (before, 0)) and was["mpi"] == now["mpi"]
        if not (at_end and found.get("options") and asked["options"]):
            had["repeatable"] = False
        new["earlier"] = [*found.get("earlier", ()), had]
    new["options"] = (found.get("options") or {}) | (asked["options"] or {}) or None
    for key in {"mpi", "machine_dependent"} - found.keys():  # of all its epochs
        new.pop(key, None)
    return new, [one_line(f"{folder} was started {note}") for note in notes]


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
        words = ("absent" if value is None else f"{value!s:.60}" for value in (found, asked))
        yield at.rstrip("."), *words

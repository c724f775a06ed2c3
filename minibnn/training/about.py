"""What a run left behind, read back: its network, how it was trained, how good and big it is."""

import os
from contextlib import contextmanager, suppress
from pathlib import Path

from minibnn.deploy import PackedNetwork
from minibnn.errors import InputError
from minibnn.files import checkpoint
from minibnn.files.archive import member_names
from minibnn.nn import Sequential, load_network
from minibnn.training.metrics import History, read_rows, results_of
from minibnn.training.run_folder import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    compared,
    config_beside,
    read_config,
    runs_in,
)
from minibnn.training.sweep.folder import SUMMARY, SWEEP, read_sweep
from minibnn.training.sweep.table import read_summary

# What config.json says in a word.
_SETTINGS = ("epochs", "batch_size", "seed", "loss", "augment", "validation", "minibnn")


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


def about(path):
    """All that ``minibnn info`` tells of a run folder or a file, as a dict that JSON can hold.

    ``path`` is a run folder, that of a comparison or of a sweep, a folder with run folders below
    it, one of a run's files (checkpoint.npz, best.npz), a network of ``net.save``, a packed or an
    ONNX one; else it is an InputError. ``kind`` and ``path`` are always there, others if known.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist: expected a run folder or the file of a network")
    with describing_a_run(path / CONFIG if path.is_dir() else path):
        if path.is_dir():
            found = _sweep(path) if (path / SWEEP).exists() else _folder(path)
            files = [file for file in sorted(path.iterdir()) if file.is_file()]
            found["files"] = {f.name: f.stat().st_size for f in files if f.name[0] != "."}
        else:
            found = {"bytes": path.stat().st_size, **_file(path)}
    return found | {"path": str(path)}


@contextmanager
def describing_a_run(path):
    """Within it, what a config.json lacks or has in a wrong place is an InputError naming it."""
    try:
        yield
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: it does not describe a run") from error


def _folder(path):
    config = read_config(path, missing_ok=True)
    if config is None:
        return {"kind": "folder of runs", "runs": [_short(run, path) for run in runs_in(path)]}
    found = {"kind": "run", "settings": settings_of(config), "config": config}
    if config.get("kind") == "preset":
        return found | {"kind": "preset"}
    network = config.get("network")
    found["network"] = None if network is None else _network(Sequential.from_config(network))
    if runs := compared(path):
        return found | {"kind": "comparison", "runs": [_short(run, path) for run in runs]}
    return found | digest_of(path) | _results(path, config)


def digest_of(folder):
    """{"digest": that of the network that a run has come to}; empty without a good checkpoint."""
    with suppress(InputError):
        return {"digest": load(folder / CHECKPOINT).digest()}
    return {}


def _results(path, config):
    """``epochs`` and ``results`` of a run folder, as far as it has come."""
    history = History("", read_rows(path / METRICS))
    epochs = {"done": len(history), "of": config.get("epochs")}
    return {"epochs": epochs, "results": results_of(history) if history.rows else None}


def _short(folder, above):
    """One of several runs below a folder: name, optimizer and results."""
    config = read_config(folder, missing_ok=True) or {}
    name = folder.relative_to(above).as_posix()
    optimizer = settings_of(config).get("optimizer")
    return {"name": name, "optimizer": optimizer, **_results(folder, config)}


def _sweep(path):
    description = read_sweep(path)
    done = [row for row in read_summary(path / SUMMARY) if row["status"] == "done"]
    varied = description["grid"] | description["scan"] | {"seeds": description["seeds"]}
    best = max(done, key=lambda row: row["best_accuracy"] or 0, default=None)
    return {
        "kind": "sweep",
        "settings": {key: _text(value) for key, value in (description["options"] | varied).items()},
        "cells": {"done": len(done), "of": len(description["cells"])},
        "results": best and {"best": best},
        "config": description,
    }


def _file(path):
    if path.suffix == ".onnx":
        from minibnn.deploy import onnx

        texts = {name: _text(value) for name, value in onnx.describe(path).items()}
        return {"kind": "ONNX model", "settings": texts}
    if "meta" not in member_names(path) and path.name != CHECKPOINT:
        raise InputError(f"{path} is no run folder, checkpoint, saved, packed or ONNX network")
    net = load(path)
    found = {"kind": "network", "network": _network(net)}
    if isinstance(net, PackedNetwork):
        known = {"trained on": net.dataset, "images": net.image_form, "classes": net.classes}
        settings = {name: _text(x) for name, x in known.items() if x is not None}
        return found | {"kind": "packed network", "settings": settings}
    found["digest"] = net.digest()
    meta, _ = checkpoint.read(path)
    if "epoch" not in meta:
        return found
    found |= {"kind": "checkpoint", "epochs": {"done": meta["epoch"]}}
    if "best" in meta:
        ((column, accuracy),) = meta["best"].items()
        part = column.removesuffix("_accuracy")
        best = {"measured_on": part, "best_accuracy": accuracy, "best_epoch": meta["epoch"]}
        found |= {"kind": "best network of a run", "results": best}
    if config := config_beside(path, meta["network"]):
        found["settings"] = settings_of(config | {"network": meta["network"]})
        found["epochs"]["of"] = config.get("epochs")
    return found


def _network(net):
    """Shapes, weights, bytes and multiply-adds of a network, as a dict."""
    total = net.summary().total
    return {
        "name": net.name,
        "input_shape": list(net.input_shape),
        "output_shape": list(net.output_shape),
        "binary_weights": total("bits"),
        "real_numbers": total("floats"),
        "packed_bytes": total("packed"),
        "float32_bytes": total("float32"),
        "binary_macs": total("binary_macs"),
        "real_macs": total("real_macs"),
    }


def settings_of(config):
    """How a run was trained: label -> text, from its config.json, for people to read."""
    data, network = config.get("data") or {}, config.get("network") or {}
    found = {"recipe": (config.get("options") or {}).get("recipe")}
    if config.get("preset"):
        found["preset"] = f"{config['preset']}, {config.get('steps')} steps"
    if isinstance(optimizer := config.get("optimizer"), dict):
        found |= optimizer_words(optimizer, "optimizer")
    for name, one in (config.get("optimizers") or {}).items():
        found |= optimizer_words(one, f"optimizer {name}")
    if data:
        shape = "x".join(map(str, data.get("shape", ())))
        counts = " + ".join(f"{data[k]:,}" for k in ("train", "test") if k in data)
        found["images"] = f"{data.get('name')}: {counts} of {shape}, {data.get('classes')} classes"
    if network:
        found |= {"network": network["name"], "gradients": network.get("gradients")}
    found |= {name.replace("_", " "): config.get(name) for name in _SETTINGS}
    if computed_by := config.get("computed_by"):
        found["computed by"] = [x for x in computed_by.values() if x is not None]
    return {label: _text(value) for label, value in found.items() if value not in (None, "", [])}


def optimizer_words(config, label):
    """The optimizer of the binary weights as ``label``, that of the others as "real ..."."""
    if config.get("kind") != "split":
        return {label: spec(config)}
    labels = {"binary": label, "real": label.replace("optimizer", "real optimizer", 1)}
    return {labels[part]: spec(config[part]) for part in labels if config.get(part)}


def spec(config):
    """An optimizer's configuration as the command line writes one.

    >>> spec({"kind": "bop", "gamma": 0.001, "threshold": 1e-06})
    'bop:gamma=0.001,threshold=1e-06'
    """
    told = {k: v for k, v in config.items() if v is not None or k == "clip"}  # None clips nothing
    values = {k: v for k, v in told.items() if k not in ("kind", "layers")}
    words = ",".join(f"{key}={_text(value)}" for key, value in values.items())
    return f"{config.get('kind', '?')}:{words}".rstrip(":")


def _text(value):
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)

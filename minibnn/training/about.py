"""What a run left behind, read back: what it is, how it was trained, how good and how big it is."""

import json
from contextlib import contextmanager
from pathlib import Path

from minibnn.deploy import file as packed_file
from minibnn.errors import InputError
from minibnn.files import checkpoint
from minibnn.files.archive import member_names
from minibnn.nn import Sequential
from minibnn.training.load import load
from minibnn.training.metrics import History, read_rows, results_of
from minibnn.training.run_folder import CHECKPOINT, CONFIG, METRICS, compared, read_config, runs_in
from minibnn.training.sweep.folder import SUMMARY, SWEEP, read_sweep
from minibnn.training.sweep.table import read_summary


def about(path):
    """All that ``minibnn info`` tells of a run folder or a file, as a dict that JSON can hold.

    ``path`` is a run folder, that of a comparison or of a sweep, a folder with run folders below
    it, one of a run's files (checkpoint.npz, best.npz), a network of ``net.save``, a packed or an
    ONNX one. ``kind`` and ``path`` are always there; of the others (``settings``, ``network``,
    ``digest``, ``epochs``, ``results``, ``runs``, ``cells``, ``bytes``, ``files``, ``config``)
    what is known. InputError if it is none of these, or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist: expected a run folder or the file of a network")
    with describing_a_run(path / CONFIG if path.is_dir() else path):
        found = _folder(path) if path.is_dir() else _file(path)
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


# -- folders ---------------------------------------------------------------------------------------


def _folder(path):
    if (path / SWEEP).exists():
        return _sweep(path)
    config = read_config(path, missing_ok=True)
    if config is None:
        return {"kind": "folder of runs", "runs": [_short(run, path) for run in runs_in(path)]}
    found = {"kind": "run", "settings": settings_of(config), "config": config}
    found["files"] = _files(path)
    if config.get("kind") == "preset":
        return found | {"kind": "preset"}
    network = config.get("network")
    found["network"] = None if network is None else costs(Sequential.from_config(network))
    if runs := compared(path):
        return found | {"kind": "comparison", "runs": [_short(run, path) for run in runs]}
    return found | digest_of(path) | _results(path, config)


def digest_of(folder):
    """{"digest": that of the network that a run has come to}; empty without a good checkpoint."""
    try:
        return {"digest": load(folder / CHECKPOINT).digest()}
    except InputError:
        return {}


def _sweep(path):
    description = read_sweep(path)
    rows = read_summary(path / SUMMARY) if (path / SUMMARY).exists() else []
    done = [row for row in rows if row["status"] == "done"]
    keys = {**description["grid"], **description["scan"]}
    best = max(done, key=lambda row: row["best_accuracy"] or 0, default=None)
    return {
        "kind": "sweep",
        "settings": {key: _text(values) for key, values in keys.items()}
        | {"seeds": _text(description["seeds"])}
        | {key: _text(value) for key, value in description["options"].items() if key not in keys},
        "cells": {"done": len(done), "of": len(description["cells"])},
        "results": None if best is None else {"best": best},
        "files": _files(path),
        "config": description,
    }


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


def _files(path):
    """Bytes of each file directly in a folder."""
    files = [file for file in sorted(path.iterdir()) if file.is_file()]
    return {file.name: file.stat().st_size for file in files if not file.name.startswith(".")}


# -- files -----------------------------------------------------------------------------------------


def _file(path):
    size = {"bytes": path.stat().st_size}
    names = member_names(path)
    if packed_file.DESCRIPTION in names:
        return {"kind": "packed network", **size, **_packed(packed_file.load(path))}
    if "meta" in names or path.name == CHECKPOINT:
        return size | _checkpoint(path)
    if path.suffix == ".onnx":
        from minibnn.deploy import onnx

        texts = {name: _text(value) for name, value in onnx.describe(path).items()}
        return {"kind": "ONNX model", **size, "settings": texts}
    raise InputError(
        f"{path} is no run folder, checkpoint, saved, packed or ONNX network: nothing that "
        "minibnn wrote"
    )


def _checkpoint(path):
    meta, _ = checkpoint.read(path)
    net = load(path)
    found = {"kind": "network", "network": costs(net), "digest": net.digest()}
    if "epoch" not in meta:
        return found
    found |= {"kind": "checkpoint", "epochs": {"done": meta["epoch"]}}
    if "best" in meta:
        ((column, accuracy),) = meta["best"].items()
        part = column.removesuffix("_accuracy")
        best = {"measured_on": part, "best_accuracy": accuracy, "best_epoch": meta["epoch"]}
        found |= {"kind": "best network of a run", "results": best}
    config = read_config(path.parent, missing_ok=True) or {}
    if config.get("network") == json.loads(json.dumps(meta["network"])):
        found["settings"] = settings_of(config)
        found["epochs"]["of"] = config.get("epochs")
    return found


def _packed(packed):
    classes = None if packed.classes is None else _text(packed.classes)
    settings = {"trained on": packed.dataset, "images": packed.image_form, "classes": classes}
    network = {
        "name": packed.name,
        "input_shape": list(packed.input_shape),
        "output_shape": list(packed.output_shape),
        "binary_weights": packed.summary().bits,
        "packed_bytes": packed.nbytes,
    }
    settings = {name: text for name, text in settings.items() if text is not None}
    return {"settings": settings, "network": network}


def costs(network):
    """Shapes, weights, bytes and multiply-adds of a network, as a dict."""
    total = network.summary().total
    return {
        "name": network.name,
        "input_shape": list(network.input_shape),
        "output_shape": list(network.output_shape),
        "binary_weights": total("bits"),
        "real_numbers": total("floats"),
        "packed_bytes": total("packed"),
        "float32_bytes": total("float32"),
        "binary_macs": total("binary_macs"),
        "real_macs": total("real_macs"),
    }


# -- words -----------------------------------------------------------------------------------------


def settings_of(config):
    """How a run was trained: label -> text, from its config.json, for people to read."""
    data, network = config.get("data") or {}, config.get("network") or {}
    found = {"recipe": (config.get("options") or {}).get("recipe")}
    if config.get("preset"):
        found["preset"] = f"{config['preset']}, {config.get('steps')} steps"
    if isinstance(optimizer := config.get("optimizer"), dict):
        found |= _optimizer_words(optimizer, "optimizer")
    for name, one in (config.get("optimizers") or {}).items():
        found |= _optimizer_words(one, f"optimizer {name}")
    if data:
        shape = "x".join(map(str, data.get("shape", ())))
        counts = " + ".join(f"{data[k]:,}" for k in ("train", "test") if k in data)
        found["images"] = f"{data.get('name')}: {counts} of {shape}, {data.get('classes')} classes"
    if network:
        found |= {"network": network["name"], "gradients": network.get("gradients")}
    for label, key in _SETTINGS.items():
        found[label] = config.get(key)
    if computed_by := config.get("computed_by"):
        found["computed by"] = list(computed_by.values())
    return {label: _text(value) for label, value in found.items() if value not in (None, "")}


_SETTINGS = {
    "epochs": "epochs",
    "batch": "batch_size",
    "seed": "seed",
    "loss": "loss",
    "augmentation": "augment",
    "validation images": "validation",
    "minibnn": "minibnn",
}


def _optimizer_words(config, label):
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
    values = {k: v for k, v in config.items() if k not in ("kind", "layers") and v is not None}
    words = ",".join(f"{key}={_text(value)}" for key, value in values.items())
    return f"{config.get('kind', '?')}:{words}".rstrip(":")


def _text(value):
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)

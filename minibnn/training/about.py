"""What a run left behind, read back: what it is, how it was trained, how good and how big it is."""

import json
from contextlib import contextmanager
from pathlib import Path

from minibnn.deploy import file as packed_file
from minibnn.errors import InputError
from minibnn.files.archive import member_names
from minibnn.nn import Sequential, saving
from minibnn.training import checkpoint
from minibnn.training.load import load
from minibnn.training.metrics import History, read_rows
from minibnn.training.run_folder import CHECKPOINT, CONFIG, METRICS, RUN_NAME, read_config
from minibnn.training.sweep.folder import SUMMARY, SWEEP, read_sweep
from minibnn.training.sweep.table import read_summary

_NOBODYS = ("kind", "layers")  # keys of a configuration that are no setting


def about(path):
    """All that ``minibnn info`` tells of a run folder or a file.

    Parameters
    ----------
    path : path
        A run folder, that of a comparison or of a sweep, a folder with run folders below it, one
        of a run's files (checkpoint.npz, best.npz), a network of ``net.save``, a packed or an
        ONNX one.

    Returns
    -------
    dict
        What JSON can hold. ``kind`` and ``path`` are always there; of the others (``settings``,
        ``network``, ``digest``, ``epochs``, ``results``, ``runs``, ``cells``, ``bytes``, ``files``,
        ``config``) what is known.

    Raises
    ------
    InputError if it is none of these, or damaged.
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
        below = [file.parent for file in sorted(path.glob(f"*/{CONFIG}"))]
        if not below:
            raise InputError(
                f"{path} is no run folder: it has no {CONFIG}, nor have folders below it"
            )
        runs = [run for folder in below for run in _with_those_compared(folder)]
        return {"kind": "folder of runs", "runs": [_short(folder, path) for folder in runs]}
    found = {"settings": settings_of(config), "files": _files(path), "config": config}
    if config.get("kind") == "preset":
        return {"kind": "preset", **found}
    if isinstance(config.get("optimizers"), dict):
        return {
            "kind": "comparison",
            **found,
            "network": _costs_of(config),
            "runs": [_short(folder, path) for folder in _with_those_compared(path)],
        }
    return {
        "kind": "run",
        **found,
        "network": _costs_of(config),
        **digest_of(path),
        **_results(path, config),
    }


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
        "settings": {key: ", ".join(map(str, values)) for key, values in keys.items()}
        | {"seeds": ", ".join(map(str, description["seeds"]))}
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
    if not history.rows:
        return {"epochs": epochs, "results": None}
    part = "test" if history.last.get("validation_accuracy") is None else "validation"
    best = history.best(f"{part}_accuracy")
    return {
        "epochs": epochs,
        "results": {
            "measured_on": part,
            "best_accuracy": best.get(f"{part}_accuracy"),
            "best_epoch": best.get("epoch"),
            "last_accuracy": history.last.get(f"{part}_accuracy"),
            "test_accuracy": history.last.get("test_accuracy"),
            "train_accuracy": history.last.get("train_accuracy"),
            "seconds": sum(row["seconds"] or 0 for row in history.rows),
        },
    }


def _with_those_compared(folder):
    """A run folder or, of a comparison, those in it."""
    names = (read_config(folder, missing_ok=True) or {}).get("optimizers")
    if not isinstance(names, dict):
        return [folder]
    return [folder / name for name in names if RUN_NAME.fullmatch(name)]


def _short(folder, above):
    """One of several runs below a folder: name, optimizer and results."""
    config = read_config(folder, missing_ok=True) or {}
    return {
        "name": folder.relative_to(above).as_posix(),
        "optimizer": settings_of(config).get("optimizer"),
        **_results(folder, config),
    }


def _files(path):
    """Bytes of each file directly in a folder."""
    return {
        file.name: file.stat().st_size
        for file in sorted(path.iterdir())
        if file.is_file() and not file.name.startswith(".")
    }


# -- files -----------------------------------------------------------------------------------------


def _file(path):
    size = {"bytes": path.stat().st_size}
    names = member_names(path)
    if packed_file.DESCRIPTION in names:
        return {"kind": "packed network", **size, **_packed(packed_file.load(path))}
    if "meta" in names or path.name == CHECKPOINT:
        return size | _checkpoint(path)
    if saving.HEADER in names:
        net = load(path)
        return {"kind": "network", **size, "network": costs(net), "digest": net.digest()}
    if path.suffix == ".onnx":
        return {"kind": "ONNX model", **size, **_onnx(path)}
    raise InputError(
        f"{path} is no run folder, checkpoint, saved, packed or ONNX network: nothing that "
        "minibnn wrote"
    )


def _checkpoint(path):
    meta, _ = checkpoint.read(path)
    best, net = meta.get("best"), load(path)
    found = {
        "kind": "checkpoint" if best is None else "best network of a run",
        "network": costs(net),
        "digest": net.digest(),
        "epochs": {"done": meta["epoch"]},
    }
    if best is not None:
        ((column, accuracy),) = best.items()
        part = column.removesuffix("_accuracy")
        found["results"] = {
            "measured_on": part,
            "best_accuracy": accuracy,
            "best_epoch": meta["epoch"],
        }
    config = read_config(path.parent, missing_ok=True) or {}
    if config.get("network") == json.loads(json.dumps(meta["network"])):
        found["settings"] = settings_of(config)
        found["epochs"]["of"] = config.get("epochs")
    return found


def _packed(packed):
    summary = packed.summary()
    settings = {"trained on": packed.dataset, "pictures": packed.pictures}
    if packed.classes is not None:
        settings["classes"] = ", ".join(packed.classes)
    return {
        "settings": {name: text for name, text in settings.items() if text is not None},
        "network": {
            "name": packed.name,
            "input_shape": list(packed.input_shape),
            "output_shape": list(packed.output_shape),
            "binary_weights": summary.bits,
            "packed_bytes": packed.nbytes,
        },
    }


def _onnx(path):
    from minibnn.deploy import onnx

    found = onnx.describe(path)
    return {"settings": {name: _text(value) for name, value in found.items()}}


# -- words -----------------------------------------------------------------------------------------


def costs(network):
    """Shapes, weights, bytes and multiply-adds of a network, as a dict."""
    if not hasattr(network, "layers"):
        return _packed(network)["network"]
    summary = network.summary()
    return {
        "name": network.name,
        "input_shape": list(network.input_shape),
        "output_shape": list(network.output_shape),
        "binary_weights": summary.total("bits"),
        "real_numbers": summary.total("floats"),
        "packed_bytes": summary.total("packed"),
        "float32_bytes": summary.total("float32"),
        "binary_macs": summary.total("binary_macs"),
        "real_macs": summary.total("real_macs"),
    }


def _costs_of(config):
    network = config.get("network")
    return None if network is None else costs(Sequential.from_config(network))


def settings_of(config):
    """How a run was trained: label -> text, from its config.json, for people to read."""
    options = config.get("options") or {}
    data = config.get("data") or {}
    found = {}
    if config.get("preset"):
        found["preset"] = f"{config['preset']}, {config.get('steps')} steps"
    if recipe := options.get("recipe"):
        found["recipe"] = _text(recipe)
    if isinstance(optimizer := config.get("optimizer"), dict):
        found |= _optimizer_words(optimizer, "optimizer")
    for name, one in (config.get("optimizers") or {}).items():
        found |= _optimizer_words(one, f"optimizer {name}")
    if data:
        shape = "x".join(map(str, data.get("shape", ())))
        counts = " + ".join(f"{data[k]:,}" for k in ("train", "test") if k in data)
        found["pictures"] = (
            f"{data.get('name')}: {counts} of {shape}, {data.get('classes')} classes"
        )
    if network := config.get("network"):
        found["network"] = _text(network["name"])
        if gradients := network.get("gradients"):  # else float32
            found["gradients"] = _text(gradients)
    for label, key in _SETTINGS.items():
        if config.get(key) is not None:
            found[label] = _text(config[key])
    if minibnn := config.get("minibnn"):
        found["minibnn"] = _text(minibnn)
    if computed_by := config.get("computed_by"):
        found["computed by"] = ", ".join(map(str, computed_by.values()))
    return found


_SETTINGS = {
    "epochs": "epochs",
    "batch": "batch_size",
    "seed": "seed",
    "loss": "loss",
    "augmentation": "augment",
    "validation pictures": "validation",
}


def _optimizer_words(config, label):
    """The optimizer of the binary weights as ``label``, that of the others as "real ..."."""
    if config.get("kind") != "split":
        return {label: spec(config)}
    found = {}
    if config.get("binary"):
        found[label] = spec(config["binary"])
    if config.get("real"):
        found[label.replace("optimizer", "real optimizer", 1)] = spec(config["real"])
    return found


def spec(config):
    """An optimizer's configuration as the command line writes one.

    >>> spec({"kind": "bop", "gamma": 0.001, "threshold": 1e-06})
    'bop:gamma=0.001,threshold=1e-06'
    """
    words = [f"{k}={_text(v)}" for k, v in config.items() if k not in _NOBODYS and v is not None]
    return f"{config.get('kind', '?')}:{','.join(words)}" if words else config.get("kind", "?")


def _text(value):
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)

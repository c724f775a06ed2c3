"""What run folders hold, damaged, by the functions that read it and by the commands."""

import json
import shutil
import warnings

import numpy as np
import pytest
from damaged import changed_arrays, declared_bytes, edited, json_texts, mutants, resealed, writable
from hypothesis import strategies as st

import minibnn as bnn
from minibnn.cli.trained import load_trained
from minibnn.files import checkpoint
from minibnn.training.metrics import read_rows
from minibnn.training.plots import find_runs
from minibnn.training.run_folder import RunFolder, read_config
from minibnn.training.sweep.folder import read_sweep
from minibnn.training.telemetry import read_telemetry


@pytest.fixture
def folder(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def test_configs(fuzz, reads, folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    compared = {"kind": "lockstep", "optimizers": {"bop": {}, "cema": {}}}
    find_runs([folder])
    load_trained(folder)

    def attempt(case):
        path.write_bytes(case)
        size = len(case)
        found = reads(lambda: read_config(folder), size)
        assert found is None or isinstance(found, dict)
        reads(lambda: find_runs([folder]), size + 10**5)
        trained = reads(lambda: load_trained(folder), size + 10**5)
        if trained is not None:
            assert all(type(name) is str for name in trained.network.classes or ())
            assert trained.dataset is None or type(trained.dataset) is str
        reads(lambda: RunFolder(folder, resume=True).check(), size)

    fuzz(json_texts(config) | json_texts(compared), attempt)


def test_metrics(fuzz, reads, folder):
    path = folder / "metrics.csv"
    content = path.read_bytes()
    head, *rows = content.decode().splitlines()
    cells = st.sampled_from(["", "nan", "inf", "-1", "1e999", "9" * 5000, "x", '"', "\x00", "1.5"])

    @st.composite
    def tables(draw):
        lines = [line.split(",") for line in rows]
        line = draw(st.sampled_from(lines))
        line[draw(st.integers(0, len(line) - 1))] = draw(cells)
        return "\n".join([head, *map(",".join, lines), ""]).encode()

    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: read_rows(path), len(case))
        for row in found or ():
            assert type(row["epoch"]) is int and type(row["name"]) is str
        reads(lambda: find_runs([folder]), len(case) + 10**5)

    fuzz(edited(content) | tables() | st.binary(max_size=200), attempt)


def test_telemetry(fuzz, reads, folder):
    path = folder / "telemetry.npz"
    changed = changed_arrays(read_telemetry(path)).filter(writable)

    def attempt(case):
        if isinstance(case, dict):
            np.savez(path, **case)
            case = path.read_bytes()
        path.write_bytes(case)
        size = max(len(case), declared_bytes(case))
        found = reads(lambda: read_telemetry(path), size)
        if found is not None:
            assert found["pi"].shape == (len(found["epoch"]), len(found["layers"]))

    fuzz(mutants(path) | changed, attempt)


def test_sweeps(fuzz, reads, tmp_path):
    from minibnn.training.sweep.run import Plan

    options = {"optimizer": "bop", "real-optimizer": "adam", "epochs": 1}
    plan = Plan({"gamma": ["1e-2", "1e-3"]}, {}, None, 0, [0], options)
    description = plan.description
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(description))
    assert read_sweep(tmp_path) is not None
    Plan(description["grid"], {}, None, 0, [0], description["options"])

    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: read_sweep(tmp_path), len(case))
        if found is not None:  # what --resume does with it
            names = ("grid", "scan", "random", "seed", "seeds", "options")
            parts = {name: found[name] for name in names} | {"seed": found["seed"] or 0}
            reads(lambda: Plan(*parts.values()), 10**6)

    fuzz(json_texts(description), attempt)


def test_resumed_runs(fuzz, reads, folder, run, small_data):
    """``fit(resume=True)`` over a folder of which one file is damaged."""
    names = ("config.json", "metrics.csv", "telemetry.npz", "checkpoint.npz", "best.npz")
    wholes = {name: (run / name).read_bytes() for name in names}

    config = json.loads(wholes["config.json"])
    checkpoints = resealed(run / "checkpoint.npz")

    def go_on():
        net = bnn.nn.Sequential.from_config(config["network"])
        optimizer = bnn.optim.from_config(config["optimizer"])
        how = {"epochs": 3, "batch_size": 6, "out": folder, "resume": True, "progress": False}
        return bnn.fit(net, optimizer, small_data, **how)

    go_on()

    @st.composite
    def damaged(draw):
        name = draw(st.sampled_from(names))
        if name == "config.json":
            return name, draw(json_texts(config))
        if name == "checkpoint.npz" and draw(st.booleans()):
            return name, draw(checkpoints)
        return name, draw(edited(wholes[name]))

    def attempt(case):
        shutil.rmtree(folder)
        shutil.copytree(run, folder)
        (folder / case[0]).write_bytes(case[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it notes what has changed
            history = reads(go_on, 10**7)
        if history is None:
            return
        # A checkpoint may say, with a right checksum, that its run is over: that is believed.
        meta, _ = checkpoint.read(folder / "checkpoint.npz")
        over = meta["stopped"] or meta["epoch"] > 3
        assert [row["epoch"] for row in history.rows][-1] == 3 or over

    fuzz(damaged(), attempt)

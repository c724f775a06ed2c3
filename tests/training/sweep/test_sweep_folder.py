"""The folder of a sweep: the same sweep or none, one process at a time, and what force removes."""

import json

import pytest

from minibnn import InputError
from minibnn.training.sweep.folder import SweepFolder, read_sweep
from minibnn.training.sweep.run import Plan

GRID = {"gamma": [0.1, 0.01]}


def description(small, grid=GRID, scan=None, random=None, seed=0, seeds=(0,), **options):
    return Plan(grid, scan or {}, random, seed, seeds, small | options).description


def start(path, description, force=False):
    """Begin a sweep, or go on with it, and leave."""
    with SweepFolder(path, description, force):
        pass


def test_sweep_json_holds_every_cell(small, tmp_path):
    plan, folder = Plan(GRID, {}, None, 0, [0, 3], small), tmp_path / "a" / "b"
    start(folder, plan.description)
    found = read_sweep(folder)
    assert found == plan.description == json.loads((folder / "sweep.json").read_text())
    assert found["cells"] == [cell.name for cell in plan.cells]
    assert len(plan.cells) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {"gamma": [0.1, 0.02]}}, "grid.gamma.1 was 0.01, now 0.02"),
        ({"grid": {"gamma": [0.1]}}, r"grid.gamma was \[0.1, 0.01\], now \[0.1\];"),
        ({"grid": GRID | {"threshold": [0]}}, r"grid.threshold was absent, now \[0\]"),
        ({"grid": {}, "scan": GRID}, r"grid.gamma was \[0.1, 0.01\], now absent"),
        ({"random": 1}, "random was absent, now 1"),
        ({"seeds": [0, 1]}, r"seeds was \[0\], now \[0, 1\]"),
        ({"filters": 3}, "options.filters was 2, now 3"),
        ({"epochs": 1}, "epochs may only be raised: .* was started for 2, now 1"),
    ],
)
def test_another_sweep_is_refused(small, tmp_path, changes, message):
    start(tmp_path, description(small))
    before = (tmp_path / "sweep.json").read_bytes()
    with pytest.raises(InputError, match=message):
        start(tmp_path, description(small, **changes))
    assert (tmp_path / "sweep.json").read_bytes() == before


def test_the_seed_of_draws_counts_only_for_draws(small, tmp_path):
    start(tmp_path, description(small, seed=1))
    start(tmp_path, description(small, seed=2))
    start(tmp_path, description(small, random=1, seed=1), force=True)
    with pytest.raises(InputError, match="seed was 1, now 2"):
        start(tmp_path, description(small, random=1, seed=2))


def test_epochs_may_be_raised_and_data_moved(small, tmp_path):
    start(tmp_path, description(small))
    moved = {"epochs": 5, "data-dir": "there", "checkpoint-every": 9}
    start(tmp_path, description(small, **moved))
    assert read_sweep(tmp_path)["options"] == small | moved


def test_one_process_at_a_time(small, tmp_path):
    with SweepFolder(tmp_path, description(small)):
        with pytest.raises(InputError, match="is in use by"):
            start(tmp_path, description(small))
    start(tmp_path, description(small))


def test_what_is_no_sweep(small, tmp_path, after):
    after(tmp_path / "run", 1)
    with pytest.raises(InputError, match="run holds a run, not a sweep"):
        start(tmp_path / "run", description(small))
    with pytest.raises(InputError, match=r"is no sweep's folder: it has no sweep\.json"):
        read_sweep(tmp_path / "run")


def test_force_removes_the_sweeps_files_and_no_others(small, tmp_path, after):
    plan = Plan(GRID, {}, None, 0, [0], small)
    first, second = plan.cells
    with SweepFolder(tmp_path, plan.description):
        after(tmp_path / first.name, 1)
        after(tmp_path / second.name, 1)
        (tmp_path / first.name / "log.txt").write_text("a line")
        (tmp_path / second.name / "notes.md").write_text("mine")
        (tmp_path / "summary.csv").write_text("x")
        (tmp_path / ".stop-of-another-start").touch()
    (tmp_path / "readme.md").write_text("mine")
    other = description(small, grid={"threshold": [0]})
    with SweepFolder(tmp_path, other, force=True):
        assert read_sweep(tmp_path) == other
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {"sweep.json", ".lock", "readme.md", f"{second.name}/notes.md"}


def test_force_stays_in_its_folder(small, tmp_path, after):
    """Whatever an edited sweep.json names."""
    after(tmp_path / "outside", 1)
    edited = description(small)
    edited["cells"] = ["../outside", ".."]
    start(tmp_path / "sweep", edited)
    (tmp_path / "config.json").write_text("mine")
    start(tmp_path / "sweep", description(small), force=True)
    assert (tmp_path / "outside" / "checkpoint.npz").exists()
    assert (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"random": None, "seed": None, "grid": {"gamma": 5}},
        {"grid": []},
        {"scan": {"gamma": [[1]]}},
        {"seeds": 3},
        {"options": {"optimizer": {}}},
        {"cells": [None]},
        {"options": {"epochs": "three"}},
    ],
)
def test_a_description_of_other_kinds_is_damaged(small, tmp_path, change):
    (tmp_path / "sweep.json").write_text(json.dumps(description(small) | change))
    with pytest.raises(InputError, match=r"sweep\.json is damaged: not the description of a sweep"):
        read_sweep(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"grid": {}}', pytest.param("[" * 3000, id="deep")])
def test_a_text_that_is_no_description_is_damaged(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(InputError, match=r"sweep\.json is damaged"):
        read_sweep(tmp_path)

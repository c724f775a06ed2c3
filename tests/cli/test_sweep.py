"""``minibnn sweep`` as a person meets it; cells are trained in this process."""

import csv
import json
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from pathlib import Path

import pytest

from minibnn.cli.cell import train_cell
from minibnn.training.sweep import executors
from minibnn.training.sweep.run import Plan
from minibnn.training.sweep.worker import Outcome

SMALL = ("--filters", 2, "--dense-units", 8, "--batch-size", 300, "--epochs", 1)
TRAINED = {"gamma=0.1_seed=0", "gamma=0.01_seed=0"}


class Here(Executor):
    """Trains each cell at once by ``minibnn train``."""

    def __init__(self):
        self.jobs = []

    def submit(self, fn, /, job):
        self.jobs.append(json.loads(job.text()))
        Path(job.folder).mkdir(exist_ok=True)
        future = Future()
        code = train_cell(self.jobs[-1] | {"threads": 1})
        future.set_result(Outcome(code, "said above" if code else ""))
        return future


@pytest.fixture(autouse=True)
def here_and_now(monkeypatch, here):
    """The executor of the last start; two cores; images are empty."""
    import sys

    plots = sys.modules["minibnn.training.sweep.plots"]
    monkeypatch.setattr(plots, "draw_sweep", lambda folder, *_: (folder / "curves.png").touch())
    monkeypatch.delenv("MINIBNN_NUM_THREADS", raising=False)
    monkeypatch.setattr(executors, "cores", lambda: range(2))
    used = []

    def local(jobs):
        used.append(Here())
        return nullcontext(used[-1])

    run = sys.modules["minibnn.training.sweep.run"]
    monkeypatch.setattr(run, "ThreadPoolExecutor", local)
    return used


def summary(folder):
    with open(Path(folder) / "summary.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_processes_are_refused_below_mpiexec(fails, monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    fails("sweep --executor processes runs in one process, start it", "sweep", "--grid", "gamma=1")


def test_a_grid(works):
    out = works("sweep", "--grid", "gamma=1e-1,1e-2", "--grid", "real.lr=0.1", *SMALL)
    folder = Path("runs/sweep-digits-1")
    assert f"folder:  {folder}" in out
    assert "sweep:   2 cells" in out
    assert f"table:    {folder}/summary.csv" in out
    assert f"curves:   {folder}/curves.png" in out
    assert "heat map" not in out
    rows = summary(folder)
    found = [(row["gamma"], row["real.lr"], row["status"]) for row in rows]
    assert found == [("0.1", "0.1", "done"), ("0.01", "0.1", "done")]
    config = json.loads((folder / rows[0]["cell"] / "config.json").read_text())
    assert config["optimizer"]["binary"]["gamma"] == 0.1
    assert config["optimizer"]["binary"]["threshold"] == 1e-6  # as train's own default
    assert config["optimizer"]["real"]["lr"] == 0.1
    assert f"{100 * float(rows[0]['best_accuracy']):.2f} %" in out


def test_a_second_start_and_a_resume(works, fails, here_and_now):
    start = ("sweep", "--grid", "gamma=1e-1,1e-2", *SMALL, "--out", "s")
    works(*start)
    assert {p.name for p in Path("s").iterdir() if p.is_dir()} == TRAINED
    works(*start)
    resume = ("sweep", "--resume", "--out", "s")
    works(*resume)
    assert len(here_and_now) == 1  # nothing was missing
    fails("s holds another sweep: .*was 2, now 3", *resume, "--filters", 3)
    works(*resume, "--epochs", 2)
    assert "to repeat it" not in works("info", "s")  # where each cell stood is not on record
    assert [row["epochs"] for row in summary("s")] == ["2", "2"]
    job, _ = here_and_now[1].jobs
    train_cell(job | {"out": "alone", "resume": False})
    alone, whole = (Path(out, "checkpoint.npz").read_bytes() for out in ("alone", job["out"]))
    assert alone == whole


def test_a_scan_around_a_recipe_with_seeds(works):
    out = works(
        *("sweep", "--recipe", "bop-sec51", "--dataset", "digits", "--set", "threshold=1e-5"),
        *("--scan", "gamma=1e-2,1e-3", "--scan", "threshold=0,1e-5", *SMALL[:-2]),
        *("--epochs", 1, "--seeds", "0,4", "--out", "s"),
    )
    cells = [(row["gamma"], row["threshold"], row["seed"]) for row in summary("s")]
    points = [("0.01", "1e-05"), ("0.001", "1e-05"), ("0.001", "0")]
    assert cells == [(*point, seed) for seed in "04" for point in points]
    assert "±" in out
    config = json.loads(Path("s/gamma=0.001_threshold=0_seed=4/config.json").read_text())
    assert config["seed"] == 4
    assert config["options"]["recipe"] == "bop-sec51"
    assert config["options"]["optimizer"] == "bop:gamma=0.001,threshold=0"


def test_draws(works):
    draws = ("--grid", "gamma=log:1e-4:1e-1", "--random", 2, "--seed", 5, "--seeds", "0")
    works("sweep", *draws, *SMALL, "--out", "s")
    plan = Plan({"gamma": "log:1e-4:1e-1"}, {}, 2, 5, [0], {"optimizer": "bop"})
    assert [row["cell"] for row in summary("s")] == [cell.name for cell in plan.cells]


def test_recipes_may_be_varied(works):
    recipes = ("--grid", "recipe=bop-sec51,latent-adam", "--dataset", "digits")
    works("sweep", *recipes, *SMALL, "--out", "s")
    kinds = [
        json.loads((Path("s") / row["cell"] / "config.json").read_text())["optimizer"]["binary"]
        for row in summary("s")
    ]
    assert [kind["kind"] for kind in kinds] == ["bop", "latent-adam"]


def test_a_failed_cell_is_told_and_tried_by_the_next_start(run, works):
    start = ("sweep", "--grid", "gamma=1e-1,1e-2", *SMALL, "--out", "s")
    works(*start)
    broken = Path("s/gamma=0.1_seed=0/checkpoint.npz")
    whole = broken.read_bytes()
    broken.write_bytes(whole[:1000])
    code, out, _ = run(*start)
    assert code == 1
    assert "1 of 2 cells failed; a second start tries them" in out
    assert "gamma=0.1_seed=0: said above (see s/gamma=0.1_seed=0/log.txt)" in out
    assert [row["status"] for row in summary("s")] == ["failed", "done"]
    broken.unlink()
    works(*start)
    assert broken.read_bytes() == whole


def test_force(works, here_and_now):
    works("sweep", "--grid", "gamma=1e-1,1e-2", *SMALL, "--out", "s")
    for _ in range(2):
        works("sweep", "--grid", "gamma=1", *SMALL, "--out", "s", "--force")
        assert {p.name for p in Path("s").iterdir() if p.is_dir()} == {"gamma=1_seed=0"}
    assert len(here_and_now) == 3

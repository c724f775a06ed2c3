"""Run folders: who may write to them, and that a failing disk costs nothing that was saved."""

import errno
import json
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
from small_runs import assert_same_run, compare, fit, small_data

import minibnn as bnn
from minibnn.files import atomic
from minibnn.training import TrainingError
from minibnn.training.run_folder import RunFolder, new_folder

FILES = {
    ".lock", "best.npz", "checkpoint.npz", "config.json", "curves.png", "metrics.csv",
    "telemetry.npz",
}  # fmt: skip


def test_what_a_run_leaves_behind(tmp_path):
    fit(tmp_path / "deep/er/run", options={"command": "train"})
    assert {p.name for p in (tmp_path / "deep/er/run").iterdir()} == FILES
    config = json.loads((tmp_path / "deep/er/run/config.json").read_text())
    assert config["kind"] == "fit"
    assert config["name"] == "bop"
    assert config["minibnn"] == bnn.__version__
    assert config["data"] | {"crc32": ""} == {
        "name": "digits", "train": 210, "test": 53, "shape": [8, 8, 1], "classes": 10, "crc32": "",
    }  # fmt: skip
    assert config["options"] == {"command": "train"}
    net = bnn.nn.Sequential.from_config(config["network"])
    optimizer = bnn.optim.from_config(config["optimizer"])
    settings = {key: config[key] for key in ("epochs", "batch_size", "seed", "loss", "augment")}
    history = bnn.fit(net, optimizer, small_data(), progress=False, **settings)
    metrics = (tmp_path / "deep/er/run/metrics.csv").read_text().splitlines()
    assert metrics[-1].startswith(f"3,bop,{history.last['train_loss']!r},")


def test_new_folders_are_numbered_and_go_again_if_nothing_begins(tmp_path):
    runs = tmp_path / "runs"
    with new_folder("train", "digits", runs) as first:
        with new_folder("train", "digits", runs) as second:
            (second / "config.json").touch()
        with new_folder("compare", "digits", runs) as other:
            assert other == runs / "compare-digits-1"
    assert (first, second) == (runs / "train-digits-1", runs / "train-digits-2")
    assert list(runs.iterdir()) == [second]
    with new_folder("train", "digits", runs) as again:
        assert again == first
    with pytest.raises(bnn.InputError), new_folder("a", "b", tmp_path / "new"):
        raise bnn.InputError("no")
    assert not (tmp_path / "new").exists()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError), new_folder("a", "b", tmp_path / "link"):
        pass


def test_another_run_is_not_overwritten(a_run, finished_run):
    with pytest.raises(bnn.InputError, match=r"run already holds a run; .*resume.*force"):
        fit(a_run, epochs=1, seed=5)
    assert_same_run(a_run, finished_run)
    with pytest.raises(bnn.InputError, match="choose one"):
        fit(a_run, resume=True, force=True)


def test_force_removes_the_run_and_nothing_else(a_run, tmp_path):
    (a_run / "notes.txt").write_text("mine")
    fit(a_run, epochs=1, seed=5, force=True)
    fit(tmp_path / "fresh", epochs=1, seed=5)
    assert (a_run / "notes.txt").read_text() == "mine"
    assert_same_run(a_run, tmp_path / "fresh")


def test_force_on_a_comparison_removes_its_runs(tmp_path):
    compare(tmp_path / "run", epochs=1)
    (tmp_path / "run/latent-sgd/notes.txt").write_text("mine")
    (tmp_path / "run/bop-9").mkdir()
    fit(tmp_path / "run", epochs=1, force=True)
    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*")}
    assert names == FILES | {"latent-sgd", "latent-sgd/notes.txt", "bop-9"}


def test_force_does_not_follow_names_out_of_the_folder(a_run, finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "other")
    path = a_run / "config.json"
    config = json.loads(path.read_text()) | {"optimizers": {"../other": {}, "": {}}}
    path.write_text(json.dumps(config))
    fit(a_run, epochs=1, force=True)
    assert_same_run(tmp_path / "other", finished_run)


def test_resume_of_a_folder_without_checkpoint_starts_from_the_beginning(tmp_path):
    (tmp_path / "run").mkdir()
    assert len(fit(tmp_path / "run", resume=True)) == 3
    with pytest.raises(bnn.InputError, match="holds runs in folders of their own"):
        fit(tmp_path, resume=True)


def test_the_largest_seed_can_be_resumed(tmp_path):
    largest = {"seed": (1 << 63) - 1}
    fit(tmp_path / "run", epochs=1, **largest)
    assert len(fit(tmp_path / "run", epochs=2, resume=True, **largest)) == 2


def test_damaged_metrics(a_run):
    (a_run / "metrics.csv").write_text("time,height\n1,2\n")
    with pytest.raises(bnn.InputError, match=r"is no metrics.csv"):
        fit(a_run, resume=True)


def test_a_comparison_locks_its_runs(tmp_path):
    compare(tmp_path / "run", epochs=1)
    used = pytest.raises(bnn.InputError, match="bop is in use by this process already")
    with RunFolder(tmp_path / "run/bop", resume=True), used:
        compare(tmp_path / "run", resume=True)


@pytest.mark.parametrize("name", ["metrics.csv", "telemetry.npz", "best.npz", "checkpoint.npz"])
def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch, finished_run, name):
    run = tmp_path / "run"
    fit(run, epochs=1)
    saved = [run / "checkpoint.npz", run / "best.npz"]
    before = [path.read_bytes() for path in saved]

    def full(path, mode):
        if Path(path).name == f"{name}.new":
            raise OSError(28, "No space left on device")
        return open(path, mode)

    def fill(run, row):
        monkeypatch.setattr(atomic, "open", full, raising=False)

    message = f"{name} failed: No space left on device; the last checkpoint .* is kept"
    with pytest.raises(TrainingError, match=message):
        fit(run, epochs=3, resume=True, callbacks=[fill])
    monkeypatch.delattr(atomic, "open")
    assert [path.read_bytes() for path in saved] == before
    assert not list(run.glob("*.new"))
    fit(run, epochs=3, resume=True)
    assert_same_run(run, finished_run)


LIMITED = """
import resource
from small_runs import fit
size = {size}
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    fit({out!r}, epochs=3, resume=True)
except ValueError as error:
    print(error)
"""


def test_a_real_write_that_fails(tmp_path, run_python, finished_run):
    fit(tmp_path / "run", epochs=1)
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    assert len(before) > 8000
    program = LIMITED.format(size=8000, out=str(tmp_path / "run"))
    code, out, err = run_python(program)
    assert code == 0, err
    assert "checkpoint.npz failed: File too large; the last checkpoint" in out
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before
    assert not list((tmp_path / "run").glob("*.new"))
    fit(tmp_path / "run", epochs=3, resume=True)
    assert_same_run(tmp_path / "run", finished_run)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_told_of(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    told = rf"run.\.lock cannot be locked \({os.strerror(number)}\): see to it that no other run"
    with pytest.warns(RuntimeWarning, match=told):
        history = fit(tmp_path / "run", epochs=1)
    assert history["epoch"] == [1]
    assert (tmp_path / "run/checkpoint.npz").exists()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
def test_a_file_system_that_syncs_nothing_takes_files(tmp_path, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, "fsync", refuse)
    atomic.write_atomic(tmp_path / "file", b"one")
    assert (tmp_path / "file").read_bytes() == b"one"


WINDOWS = """
import os, random, signal, sys, warnings
sys.modules["fcntl"] = None
del signal.SIGHUP, signal.SIGPIPE, os.O_DIRECTORY, os.register_at_fork
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    from small_runs import fit, small_data
    import minibnn.cli, minibnn.training.sweep.worker
    del told[:]  # filelock's own
    fit("run", epochs=1)
    fit("run", epochs=2, resume=True)
assert len(told) == 2 and all("cannot be locked" in str(one.message) for one in told), told
print(len(minibnn.load("run").predict(small_data().test_images)))
"""


def test_nothing_that_windows_lacks_is_needed(tmp_path, run_python):
    code, out, err = run_python(f"import os; os.chdir({str(tmp_path)!r})\n{WINDOWS}")
    assert (code, out) == (0, "53\n"), err


def test_a_file_on_a_read_only_system_is_named(tmp_path, monkeypatch):
    refuse = Mock(side_effect=OSError(30, "Read-only file system"))
    monkeypatch.setattr(atomic, "open", refuse, raising=False)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OSError, match="Read-only") as caught:
        atomic.write_atomic(tmp_path / "file", b"")
    assert caught.value.filename == str(tmp_path / "file")


@pytest.mark.parametrize(("syncs", "content"), [(0, b"one"), (1, b"two")])  # a file's, its folder's
def test_a_sync_that_fails_is_no_success(tmp_path, monkeypatch, syncs, content):
    path, fsync, descriptors = tmp_path / "file", os.fsync, []

    def failing(descriptor):
        descriptors.append(descriptor)
        if len(descriptors) > syncs:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    atomic.write_atomic(path, b"one")
    monkeypatch.setattr(atomic.os, "fsync", failing)
    with pytest.raises(OSError, match="No space"):
        atomic.write_atomic(path, b"two")
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["file"]

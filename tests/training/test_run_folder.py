"""Run folders: who may write to them, and that a failing disk costs nothing that was saved."""

import errno
import json
import os

import pytest
from small_runs import compare, fit, without_seconds

import minibnn as bnn
from minibnn.files import atomic
from minibnn.training import TrainingError
from minibnn.training.metrics import read_rows
from minibnn.training.run_folder import RunFolder, new_folder


def test_what_a_run_leaves_behind(tmp_path):
    fit(tmp_path / "deep/er/run", options={"command": "train"})
    names = {p.name for p in (tmp_path / "deep/er/run").iterdir()}
    assert names == {
        ".lock", "best.npz", "checkpoint.npz", "config.json", "curves.png", "metrics.csv",
        "telemetry.npz",
    }  # fmt: skip
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
    history = bnn.fit(
        net,
        optimizer,
        bnn.data.load("digits").subset(train=210, test=53),
        progress=False,
        **{key: config[key] for key in ("epochs", "batch_size", "seed", "loss", "augment")},
    )
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


def test_another_run_is_not_overwritten(tmp_path):
    fit(tmp_path / "run", epochs=1)
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    with pytest.raises(bnn.InputError, match=r"run already holds a run; .*resume.*force"):
        fit(tmp_path / "run", epochs=1, seed=5)
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before
    with pytest.raises(bnn.InputError, match="choose one"):
        fit(tmp_path / "run", resume=True, force=True)


def test_force_removes_the_run_and_nothing_else(tmp_path):
    fit(tmp_path / "run", epochs=2)
    (tmp_path / "run/notes.txt").write_text("mine")
    fit(tmp_path / "run", epochs=1, seed=5, force=True)
    fit(tmp_path / "fresh", epochs=1, seed=5)
    assert (tmp_path / "run/notes.txt").read_text() == "mine"
    fresh = (tmp_path / "fresh/checkpoint.npz").read_bytes()
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == fresh


def test_force_on_a_comparison_removes_its_runs(tmp_path):
    compare(tmp_path / "run", epochs=1)
    (tmp_path / "run/latent-sgd/notes.txt").write_text("mine")
    (tmp_path / "run/bop-9").mkdir()
    fit(tmp_path / "run", epochs=1, force=True)
    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*")}
    assert names == {
        ".lock", "best.npz", "checkpoint.npz", "config.json", "curves.png", "metrics.csv",
        "telemetry.npz",
        "latent-sgd", "latent-sgd/notes.txt", "bop-9",
    }  # fmt: skip


def test_force_does_not_follow_names_out_of_the_folder(tmp_path):
    fit(tmp_path / "other", epochs=1)
    fit(tmp_path / "run", epochs=1)
    path = tmp_path / "run/config.json"
    config = json.loads(path.read_text()) | {"optimizers": {"../other": {}, "": {}}}
    path.write_text(json.dumps(config))
    fit(tmp_path / "run", epochs=1, force=True)
    assert (tmp_path / "other/checkpoint.npz").exists()


def test_resume_of_a_folder_without_checkpoint_starts_from_the_beginning(tmp_path):
    (tmp_path / "run").mkdir()
    assert len(fit(tmp_path / "run", resume=True)) == 3


def test_the_largest_seed_can_be_resumed(tmp_path):
    largest = {"seed": (1 << 63) - 1}
    fit(tmp_path / "run", epochs=1, **largest)
    assert len(fit(tmp_path / "run", epochs=2, resume=True, **largest)) == 2


def test_damaged_metrics(tmp_path):
    fit(tmp_path / "run", epochs=1)
    (tmp_path / "run/metrics.csv").write_text("time,height\n1,2\n")
    with pytest.raises(bnn.InputError, match=r"is no metrics.csv"):
        fit(tmp_path / "run", resume=True)


def test_a_folder_in_use_is_refused_and_names_the_process(tmp_path, start_python):
    out = tmp_path / "run"
    process = start_python(
        f"import time\nfrom minibnn.training.run_folder import RunFolder\n"
        f"with RunFolder({str(out)!r}):\n    print('locked', flush=True)\n    time.sleep(60)"
    )
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(
        bnn.InputError, match=rf"in use by another process \(number {process.pid}: .*python"
    ):
        fit(out)
    process.kill()
    process.wait()
    fit(out, epochs=1)  # the lock ended with the process


def test_two_at_once_in_one_process(tmp_path):
    with RunFolder(tmp_path / "run"), pytest.raises(bnn.InputError, match="in use"):
        fit(tmp_path / "run")


def test_a_comparison_locks_its_runs(tmp_path):
    compare(tmp_path / "run", epochs=1)
    with (
        RunFolder(tmp_path / "run/bop", resume=True),
        pytest.raises(bnn.InputError, match="in use"),
    ):
        compare(tmp_path / "run", resume=True)


def full_after(monkeypatch, writes):
    """Let the disk be full for synced files from the given one on."""
    fsync, count = os.fsync, [0]

    def failing(fd):
        count[0] += 1
        if count[0] > writes:
            raise OSError(28, "No space left on device")
        fsync(fd)

    monkeypatch.setattr(atomic.os, "fsync", failing)


def test_a_full_disk_while_writing_metrics(tmp_path, monkeypatch):
    fit(tmp_path / "run", epochs=1)

    def fill(run, row):
        if row["epoch"] == 3:
            full_after(monkeypatch, 0)

    message = r"writing .*metrics.csv failed: No space left on device; the last checkpoint"
    with pytest.raises(TrainingError, match=message):
        fit(tmp_path / "run", epochs=4, resume=True, callbacks=[fill])
    monkeypatch.undo()
    fit(tmp_path / "run", epochs=4, resume=True)
    fit(tmp_path / "whole", epochs=4)
    assert_same_files(tmp_path / "run", tmp_path / "whole")


def assert_same_files(a, b):
    assert (a / "checkpoint.npz").read_bytes() == (b / "checkpoint.npz").read_bytes()
    one, two = (without_seconds(read_rows(folder / "metrics.csv")) for folder in (a, b))
    assert one == two


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


def test_a_real_write_that_fails(tmp_path, run_python):
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
    fit(tmp_path / "whole", epochs=3)
    assert_same_files(tmp_path / "run", tmp_path / "whole")


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
def test_a_file_system_that_syncs_nothing_keeps_the_run(tmp_path, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, "fsync", refuse)
    fit(tmp_path / "run", epochs=1)
    monkeypatch.undo()
    fit(tmp_path / "whole", epochs=1)
    assert_same_files(tmp_path / "run", tmp_path / "whole")


def test_a_folder_whose_disk_fails_is_no_success(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        full_after(patch, 1)  # the file's sync goes, the folder's does not
        with pytest.raises(OSError, match="No space"):
            atomic.write_atomic(tmp_path / "file", b"one")


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


def test_write_atomic_replaces_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "file"
    atomic.write_atomic(path, b"one")
    assert path.read_bytes() == b"one"
    with monkeypatch.context() as patch:
        full_after(patch, 0)
        with pytest.raises(OSError, match="No space"):
            atomic.write_atomic(path, b"two")
    assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]

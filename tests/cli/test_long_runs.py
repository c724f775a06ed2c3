"""Runs that last: options of checkpoints, a disk that fills up, a folder that is in use."""

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

import minibnn as bnn
from minibnn.training.run_folder import RunFolder

SMALL = ("--width", "0.0625", "--batch-size", "200", "--threads", "1")


def test_options_of_checkpoints_arrive_and_the_best_is_told(works):
    how = ("--checkpoint-every", 2, "--checkpoint-minutes", 0.5)
    out = works("train", *SMALL, *how, "--epochs", 2, "--out", "a")
    config = json.loads(Path("a/config.json").read_text())
    assert (config["checkpoint_every"], config["checkpoint_minutes"]) == (2, 0.5)
    assert "kept in a/best.npz" in out
    assert bnn.load("a/best.npz").input_shape == (8, 8, 1)
    works("train", "--resume", "--out", "a", "--epochs", 3)
    config = json.loads(Path("a/config.json").read_text())
    assert (config["checkpoint_every"], config["checkpoint_minutes"]) == (2, 0.5)


@pytest.fixture
def small_disk(here):
    """A file system of 900 kB; its folder."""
    folder = here / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up(works, fails, small_disk):
    out = small_disk / "run"
    wide = ("--width", 0.5, "--batch-size", 200, "--optimizer", "bop")  # checkpoints of 400 kB
    works("train", *wide, "--epochs", 1, "--out", out)
    before = {p.name: p.read_bytes() for p in out.glob("*.npz")}
    (small_disk / "other").write_bytes(bytes(200_000))  # no room for two checkpoints
    more = ("train", "--resume", "--out", out, "--epochs", 3)
    fails(r"saving .*checkpoint.npz failed: No space left on device; the last .* is kept", *more)
    assert (out / "checkpoint.npz").read_bytes() == before["checkpoint.npz"]
    assert not list(out.glob("*.new"))
    full = pytest.raises(OSError, match="No space")
    with open(small_disk / "other", "ab", buffering=0) as file, full:
        while True:  # to the last byte
            file.write(bytes(4096))
    fails("No space left on device", *more)
    assert (out / "checkpoint.npz").read_bytes() == before["checkpoint.npz"]
    (small_disk / "other").unlink()
    works(*more)
    works("train", *wide, "--epochs", 3, "--out", "whole")
    assert (out / "checkpoint.npz").read_bytes() == Path("whole/checkpoint.npz").read_bytes()


@pytest.mark.parametrize(
    ("words", "run"),
    [
        (("train", "--out", "a"), "a"),
        (
            ("sweep", "--grid", "gamma=1e-2,1e-3", "--jobs", "1", "--out", "s"),
            "s/gamma=0.01_seed=0",
        ),
    ],
)
def test_a_closed_terminal_is_a_hang_up(here, words, run):
    """Nothing can be told there any more: all is saved, and the exit code tells."""
    words = (*words, "--filters", "4", "--dense-units", "16", "--epochs", "500")
    child, terminal = pty.fork()
    if not child:
        os.environ.pop("PYTHONUNBUFFERED", None)  # what is lost stays in a buffer till the end
        os.execv(sys.executable, [sys.executable, "-m", "minibnn", *words])
    while not (here / run / "checkpoint.npz").exists():
        with contextlib.suppress(OSError):  # it ended
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 4096)
        assert os.waitpid(child, os.WNOHANG)[0] == 0
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 129
    assert not list(here.glob("*/.stop-*"))
    with RunFolder(here / run, resume=True):  # free again
        pass


HOLDS = """
import sys, time
from minibnn.training.run_folder import RunFolder
with RunFolder("a"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_folder_in_use_names_the_process_and_its_command(fails, here):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, "train", "--data-dir", "d" * 500, "--out", "a folder"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"locked\n"
        what = rf"a is in use by another process \(number {process.pid}"
        if Path("/proc/self/cmdline").exists():
            what += r": \S*python\S* -c .*\.\.\.d+ --out 'a folder'\)"
        fails(what, "train", *SMALL, "--out", "a")
        process.stdin.close()

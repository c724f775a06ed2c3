"""Names, folders and disks that get in the way: one line, and nothing left behind."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import minibnn as bnn
from minibnn.files.atomic import staged

NAMES = ["my cats é 猫", "a\nb", "\x1b[31mred", "'quoted\"", "-dash", "%s{}"]


@pytest.fixture
def net(here):
    network = bnn.zoo.digits_net(filters=2, dense_units=4)
    network.save(here / "net.npz")
    bnn.deploy.pack(network, dataset="digits").save(here / "bits.npz")
    return network


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files(run, net, here, name):
    """Whatever a file is called, it can be written and read, and its absence is one line."""
    for words in (
        ("export", "--to", "packed", "--", "net.npz", name),
        ("evaluate", "--dataset", "digits", "--threads", "1", "--", name),
    ):
        code, _, err = run(*words)
        assert (code, err) == (0, "")
    code, _, err = run("evaluate", "--", f"no {name}")
    assert code == 2 and err.count("\n") == 1 and err[:-1].isprintable()


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes that are no text")
def test_a_name_that_is_no_text(run, net, here):
    name = os.fsdecode(b"caf\xe9.npz")
    assert run("export", "net.npz", name, "--to", "packed")[0] == 0
    assert run("evaluate", "--dataset", "digits", name)[0] == 0
    code, _, err = run("evaluate", f"no {name}")
    assert code == 2 and "no caf\\udce9.npz does not exist" in err


@pytest.mark.parametrize("form", ["packed", "larq"])
def test_a_full_disk_leaves_no_half_file(run, net, here, monkeypatch, form):
    """The bytes are written beside the file first: here that is a device that is always full."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    staged(here / "out.npz").symlink_to("/dev/full")
    before = {path.name for path in here.iterdir()} - {"out.npz.new"}
    code, _, err = run("export", "net.npz", "out.npz", "--to", form)
    assert code == 2 and err.count("\n") == 1
    assert "out.npz: No space left on device" in err
    assert {path.name for path in here.iterdir()} == before


def test_a_run_folder_of_links(run, fails, here, net):
    """Links that lead nowhere, to themselves, or to what is no file."""
    for target in ("nowhere", "config.json", "/dev/null", "."):
        folder = here / "run"
        folder.mkdir()
        for name in ("config.json", "metrics.csv", "checkpoint.npz", "telemetry.npz"):
            (folder / name).symlink_to(target)
        commands = [("evaluate", "run"), ("plot", "run")]
        if target != "nowhere":  # then nothing is there, and the run would begin
            commands.append(("train", "--resume", "--out", "run"))
        for words in commands:
            code, _, err = run(*words)
            assert code == 2 and err.count("\n") == 1, (target, words, err)
        for file in folder.iterdir():
            if file.is_symlink():
                file.unlink()
            else:
                file.unlink(missing_ok=True)
        folder.rmdir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(fails, net, here):
    (here / "locked").mkdir(mode=0o500)
    fails("locked/a.npz: Permission denied", "export", "net.npz", "locked/a.npz", "--to", "packed")


def test_more_memory_than_there_is_ends_in_a_line(fails, net, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr("minibnn.training.measure.measure", greedy)
    fails("not enough memory: Unable to allocate 9 EiB", "evaluate", "bits.npz")


def test_a_image_called_by_a_name_that_no_stream_takes(run, net, here):
    from PIL import Image

    name = os.fsdecode(b"caf\xe9\n.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(here / "a.png")
    (here / "a.png").rename(here / name)
    code, out, err = run("predict", "bits.npz", name)
    assert (code, err) == (0, "")
    assert out.count("\n") == 1 and out[:-1].isprintable()

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
def test_names_of_files(run, works, net, name):
    """Whatever a file is called, it can be written and read, and its absence is one line."""
    works("export", "--to", "packed", "--", "net.npz", name)
    works("evaluate", "--dataset", "digits", "--threads", "1", "--", name)
    code, _, err = run("evaluate", "--", f"no {name}")
    assert code == 2 and err.count("\n") == 1 and err[:-1].isprintable()


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes that are no text")
def test_a_name_that_is_no_text(works, fails, net):
    name = os.fsdecode(b"caf\xe9.npz")
    works("export", "net.npz", name, "--to", "packed")
    works("evaluate", "--dataset", "digits", name)
    fails(r"no caf\\udce9\.npz does not exist", "evaluate", f"no {name}")


@pytest.mark.parametrize("form", ["packed", "larq"])
def test_a_full_disk_leaves_no_half_file(fails, net, here, form, monkeypatch):
    """The bytes are written beside the file first: here that is a device that is always full."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    staged(here / "out.npz").write_text("somebody's")
    before = {path.name for path in here.iterdir()}
    monkeypatch.setattr("os.urandom", bytes)  # zeros
    (here / "out.npz.00000000.new").symlink_to("/dev/full")
    fails(r"out\.npz: No space left on device", "export", "net.npz", "out.npz", "--to", form)
    assert {path.name for path in here.iterdir()} == before


def test_links_out_of_a_run_folder_are_not_followed(fails, here):
    (here / "run").mkdir()
    (here / "thesis").write_text("months of work")
    (here / "run/.lock").symlink_to(here / "thesis")
    fails("", "train", "--out", "run", "--epochs", 1)
    assert (here / "thesis").read_text() == "months of work"
    (here / "run/config.json").symlink_to("/dev/zero")
    fails("config.json is damaged: it is no file of up to 64 MiB", "info", "run")


@pytest.mark.parametrize("target", ["nowhere", "config.json", "/dev/null", "."])
def test_a_run_folder_of_links(fails, here, target):
    """Links that lead nowhere, to themselves, or to what is no file."""
    folder = here / "run"
    folder.mkdir()
    for name in ("config.json", "metrics.csv", "checkpoint.npz", "telemetry.npz"):
        (folder / name).symlink_to(target)
    fails("", "evaluate", "run")
    fails("", "plot", "run")
    if target != "nowhere":  # then nothing is there, and the run would begin
        fails("", "train", "--resume", "--out", "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(fails, net, here):
    (here / "locked").mkdir(mode=0o500)
    fails("locked/a.npz: Permission denied", "export", "net.npz", "locked/a.npz", "--to", "packed")


def test_more_memory_than_there_is_ends_in_a_line(fails, net, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr("minibnn.training.measure.measure", greedy)
    fails("not enough memory: Unable to allocate 9 EiB", "evaluate", "bits.npz")


def test_an_image_called_by_a_name_that_no_stream_takes(works, net, here):
    from PIL import Image

    name = os.fsdecode(b"caf\xe9\n.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(here / "a.png")
    (here / "a.png").rename(here / name)
    out = works("predict", "bits.npz", name)
    assert out.count("\n") == 1 and out[:-1].isprintable()

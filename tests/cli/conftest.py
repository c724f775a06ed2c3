"""A folder of its own for every test, and a function that runs a command line."""

import re

import pytest

import minibnn as bnn
from minibnn.cli import main


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with a run, a comparison, the run's network saved and packed, and three digits."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("trained")
    small = "--filters 4 --dense-units 16 --batch-size 200 --epochs 2".split()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MINIBNN_NUM_THREADS", "1")
        patch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())
        assert main(["train", *small, "--validation", "100", "--out", "run"]) == 0
        assert main(["compare", *small, "--out", "both"]) == 0
        assert main(["export", "run", "net.bnn.npz", "--to", "packed"]) == 0
        bnn.load("run").save("net.npz")
    for k, image in enumerate(bnn.data.load("digits").test_images[:3]):
        Image.fromarray(image[..., 0]).save(folder / f"{k}.png")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every test in a folder of its own, with empty figures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIBNN_DATA", raising=False)
    monkeypatch.setenv("MINIBNN_NUM_THREADS", "1")  # small runs do not gain from more
    monkeypatch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run a command line; returns (exit code, standard output, standard error)."""

    def run(*arguments):
        code = main([str(a) for a in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def works(run):
    """Run a command line that must end with 0 and complain of nothing; returns its output."""

    def works(*arguments):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        return out

    return works


@pytest.fixture
def fails(run):
    """Run a command line that must end with 2 and one line that matches; returns its output."""

    def fails(message, *arguments):
        code, out, err = run(*arguments)
        assert code == 2, err
        assert re.search(message, err), err
        assert err.startswith("minibnn: ")
        assert err.count("\n") == 1
        return out

    return fails

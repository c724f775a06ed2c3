"""Commands on run folders of which a file is damaged: exit code 0, or 2 and one line."""

import json
import shutil
import warnings

import pytest
from damaged import edited, json_texts
from hypothesis import strategies as st

import minibnn as bnn
from minibnn.cli import main
from minibnn.errors import InputError

SMALL = "--filters 2 --dense-units 4 --batch-size 400 --epochs 1 --threads 1".split()
FILES = ("config.json", "metrics.csv", "telemetry.npz", "checkpoint.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run of ``minibnn train``."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())
        assert main(["train", *SMALL, "--out", str(out)]) == 0
    return out


@pytest.fixture
def answers(capsys):
    """A function that runs a command line, which may fail in one line; returns the exit code."""

    def answers(*words):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # notes of what has changed
            code = main(list(words))
        err = capsys.readouterr().err
        if code != 0:
            assert code == 2, err
            lines = err.splitlines()
            assert lines and lines[-1].startswith("minibnn: ") and err.isprintable() is False
            assert all(line.isprintable() for line in lines)
        return code

    return answers


def damaged(whole):
    contents = {name: (whole / name).read_bytes() for name in FILES}
    config = json.loads(contents["config.json"])
    frame = json.dumps(config | {"options": "HERE"}).encode()
    options = json_texts(config["options"]).map(lambda text: frame.replace(b'"HERE"', text))
    return st.one_of(
        st.tuples(st.just("config.json"), json_texts(config) | options | options),
        st.sampled_from(FILES).flatmap(
            lambda name: st.tuples(st.just(name), edited(contents[name]))
        ),
    )


def put(whole, folder, case):
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(whole, folder)
    (folder / case[0]).write_bytes(case[1])


def test_resume(fuzz, answers, whole, tmp_path, monkeypatch):
    """All that ``minibnn train --resume`` reads before it trains."""
    folder = tmp_path / "run"
    monkeypatch.setattr(bnn.training, "fit", begun)

    def attempt(case):
        put(whole, folder, case)
        assert answers("train", "--resume", "--out", str(folder)) == 2

    fuzz(damaged(whole), attempt)


def begun(*_, **__):
    raise InputError("training would begin")


def test_looking(fuzz, answers, whole, tmp_path, monkeypatch):
    """``plot``, less the drawing, ``info`` and ``evaluate``."""
    folder = tmp_path / "run"
    monkeypatch.setattr("minibnn.training.plots.draw_runs", lambda *_: None)

    def attempt(case):
        put(whole, folder, case)
        answers("plot", str(folder))
        answers("info", str(folder))
        answers("evaluate", str(folder), "--threads", "1")

    fuzz(damaged(whole), attempt)


def test_report(fuzz, answers, whole, tmp_path):
    folder = tmp_path / "run"

    def attempt(case):
        put(whole, folder, case)
        code = answers("report", str(folder), "--no-confusion")
        assert code == 2 or (folder / "report.html").stat().st_size

    fuzz(damaged(whole), attempt)

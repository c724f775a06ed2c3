"""Event files read back record by record: every number of metrics.csv once, every histogram."""

import signal
import struct
import sys

import numpy as np
import pytest
from small_runs import KILLED, LATENT, StopAt, assert_same_run, compare, fit

import minibnn as bnn
from minibnn.training import Interrupted, TrainingError
from minibnn.training.metrics import read_rows
from minibnn.training.telemetry import EDGES, read_telemetry


@pytest.fixture
def protos():
    return pytest.importorskip(
        "tensorboardX.proto.event_pb2", reason="needs tensorboardX (extra: tensorboard)"
    )


@pytest.fixture
def read(protos):
    """A function that gives the events of a folder, file after file."""

    def read(folder):
        events = []
        for path in sorted(folder.glob("events.out.tfevents.*")):
            data = path.read_bytes()
            while data:
                (length,) = struct.unpack("<Q", data[:8])
                record, data = data[12 : 12 + length], data[16 + length :]
                assert len(record) == length, "a cut record"
                events.append(protos.Event.FromString(record))
        return events

    return read


@pytest.fixture
def shown(read, protos):
    """A function that gives what TensorBoard shows of a folder: {tag: [(step, value), ...]}."""

    def shown(folder):
        values = {}
        for event in read(folder):
            if event.session_log.status == protos.SessionLog.START:
                for tag, points in values.items():
                    values[tag] = [(step, value) for step, value in points if step < event.step]
            for value in event.summary.value:
                found = value.histo if value.HasField("histo") else value.simple_value
                values.setdefault(value.tag, []).append((event.step, found))
        return values

    return shown


def assert_shows_the_run(values, folder):
    rows, arrays = read_rows(folder / "metrics.csv"), read_telemetry(folder / "telemetry.npz")
    seen = set()
    for column in rows[0].keys() - {"epoch", "name"}:
        part, _, what = column.partition("_")
        tag = f"{what}/{part}" if part in ("train", "test", "validation") else column
        tag = tag.replace(":", "/")
        seen.add(tag)
        measured = [(r["epoch"], np.float32(r[column])) for r in rows if r[column] is not None]
        assert values.get(tag, []) == measured, tag
    for layer, name in enumerate(arrays["layers"]):
        tag = f"log10 inertia/{name}"
        seen.add(tag)
        assert [step for step, _ in values[tag]] == [row["epoch"] for row in rows]
        for k, (_, histogram) in enumerate(values[tag]):
            counts = arrays["histogram"][k, layer]
            (used,) = np.nonzero(counts)
            assert list(histogram.bucket) == [0, *counts[used[0] : used[-1] + 1]]
            edges = np.log10(EDGES[used[0] + 1 : used[-1] + 2])
            np.testing.assert_allclose(histogram.bucket_limit[1:], edges, atol=1e-12)
            assert histogram.num == arrays["weights"][layer]
            assert histogram.min == pytest.approx(edges[0] - 1 / 16)
            mean = histogram.sum / histogram.num
            assert histogram.min < mean < histogram.max
    assert {tag for tag in values if values[tag]} <= seen


def test_a_run(tmp_path, shown, read, finished_run):
    fit(tmp_path / "run", tensorboard=True)
    assert_same_run(tmp_path / "run", finished_run)  # they change nothing
    values = shown(tmp_path / "run")
    assert_shows_the_run(values, tmp_path / "run")
    assert {"loss/train", "accuracy/test", "pi/conv1/kernel", "flips"} <= values.keys()
    assert read(tmp_path / "run")[0].file_version == "brain.Event:2"
    descriptions = {
        value.metadata.summary_description
        for event in read(tmp_path / "run")
        for value in event.summary.value
        if value.HasField("histo")
    }
    assert descriptions == {"log10(|m| / threshold)"}
    fit(tmp_path / "run", epochs=1, force=True)
    assert not list((tmp_path / "run").glob("events*"))


def test_a_validation_part_and_an_optimizer_without_threshold(tmp_path, shown, read):
    fit(tmp_path / "run", spec=LATENT, validation=20, tensorboard=True)
    values = shown(tmp_path / "run")
    assert_shows_the_run(values, tmp_path / "run")
    assert [step for step, _ in values["accuracy/validation"]] == [1, 2, 3]
    assert [step for step, _ in values["accuracy/test"]] == [3]
    event = read(tmp_path / "run")[-1]
    assert event.summary.value[-1].metadata.summary_description == "log10(|latent|)"


def test_a_comparison(tmp_path, shown):
    compare(tmp_path / "run", epochs=2, tensorboard=True)
    for name, other in (("bop", "latent-sgd"), ("latent-sgd", "bop")):
        values = shown(tmp_path / "run" / name)
        assert [step for step, _ in values.pop(f"agreement/{other}")] == [1, 2]
        assert_shows_the_run(values, tmp_path / "run" / name)
    assert not list((tmp_path / "run").glob("events*"))


def test_a_resumed_run_shows_every_epoch_once(tmp_path, shown):
    for batches, resume in ((14, False), (20, True)):
        with pytest.raises(Interrupted):
            how = {"epochs": 5, "resume": resume, "tensorboard": True}
            fit(tmp_path / "run", progress=StopAt(batches, signal.SIGINT), **how)
    fit(tmp_path / "run", epochs=5, resume=True, tensorboard=True)
    assert_shows_the_run(shown(tmp_path / "run"), tmp_path / "run")
    assert len(list((tmp_path / "run").glob("events*"))) == 3  # though all within a second or two


def test_epochs_done_again_after_a_kill_replace_the_first_ones(tmp_path, run_python, read, shown):
    out, how = tmp_path / "killed", {"epochs": 6, "checkpoint_every": 2, "tensorboard": True}
    code, _, err = run_python(KILLED.format(out=str(out), epoch=4, how=how))
    assert code == -signal.SIGKILL, err
    assert max(event.step for event in read(out)) == 3, "beyond the checkpoint of epoch 2"
    fit(out, **how, resume=True)
    assert_shows_the_run(shown(out), out)
    steps = [event.step for event in read(out) if event.summary.value]
    assert steps == [1, 2, 3, 3, 4, 5, 6]


def test_asked_for_late_the_epochs_before_are_written_too(tmp_path, shown):
    fit(tmp_path / "run", epochs=2)
    fit(tmp_path / "run", epochs=4, resume=True, tensorboard=True)
    assert_shows_the_run(shown(tmp_path / "run"), tmp_path / "run")


def test_without_a_folder_or_the_package(tmp_path, monkeypatch):
    with pytest.raises(bnn.InputError, match=r"tensorboard=True writes into the run folder"):
        fit(tensorboard=True)
    for name in ("tensorboardX", "tensorboardX.record_writer"):
        monkeypatch.setitem(sys.modules, name, None)
    for train in (fit, compare):
        with pytest.raises(bnn.InputError, match=r'pip install "minibnn\[tensorboard\]"'):
            train(tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()
    fit(tmp_path / "run", epochs=1)


def test_no_space_left_is_told(tmp_path, protos, monkeypatch):
    from tensorboardX.record_writer import RecordWriter

    def full(self):
        raise OSError(28, "No space left on device")

    fit(tmp_path / "run", epochs=1, tensorboard=True)
    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "flush", full)
        message = "writing events in .*run failed: No space left on device; the last checkpoint"
        with pytest.raises(TrainingError, match=message):
            fit(tmp_path / "run", epochs=2, resume=True, tensorboard=True)
    fit(tmp_path / "run", epochs=3, resume=True, tensorboard=True)
    assert len(read_rows(tmp_path / "run/metrics.csv")) == 3

"""Lockstep: each run as if alone, on the same batches, and how far the weights agree."""

import json
import signal
import warnings

import numpy as np
import pytest
from small_runs import (
    BOP,
    LATENT,
    StopAt,
    assert_same_comparison,
    assert_same_run,
    compare,
    fit,
    optimizer,
    small_data,
    small_net,
    without_seconds,
)

import minibnn as bnn
from minibnn.files import checkpoint
from minibnn.training import Interrupted
from minibnn.training.metrics import read_rows


def test_each_run_is_what_fit_makes_of_it_alone(tmp_path):
    result = compare(tmp_path / "both", augment="paper")
    for name, spec in (("bop", BOP), ("latent-sgd", LATENT)):
        fit(tmp_path / name, spec=spec, augment="paper")
        assert_same_run(tmp_path / name, tmp_path / "both" / name)
        one, two = (
            json.loads((tmp_path / path / name / "config.json").read_text())
            for path in ("both", "")
        )
        assert one == two
    assert result.nets["bop"].digest() == bnn.load(tmp_path / "both/bop").digest()


def test_net_and_optimizers_are_left_alone():
    net, o = small_net(), optimizer()
    before = net.digest()
    bnn.lockstep(net, {"a": o}, small_data(), epochs=1, batch_size=20, progress=False)
    assert (net.digest(), o.iterations) == (before, 0)


def test_agreement_is_the_share_of_equal_weights():
    result = compare(specs={"a": BOP, "b": BOP, "c": LATENT})
    assert result.agreement("a", "b") == [1.0, 1.0, 1.0]
    assert result.agreement("b", "a") == [1.0, 1.0, 1.0]
    assert all(0 < share < 1 for share in result.agreement("a", "c"))
    assert result.agreement("a", "c") == result.agreement("b", "c")
    a, c = (
        np.concatenate([p.value.ravel() for p in result.nets[n].parameters() if p.binary])
        for n in "ac"
    )
    assert result.agreement("a", "c")[-1] == np.mean(a == c)


def test_what_a_comparison_leaves_behind(tmp_path):
    result = compare(tmp_path / "run", validation=20)
    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*")}
    own = {".lock", "best.npz", "checkpoint.npz", "config.json", "metrics.csv", "telemetry.npz"}
    assert names == {".lock", "config.json", "metrics.csv", "compare.png", "bop", "latent-sgd"} | {
        f"{run}/{name}" for run in ("bop", "latent-sgd") for name in own
    }
    rows = read_rows(tmp_path / "run/metrics.csv")
    assert rows == [row | {f"agreement:{row['name']}": None} for row in result.rows]
    assert [(row["epoch"], row["name"]) for row in rows] == [
        (epoch, name) for epoch in (1, 2, 3) for name in ("bop", "latent-sgd")
    ]
    header = (tmp_path / "run/metrics.csv").read_text().splitlines()[0]
    assert header.endswith("agreement:bop,agreement:latent-sgd")
    assert set(result.to_dict()) == {"bop", "latent-sgd"}
    for name, history in result.histories.items():
        meta, _ = checkpoint.read(tmp_path / "run" / name / "best.npz")
        assert meta["epoch"] == history.best("validation_accuracy")["epoch"]


@pytest.mark.parametrize("batches", [10, 17])
def test_interrupted_and_resumed(tmp_path, batches):
    compare(tmp_path / "whole", augment="paper")
    with pytest.raises(Interrupted):
        compare(tmp_path / "parts", augment="paper", progress=StopAt(batches, signal.SIGINT))
    result = compare(tmp_path / "parts", augment="paper", resume=True)
    assert_same_comparison(tmp_path / "whole", tmp_path / "parts")
    assert [row["epoch"] for row in result.rows] == [1, 1, 2, 2, 3, 3]
    assert len(result.agreement("bop", "latent-sgd")) == 3


def test_more_epochs_later(tmp_path):
    compare(tmp_path / "whole", epochs=4)
    compare(tmp_path / "parts", epochs=2)
    compare(tmp_path / "parts", epochs=4, resume=True)
    assert_same_comparison(tmp_path / "whole", tmp_path / "parts")
    with pytest.warns(UserWarning, match="finished"):
        result = compare(tmp_path / "parts", epochs=4, resume=True)
    assert [row["epoch"] for row in result.rows] == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("name", "at", "every"),
    [
        ("stage", 2, 1),  # one of the first two checkpoints lies beside
        ("commit", 3, 1),  # both of the second epoch lie beside
        ("commit", 4, 1),  # the first of them is renamed
        ("commit", 4, 2),  # that of the last epoch: the resume only finishes the renaming
    ],
)
def test_killed_between_the_checkpoints_of_one_epoch(tmp_path, run_python, name, at, every):
    out = tmp_path / "killed"
    program = f"kill_at({name!r}, {at})\ncompare({str(out)!r}, checkpoint_every={every})"
    code, _, err = run_python(f"from small_runs import compare, kill_at\n{program}")
    assert code == -signal.SIGKILL, err
    compare(tmp_path / "whole", checkpoint_every=every)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the run in .* is finished")
        compare(out, checkpoint_every=every, resume=True)
    assert (out / "compare.png").exists()
    assert_same_comparison(tmp_path / "whole", out)
    assert not list(out.rglob("*.new"))


def test_a_full_disk_keeps_all_checkpoints_of_the_epoch_before(tmp_path, monkeypatch):
    compare(tmp_path / "run", epochs=1)
    before = [(tmp_path / "run" / n / "checkpoint.npz").read_bytes() for n in ("bop", "latent-sgd")]
    with monkeypatch.context() as patch:
        from minibnn.files import atomic

        def stage(path, data):
            if "latent-sgd" in str(path):
                raise OSError(28, "No space left on device")
            atomic.stage(path, data)

        patch.setattr("minibnn.training.keeper.stage", stage)
        with pytest.raises(bnn.InputError, match="No space left on device; the last checkpoint"):
            compare(tmp_path / "run", epochs=2, resume=True)
    after = [(tmp_path / "run" / n / "checkpoint.npz").read_bytes() for n in ("bop", "latent-sgd")]
    assert before == after
    assert not list((tmp_path / "run").rglob("*.new"))


def test_other_optimizers_are_another_run(tmp_path):
    compare(tmp_path / "run")
    with pytest.raises(bnn.InputError, match=r"optimizers.bop.binary.gamma was 0.01, now 0.5"):
        compare(tmp_path / "run", specs={"bop": "bop:gamma=0.5", "latent-sgd": LATENT}, resume=True)
    with pytest.raises(bnn.InputError, match=r"optimizers.new was absent"):
        compare(tmp_path / "run", specs={"bop": BOP, "latent-sgd": LATENT, "new": BOP}, resume=True)
    assert not (tmp_path / "run/new").exists()
    with pytest.raises(bnn.InputError, match="holds another run: "):
        fit(tmp_path / "run", resume=True)


def test_a_run_that_went_on_alone_cannot_be_resumed_in_step(tmp_path):
    compare(tmp_path / "run", epochs=2)
    fit(tmp_path / "run/bop", epochs=3, resume=True)
    with pytest.raises(bnn.InputError, match=r"bop stands after 3 epochs .* latent-sgd after 2"):
        compare(tmp_path / "run", epochs=4, resume=True)
    # What was refused changed nothing, so the other may follow, and nothing of both is lost.
    fit(tmp_path / "run/latent-sgd", spec=LATENT, epochs=3, resume=True)
    files = [tmp_path / "run" / name / "metrics.csv" for name in ("bop", "latent-sgd")]
    alone = [read_rows(file) for file in files]
    compare(tmp_path / "run", epochs=4, resume=True)
    for file, before in zip(files, alone, strict=True):
        after = read_rows(file)
        assert [row["epoch"] for row in after] == [1, 2, 3, 4]
        assert without_seconds(after[:3]) == without_seconds(before)


def test_callbacks_end_it_when_all_agree():
    asked = []

    def stop(run, row):
        asked.append((row["epoch"], run.name))
        return run.name == "bop" or row["epoch"] == 2

    result = compare(callbacks=[stop], epochs=4)
    assert asked == [(1, "bop"), (1, "latent-sgd"), (2, "bop"), (2, "latent-sgd")]
    assert len(result["bop"]) == 2

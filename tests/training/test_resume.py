"""A resumed run equals an uninterrupted one, bit for bit, however it ended."""

import itertools
import shutil
import signal
from types import SimpleNamespace

import pytest
from small_runs import KILLED, LATENT, StopAt, assert_same_run, fit, small_net, without_seconds

import minibnn as bnn
from minibnn.training import Interrupted
from minibnn.training.metrics import read_rows
from minibnn.training.telemetry import read_telemetry

ADAM = "latent-adam:lr=cosine:1e-2:1e-4:4ep"
SGD = LATENT
BOP = "bop:gamma=step:1e-2:0.5:15,threshold=1e-6"


@pytest.mark.parametrize("spec", [BOP, SGD, ADAM])
def test_more_epochs_later_are_as_all_at_once(tmp_path, spec):
    fit(tmp_path / "whole", spec=spec, epochs=4, augment="paper")
    fit(tmp_path / "parts", spec=spec, epochs=2, augment="paper")
    net = small_net()
    history = fit(tmp_path / "parts", net, spec=spec, epochs=4, augment="paper", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert history["epoch"] == [1, 2, 3, 4]
    assert net.digest() == bnn.load(tmp_path / "whole").digest()


@pytest.mark.parametrize(
    ("batches", "signum", "said", "spec"),
    [
        (1, signal.SIGTERM, "SIGTERM after 0 epochs and 2 steps", ADAM),
        (12, signal.SIGHUP, r"SIGHUP \(its terminal was closed\) after 1 epochs and 3 steps", SGD),
        (20, signal.SIGINT, "Ctrl-C after 2 epochs and 0 steps", ADAM),
        (38, signal.SIGTERM, "SIGTERM after 3 epochs and 9 steps", BOP),
        (29, signal.SIGINT, "Ctrl-C after 3 epochs and 0 steps", BOP),  # seen at the last step
    ],
)
def test_a_signal_in_an_epoch_saves_and_can_be_resumed(tmp_path, batches, signum, said, spec):
    handler = signal.getsignal(signum)
    how = {"spec": spec, "epochs": 5, "augment": "paper"}
    fit(tmp_path / "whole", **how)
    with pytest.raises(Interrupted, match=f"^stopped by {said}; saved in .*parts; go on") as stop:
        fit(tmp_path / "parts", **how, progress=StopAt(batches, signum))
    assert stop.value.exit_code == 128 + signum
    assert stop.value.folder == tmp_path / "parts"
    assert signal.getsignal(signum) == handler
    fit(tmp_path / "parts", **how, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_signal_without_a_folder_ends_the_run(tmp_path):
    with pytest.raises(Interrupted, match="no run folder"):
        fit(progress=StopAt(2, signal.SIGINT))


def test_stopped_twice_in_one_epoch(tmp_path, finished_run):
    for batches in (12, 3):
        with pytest.raises(Interrupted):
            fit(tmp_path / "parts", progress=StopAt(batches, signal.SIGINT), resume=batches == 3)
    fit(tmp_path / "parts", resume=True)
    assert_same_run(finished_run, tmp_path / "parts")


def test_an_epoch_took_the_seconds_before_a_stop_too(tmp_path, monkeypatch):
    clock = SimpleNamespace(perf_counter=itertools.count().__next__)  # a step takes a second
    monkeypatch.setattr("minibnn.training.run.time", clock)
    with pytest.raises(Interrupted):
        fit(tmp_path / "run", progress=StopAt(18, signal.SIGINT))
    history = fit(tmp_path / "run", resume=True)
    assert history["seconds"] == [11, 11, 11]  # and measuring the test images another


KILLED_WHILE_SAVING = (
    "from small_runs import fit, kill_at\nkill_at('commit', {epoch})\nfit({out!r}, **{how!r})"
)


@pytest.mark.parametrize(
    ("program", "epoch", "every", "spec"),
    [(KILLED, 4, 2, BOP), (KILLED, 1, 2, BOP), (KILLED_WHILE_SAVING, 2, 1, ADAM)],
    ids=["in an epoch", "before the first", "while saving"],
)
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    tmp_path, run_python, program, epoch, every, spec
):
    """Or, without one yet, from the beginning."""
    out, how = tmp_path / "killed", {"epochs": 6, "checkpoint_every": every, "spec": spec}
    code, _, err = run_python(program.format(out=str(out), epoch=epoch, how=how))
    assert code == -signal.SIGKILL, err
    done = len(read_rows(out / "metrics.csv"))
    assert done == (epoch if program is KILLED_WHILE_SAVING else epoch - 1)
    assert (out / "checkpoint.npz").exists() == (epoch > 1)
    fit(tmp_path / "whole", **how)
    fit(out, **how, resume=True)
    assert_same_run(tmp_path / "whole", out)
    assert not list(out.glob("*.new"))


def test_what_lies_beyond_the_checkpoint_of_a_finished_run_is_cut(tmp_path, finished_run):
    run, net = tmp_path / "run", small_net()
    first = fit(run, epochs=2)
    for name in ("metrics.csv", "telemetry.npz"):  # of three epochs
        shutil.copy(finished_run / name, run / name)
    (run / "telemetry.npz.new").write_bytes(b"cut off")
    with pytest.warns(UserWarning, match="finished: all 2 epochs are done"):
        history = fit(run, net, epochs=2, resume=True)
    assert without_seconds(history.rows) == without_seconds(first.rows)
    assert read_rows(run / "metrics.csv") == history.rows
    assert list(read_telemetry(run / "telemetry.npz")["epoch"]) == [1, 2]
    assert net.digest() == bnn.load(run).digest()
    fit(run, epochs=3, resume=True)
    assert_same_run(run, finished_run)
    assert not list(run.glob("*.new"))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"batch_size": 30}, "batch_size was 20, now 30"),
        ({"seed": 2}, "seed was 1, now 2"),
        ({"augment": "paper"}, "augment was none, now paper"),
        ({"validation": 10}, "validation was 0, now 10"),
        ({"loss": "squared_hinge"}, "loss was softmax_cross_entropy, now squared_hinge"),
        ({"spec": "bop:gamma=0.1", "epochs": 3}, "optimizer.binary.gamma was 0.01, now 0.1"),
        ({"name": "other"}, "name was bop, now other"),
        ({"net": small_net(filters=5)}, "network.layers.0.filters was 4, now 5"),
        ({"net": small_net(gradients="int9"), "epochs": 3}, "network.gradients was float32, now"),
        ({"epochs": 2}, "epochs may only be raised: .* was started for 3, now 2"),
    ],
)
def test_other_settings_are_another_run(a_run, changes, key):
    before = {p.name: p.read_bytes() for p in a_run.iterdir() if p.name != ".lock"}
    with pytest.raises(bnn.InputError, match=key):
        fit(a_run, **{"epochs": 4, "resume": True, **changes})
    after = {p.name: p.read_bytes() for p in a_run.iterdir() if p.name != ".lock"}
    assert after == before


def test_a_schedule_over_the_whole_run_is_told_to_stretch(tmp_path):
    spec = "bop:gamma=cosine:1e-2:1e-4,threshold=1e-6"
    fit(tmp_path / "run", spec=spec, epochs=2)
    with pytest.warns(UserWarning, match="started for 2 epochs, now 3: schedules over the whole"):
        fit(tmp_path / "run", spec=spec, epochs=3, resume=True)


def test_later_epochs_may_have_another_schedule_that_counts_from_the_start(tmp_path):
    parts, fixed = tmp_path / "parts", "bop:gamma=1e-2,threshold=1e-6"
    later = fixed.replace("1e-2", "step:1e-2:0.5:2ep")
    fit(tmp_path / "whole", spec=later, epochs=3)
    fit(parts, spec=fixed, epochs=2)
    with pytest.warns(UserWarning, match="optimizer.binary.gamma 0.01, now step:0.01:0.5:2ep"):
        fit(parts, spec=later, epochs=3, resume=True)
    assert bnn.load(parts).digest() == bnn.load(tmp_path / "whole").digest()


@pytest.mark.parametrize(
    ("gradients", "last_path"),
    [
        ("int8", 0),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("int8", -1), ("int9", -1))),
    ],
)
def test_integer_gradients_go_on_wherever_they_are(
    tmp_path, gradients, last_path, use_backend, use_threads, use_simd
):
    """A run that changes backend, vector path and threads at each epoch is an undisturbed one."""
    from minibnn.ops.kernels import simd

    use_backend("reference")
    fit(tmp_path / "whole", small_net(gradients=gradients), epochs=4)
    paths = simd.vector_paths()
    places = [("numba", 0, 2), ("reference", 0, 1), ("numba", last_path, 1)]
    for epochs, (backend, path, threads) in enumerate([*places, places[0]], start=1):
        use_backend(backend)
        use_simd(paths[path])
        use_threads(threads)
        last = small_net(gradients=gradients)
        fit(tmp_path / "parts", last, epochs=epochs, resume=epochs > 1, threads=threads)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert last.digest() == bnn.load(tmp_path / "whole").digest()

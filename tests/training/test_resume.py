"""A resumed run equals an uninterrupted one, bit for bit, however it ended."""

import json
import signal

import numpy as np
import pytest
from small_runs import LATENT, StopAt, fit, small_net, without_seconds

import minibnn as bnn
from minibnn.training import Interrupted
from minibnn.training.metrics import read_rows

ADAM = "latent-adam:lr=cosine:1e-2:1e-4:4ep"
SGD = LATENT
BOP = "bop:gamma=step:1e-2:0.5:15,threshold=1e-6"


def assert_same_run(a, b):
    for name in ("checkpoint.npz", "telemetry.npz"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    rows = without_seconds(read_rows(a / "metrics.csv"))
    assert rows == without_seconds(read_rows(b / "metrics.csv"))
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("spec", [BOP, SGD, ADAM])
def test_more_epochs_later_are_as_all_at_once(tmp_path, spec):
    fit(tmp_path / "whole", spec=spec, epochs=4, augment="paper")
    fit(tmp_path / "parts", spec=spec, epochs=2, augment="paper")
    net = small_net()
    history = fit(tmp_path / "parts", net, spec=spec, epochs=4, augment="paper", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert history["epoch"] == [1, 2, 3, 4]
    loaded = bnn.load(tmp_path / "whole").state_dict()
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, loaded[name])


@pytest.mark.parametrize("spec", [BOP, SGD, ADAM])
@pytest.mark.parametrize(
    ("batches", "signum", "said"),
    [
        (1, signal.SIGTERM, "SIGTERM after 0 epochs and 2 steps"),
        (12, signal.SIGHUP, r"SIGHUP \(its terminal was closed\) after 1 epochs and 3 steps"),
        (20, signal.SIGINT, "Ctrl-C after 2 epochs and 0 steps"),
        (38, signal.SIGTERM, "SIGTERM after 3 epochs and 9 steps"),
    ],
)
def test_a_signal_in_an_epoch_saves_and_can_be_resumed(tmp_path, spec, batches, signum, said):
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


def test_stopped_twice_in_one_epoch(tmp_path):
    fit(tmp_path / "whole")
    for batches in (12, 3):
        with pytest.raises(Interrupted):
            fit(tmp_path / "parts", progress=StopAt(batches, signal.SIGINT), resume=batches == 3)
    fit(tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


KILLED = """
import os
from small_runs import fit
def kill(run, row):
    if row["epoch"] == 4:
        os.kill(os.getpid(), 9)
fit({out!r}, epochs=6, checkpoint_every=2, callbacks=[kill], spec={spec!r})
"""

KILLED_WHILE_SAVING = """
import os
from small_runs import fit
from minibnn.files import atomic
replace, calls = os.replace, []
def kill(source, target):
    calls.append(target)
    if str(target).endswith("checkpoint.npz") and len(calls) > 4:
        os.kill(os.getpid(), 9)
    replace(source, target)
atomic.os.replace = kill
fit({out!r}, epochs=6, checkpoint_every=1, spec={spec!r})
"""


@pytest.mark.parametrize("program", [KILLED, KILLED_WHILE_SAVING])
@pytest.mark.parametrize("spec", [BOP, ADAM])
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, run_python, program, spec):
    out = tmp_path / "killed"
    code, _, err = run_python(program.format(out=str(out), spec=spec))
    assert code == -signal.SIGKILL, err
    every = 2 if program is KILLED else 1
    written = [row["epoch"] for row in read_rows(out / "metrics.csv")]
    assert written, "killed too early for this test"
    fit(tmp_path / "whole", epochs=6, spec=spec, checkpoint_every=every)
    fit(out, epochs=6, spec=spec, checkpoint_every=every, resume=True)
    assert_same_run(tmp_path / "whole", out)
    assert not list(out.glob("*.new"))


def test_killed_before_the_first_checkpoint_starts_from_the_beginning(tmp_path, run_python):
    out = tmp_path / "killed"
    program = KILLED.replace("== 4", "== 1").format(out=str(out), spec=BOP)
    assert run_python(program)[0] == -signal.SIGKILL
    assert not (out / "checkpoint.npz").exists()
    fit(out, epochs=6, spec=BOP, checkpoint_every=2, resume=True)
    fit(tmp_path / "whole", epochs=6, spec=BOP, checkpoint_every=2)
    assert_same_run(tmp_path / "whole", out)


def test_metrics_are_cut_back_to_the_checkpoint(tmp_path):
    fit(tmp_path / "run", epochs=2)
    path = tmp_path / "run/metrics.csv"
    whole = path.read_text()
    row = whole.splitlines()[-1]
    path.write_text(whole + row.replace("2,bop", "3,bop", 1) + "\n")
    with pytest.warns(UserWarning, match="finished"):
        history = fit(tmp_path / "run", epochs=2, resume=True)
    assert path.read_text() == whole
    assert len(history) == 2


def test_a_finished_run_says_so_and_gives_its_history_and_weights(tmp_path):
    net = small_net()
    first = fit(tmp_path / "run", net=net)
    again = small_net(seed=0)
    with pytest.warns(UserWarning, match="finished: all 3 epochs are done"):
        second = fit(tmp_path / "run", net=again, resume=True)
    assert second.rows == first.rows
    for p, q in zip(net.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(p.value, q.value)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"batch_size": 30}, "batch_size was 20, now 30"),
        ({"seed": 2}, "seed was 1, now 2"),
        ({"augment": "paper"}, "augment was none, now paper"),
        ({"validation": 10}, "validation was 0, now 10"),
        ({"loss": "squared_hinge"}, "loss was softmax_cross_entropy, now squared_hinge"),
        ({"spec": "bop:gamma=1e-3,threshold=1e-6"}, "optimizer.binary.gamma was 0.01, now 0.001"),
        ({"name": "other"}, "name was bop, now other"),
        ({"net": small_net(filters=5)}, "network.layers.0.filters was 4, now 5"),
        ({"epochs": 2}, "epochs may only be raised: .* was started for 3, now 2"),
    ],
)
def test_other_settings_are_another_run(tmp_path, changes, key):
    fit(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.name != ".lock"}
    with pytest.raises(bnn.InputError, match=key):
        fit(tmp_path / "run", **{"epochs": 4, "resume": True, **changes})
    after = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.name != ".lock"}
    assert after == before


def test_a_schedule_over_the_whole_run_is_told_to_stretch(tmp_path):
    spec = "bop:gamma=cosine:1e-2:1e-4,threshold=1e-6"
    fit(tmp_path / "run", spec=spec, epochs=2)
    with pytest.warns(UserWarning, match="started for 2 epochs, now 3: schedules over the whole"):
        fit(tmp_path / "run", spec=spec, epochs=3, resume=True)


def test_another_machine_or_version_is_told_not_refused(tmp_path):
    fit(tmp_path / "run")
    path = tmp_path / "run/config.json"
    config = json.loads(path.read_text())
    config["computed_by"] = {"backend": "numba", "simd": "made up"}
    path.write_text(json.dumps(config))
    with pytest.warns(UserWarning, match="started on numba made up, now on"):
        fit(tmp_path / "run", epochs=4, resume=True)
    assert json.loads(path.read_text())["computed_by"]["simd"] == "made up"
    assert json.loads(path.read_text())["epochs"] == 4


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

    def net():
        return bnn.zoo.digits_net(filters=4, dense_units=16, seed=0, gradients=gradients)

    use_backend("reference")
    fit(tmp_path / "whole", net(), epochs=4)
    paths = simd.vector_paths()
    places = [("numba", 0, 2), ("reference", 0, 1), ("numba", last_path, 1)]
    for epochs, (backend, path, threads) in enumerate([*places, places[0]], start=1):
        use_backend(backend)
        use_simd(paths[path])
        use_threads(threads)
        last = net()
        fit(tmp_path / "parts", last, epochs=epochs, resume=epochs > 1, threads=threads)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert last.digest() == bnn.load(tmp_path / "whole").digest()


def test_another_type_of_gradients_is_another_run(tmp_path):
    fit(tmp_path / "run", bnn.zoo.digits_net(filters=4, dense_units=16, gradients="int8"), epochs=1)
    with pytest.raises(bnn.errors.InputError, match=r"network\.gradients was int8, now int9"):
        net = bnn.zoo.digits_net(filters=4, dense_units=16, gradients="int9")
        fit(tmp_path / "run", net, epochs=2, resume=True)

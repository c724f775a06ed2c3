"""Flip telemetry, held against records made by hand: every sign at every step, every weight."""

from math import exp, log

import numpy as np
import pytest
from small_runs import LATENT, fit, optimizer, small_data, small_net

import minibnn as bnn
from minibnn.training import telemetry
from minibnn.training.metrics import read_rows
from minibnn.training.telemetry import EDGES, histogram, pi_t, read_telemetry

OPTIMIZERS = {  # what its inertia is, from its state_dict; its threshold, step by step (None: none)
    "bop:gamma=1e-2,threshold=linear:1e-4:1e-6:20": (
        lambda s: abs(s["m"]),
        lambda step: 1e-4 + (1e-6 - 1e-4) * min(step, 20) / 20,
    ),
    "bop:gamma=1e-2,threshold=0": (lambda s: abs(s["m"]), 0),
    "bop2nd:gamma=1e-2,sigma=1e-2,threshold=1e-3": (
        lambda s: abs(s["m"]) / (np.sqrt(s["v"]) + np.float32(1e-10)),
        1e-3,
    ),
    "bop2nd:gamma=1e-2,sigma=1e-3,threshold=1e-3,form=unbiased": (
        lambda s: (
            abs(s["m"] / np.float32(1e-2))
            / (np.sqrt(s["v"] / np.float32(1e-3)) + np.float32(1e-10))
        ),
        1e-3,
    ),
    "cema:gamma=0.1,alpha=1e-2": (lambda s: abs(s["inertia"]), None),
    "latent-sgd:lr=1,momentum=0.9": (lambda s: abs(s["latent"]), None),
    "latent-adam:lr=1e-2": (lambda s: abs(s["latent"]), None),
    "inertia-sgd:lr=1": (lambda s: s["inertia"], None),
    "schmitt-sgd:lr=1,weight_decay=1e-2,deadband=1e-3": (lambda s: abs(s["latent"]), 1e-3),
    "double-well-sgd:lr=1,weight_decay=1e-2,deadband=1e-3": (lambda s: abs(s["latent"]), None),
}


class Recorder(bnn.optim.Split):
    """A Split that keeps the binary weights before and after every step."""

    def step(self, parameters):
        binary = [p for p in parameters if p.binary]
        before = [p.value.copy() for p in binary]
        flips = super().step(parameters)
        changed = [old != p.value for old, p in zip(before, binary, strict=True)]
        self.changes = [*getattr(self, "changes", ()), changed]
        return flips


def record(spec, net=None, epochs=3, **more):
    """A small fit; returns its Run as the last callback saw it, and every step's changes."""
    seen = []
    recorder = Recorder(binary=bnn.optim.parse_optimizer(spec), real=bnn.optim.Adam(lr=0.01))
    settings = {"epochs": epochs, "batch_size": 20, "seed": 1, "progress": False} | more
    callbacks = [*settings.pop("callbacks", ()), lambda run, row: seen.append(run) and None]
    net = net or small_net()
    history = bnn.fit(net, recorder, small_data(), callbacks=callbacks, **settings)
    return seen[-1], history, recorder.changes


def test_pi_t_by_hand():
    assert pi_t(0, 1000) == -9
    assert pi_t(1, 10_000) == pytest.approx(log(1e-4 + exp(-9)), rel=1e-14)
    assert pi_t(1, 10_000) == pytest.approx(-8.406503, abs=1e-6)
    assert pi_t([250, 1000], 1000) == pytest.approx([log(0.25 + exp(-9)), log(1 + exp(-9))])
    assert pi_t(1000, 1000, steps=10) == pytest.approx(-2.301351, abs=1e-6)  # ln(0.1 + e^-9)


@pytest.mark.parametrize("spec", ["bop:gamma=0.5,threshold=1e-3", LATENT])
def test_what_a_run_records_is_what_every_step_did(spec, each_backend):
    run, history, changes = record(spec)
    arrays = run.telemetry.arrays()
    binary = [p for p in run.net.parameters() if p.binary]
    assert list(arrays["layers"]) == [p.name for p in binary]
    assert list(arrays["weights"]) == [p.size for p in binary]
    np.testing.assert_array_equal(arrays["epoch"], [1, 2, 3])
    np.testing.assert_array_equal(arrays["steps"], [10, 10, 10])
    assert len(changes) == 30
    back_and_forth = 0
    for layer, p in enumerate(binary):
        record_of = np.array([step[layer] for step in changes])
        for epoch in range(3):
            flips = record_of[10 * epoch : 10 * epoch + 10].sum()
            never = 1 - record_of[: 10 * epoch + 10].any(axis=0).mean()
            assert arrays["flips"][epoch, layer] == flips
            assert arrays["never_flipped"][epoch, layer] == pytest.approx(never, abs=1e-12)
            pi = log(flips / 10 / p.size + exp(-9))
            assert arrays["pi"][epoch, layer] == pytest.approx(pi, rel=1e-12)
            row = history.rows[epoch]
            assert row[f"pi:{p.name}"] == arrays["pi"][epoch, layer]
            assert row[f"never_flipped:{p.name}"] == arrays["never_flipped"][epoch, layer]
        often = record_of.sum(axis=0)
        back_and_forth += np.count_nonzero((often > 0) & (often % 2 == 0))
    assert back_and_forth > 20, "no weight came back: comparing start and end would do"


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ("bop:gamma=0.5,threshold=1e-3,average=lerp", {0}),
        ("bop:gamma=0.5,threshold=exp:1e-2:0.1:1", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}),
        (LATENT, {-1}),
    ],
)
def test_flips_against_their_own_gradient_are_none(spec, counts):
    """E23: a flip's own gradient exceeds the threshold, unless that falls."""
    run, *_ = record(spec)
    arrays = run.telemetry.arrays()
    assert arrays["flips"].sum() > 100
    assert set(arrays["against"].flat) <= counts


def test_a_flip_by_old_evidence_alone_is_counted():
    p = bnn.nn.Parameter("kernel", np.ones((3, 2), np.int8), binary=True)
    bop = bnn.optim.Bop(gamma=0.5, threshold=1.0, initial=4.0)
    before = p.signs.words.copy()
    p.grad = np.float32([[0, 0], [3, 3], [-9, -9]])  # m = 2, 3.5, -2.5: the first four flip
    assert bop.step([p]) == {"kernel": 4}
    assert telemetry.flips_against(bop.inertia(p), p, before) == 2
    assert telemetry.flips_against(bop.inertia(p), p, None) == -1  # resumed behind the last step
    line = bnn.nn.Parameter("signs", [1, -1, -1], binary=True)  # a layer's of one's own
    assert telemetry.Telemetry([line]).signs()[0].tolist() == [6]


def test_values_somebody_assigns_are_no_flips():
    def mirror(run, row):
        for p in run.net.parameters():
            if p.binary:
                p.assign(-p.value)

    run, history, changes = record("bop:gamma=1e-2,threshold=1", callbacks=[mirror])  # never flips
    assert not any(layer.any() for step in changes for layer in step)
    assert (run.telemetry.arrays()["never_flipped"] == 1).all()
    assert history.last["pi:dense2/kernel"] == -9


@pytest.mark.parametrize("spec", OPTIMIZERS)
def test_histograms_count_the_state(spec):
    inertia, threshold = OPTIMIZERS[spec]
    run, _, _ = record(spec)
    arrays = run.telemetry.arrays()
    assert arrays["histogram"].shape == (3, 4, len(EDGES) - 1)
    np.testing.assert_array_equal(arrays["histogram"].sum(axis=2), [arrays["weights"]] * 3)
    state, used = run.optimizer.state_dict(), set()
    for layer, name in enumerate(arrays["layers"]):
        prefix = f"binary/{name}/"
        values = inertia({k[len(prefix) :]: a for k, a in state.items() if k.startswith(prefix)})
        expected = threshold(29) if callable(threshold) else threshold
        if expected is None:
            assert np.isnan(arrays["threshold"][:, layer]).all()
        else:
            assert arrays["threshold"][2, layer] == np.float32(expected)
        unit = np.float64(np.float32(expected)) if expected else 1
        counts = arrays["histogram"][2, layer]
        for b in range(len(counts)):
            inside = (values >= EDGES[b] * unit) & (values < EDGES[b + 1] * unit)
            assert counts[b] == np.count_nonzero(inside)
        np.testing.assert_array_equal(counts, np.histogram(values, EDGES * unit)[0])
        used |= set(np.flatnonzero(counts))
    assert len(used) > 8, "all in a few bins: this test sees nothing"
    assert arrays["symbol"] == run.optimizer.inertia(run.net.parameters()[0]).symbol


def test_the_threshold_of_an_epoch_is_that_of_its_last_step():
    run, _, _ = record("bop:gamma=1e-2,threshold=step:1e-3:0.5:1ep")
    found = run.telemetry.arrays()["threshold"][:, 0]
    np.testing.assert_array_equal(found, np.float32([1e-3, 5e-4, 2.5e-4]).astype(np.float64))


def test_an_edge_lies_at_the_threshold():
    (parameter,) = (p for p in small_net().parameters() if p.name == "dense2/kernel")
    for threshold in np.float32([1e-8, 3e-7, 1e-6, 0.7]):
        bop = bnn.optim.Bop(threshold=float(threshold))
        bop.prepare([parameter])
        m = bop._states[parameter.name].m
        m[...] = threshold
        m.flat[:10] = -np.nextafter(threshold, np.float32(0))
        m.flat[10:15] = 0
        m.flat[15:19] = np.float32(1e30)
        symbol, found, counts = histogram(bop.inertia(parameter))
        assert (symbol, found) == ("|m|", threshold)
        (at,) = np.flatnonzero(EDGES == 1)
        assert counts[at] == 160 - 19
        assert counts[at - 1] == 10
        assert counts[0] == 5
        assert counts[-1] == 4


def test_the_file_holds_the_arrays(finished_run):
    path, history = finished_run / "telemetry.npz", read_rows(finished_run / "metrics.csv")
    arrays = read_telemetry(path)
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == set(arrays) == set(telemetry.ARRAYS)
    assert list(arrays["pi"][:, 3]) == [row["pi:dense2/kernel"] for row in history]
    assert list(arrays["flips"][:, 0]) == [row["flips:conv1/kernel"] for row in history]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "cut off or damaged"),
        (lambda path: path.write_bytes(b""), "cut off or damaged"),
        (lambda path: resave(path, pi=None), "expected an array 'pi'"),
        (lambda path: resave(path, flips=np.zeros((3, 2), int)), r"flips must be int64 \(3, 4\)"),
        (lambda path: resave(path, pi=np.array({})), "found pickled objects: refused"),
        (lambda path: resave(path, weights=np.arange(4)), "from another network"),
    ],
)
def test_a_damaged_file_is_refused(a_run, spoil, message):
    spoil(a_run / "telemetry.npz")
    with pytest.raises(bnn.InputError, match=f"telemetry.npz.*{message}"):
        fit(a_run, epochs=4, resume=True)


def resave(path, **changes):
    arrays = read_telemetry(path) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_an_optimizer_that_knows_of_no_inertia():
    class Foreign:  # what a person may write without our classes
        kind = "foreign"

        def __init__(self):
            self.inner = optimizer()

        def __getattr__(self, name):
            if name == "inertia":
                raise AttributeError(name)
            return getattr(self.inner, name)

    seen = []
    settings = {"epochs": 1, "batch_size": 20, "progress": False}
    watch = [lambda run, row: seen.append(run) and None]
    bnn.fit(small_net(), Foreign(), small_data(), callbacks=watch, **settings)
    arrays = seen[0].telemetry.arrays()
    assert arrays["symbol"] == ""
    assert not arrays["histogram"].any()
    assert np.isnan(arrays["threshold"]).all()
    assert (arrays["flips"] > 0).any()


def test_a_network_without_binary_weights(tmp_path):
    layers = [bnn.nn.Flatten(), bnn.nn.Dense(10)]
    net = bnn.nn.Sequential(layers, input_shape=(8, 8, 1), seed=0)
    split = bnn.optim.Split(real=bnn.optim.Adam(lr=0.01))
    how = {"batch_size": 20, "progress": False, "out": tmp_path / "run"}
    bnn.fit(net, split, small_data(), epochs=1, **how)
    history = bnn.fit(net, split, small_data(), epochs=2, resume=True, **how)
    assert not any(":" in column for column in history.last)
    assert read_telemetry(tmp_path / "run/telemetry.npz")["histogram"].shape == (2, 0, 146)

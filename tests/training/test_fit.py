"""fit: what it measures, that it repeats, and what it refuses."""

import signal
from math import nan

import numpy as np
import pytest
from small_runs import StopAt, fit, optimizer, small_data, small_net, without_seconds

import minibnn as bnn
from minibnn import nn
from minibnn.files import checkpoint
from minibnn.training import Interrupted, TrainingError


def test_it_trains_in_place_and_learns():
    net = small_net()
    history = fit(net=net, epochs=8)
    assert history["train_accuracy"][-1] > 0.6 > history["train_accuracy"][0]
    result = bnn.evaluate(net, small_data())
    assert (result.loss, result.accuracy) == (
        history.last["test_loss"],
        history.last["test_accuracy"],
    )


def test_metrics_are_what_a_plain_loop_measures():
    net, o, data = small_net(), optimizer(), small_data()
    batches = bnn.data.Batches(data.train_images, data.train_labels, 20, 1)
    o.bind(10, 30)
    losses, right, flips = [], 0, {}
    for x, labels in batches.epoch(0):
        logits = net.forward(x, training=True)
        loss, dlogits = bnn.nn.softmax_cross_entropy(logits, labels)
        net.backward(dlogits)
        for name, count in o.step(net.parameters()).items():
            flips[name] = flips.get(name, 0) + count
        losses.append(loss)
        right += (logits.argmax(axis=1) == labels).sum()
    row = fit(epochs=1).rows[0]
    assert row["epoch"] == 1
    assert row["name"] == "bop"
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-12)
    assert row["train_accuracy"] == right / 200
    assert {c: n for c, n in row.items() if c.startswith("flips:")} == {
        f"flips:{name}": count for name, count in flips.items()
    }
    assert row["flips"] == sum(flips.values())
    weights = sum(p.size for p in net.parameters() if p.binary)
    assert row["flip_ratio"] == row["flips"] / (10 * weights)
    fit(net=(again := small_net()), epochs=1)
    assert net.digest() == again.digest()


def test_a_seed_gives_a_run():
    a, b, c = small_net(), small_net(), small_net()
    first = fit(net=a, augment="paper")
    second = fit(net=b, augment="paper")
    assert without_seconds(first.rows) == without_seconds(second.rows)
    fit(net=c, augment="paper", seed=2)
    assert a.digest() == b.digest() != c.digest()


def test_one_thread_and_two_give_the_same(tmp_path):
    pytest.importorskip("numba")
    fit(tmp_path / "one", threads=1)
    try:
        fit(tmp_path / "two", threads=2)
    except bnn.InputError as error:
        pytest.skip(str(error))
    one, two = ((tmp_path / n / "checkpoint.npz").read_bytes() for n in ("one", "two"))
    assert one == two


def test_validation_keeps_the_test_images_for_the_end(tmp_path):
    history = fit(tmp_path / "run", validation=40)
    assert history["test_accuracy"][:-1] == [None, None]
    assert 0 <= history.last["test_accuracy"] <= 1
    assert all(v is not None for v in history["validation_accuracy"])
    header = (tmp_path / "run/metrics.csv").read_text().splitlines()[0]
    assert "seconds,validation_loss,validation_accuracy,flips:" in header


def test_augmented_bytes_and_squared_hinge():
    history = fit(loss="squared_hinge", augment="paper", epochs=2)
    assert history["train_loss"][1] < history["train_loss"][0]


def test_a_nan_in_the_weights_is_named_and_the_checkpoint_kept(tmp_path):
    checkpoint, before = tmp_path / "run/checkpoint.npz", []

    def break_it(run, row):
        if row["epoch"] == 3:
            before.append(checkpoint.read_bytes())
            beta = next(p for p in run.net.parameters() if not p.binary)
            beta.assign(np.full(beta.shape, np.nan))

    message = "bop, epoch 4: batch_norm1/beta holds NaN or infinity.*run is kept$"
    with pytest.raises(TrainingError, match=message):
        fit(tmp_path / "run", epochs=5, callbacks=[break_it], checkpoint_every=2)
    assert [checkpoint.read_bytes()] == before


def test_a_diverging_run_keeps_its_last_checkpoint(tmp_path, monkeypatch):
    fit(tmp_path / "run", epochs=1)
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    name, step = small_net().parameters()[2].name, bnn.optim.Split.step

    def broken(self, parameters):
        parameters[2].grad[...] = np.inf
        return step(self, parameters)

    monkeypatch.setattr(bnn.optim.Split, "step", broken)
    message = f"epoch 2, step 1: the gradient of {name} holds NaN.*the last checkpoint.*kept"
    with pytest.raises(TrainingError, match=message):
        fit(tmp_path / "run", epochs=2, resume=True)
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before


def test_latent_weights_that_run_off_are_not_saved(tmp_path):
    grows = {"spec": "latent-sgd:lr=10,weight_decay=1,clip=none", "checkpoint_every": 1}
    message = "epoch .: optimizer/.*latent holds NaN or infinity; the last checkpoint in .* is kept"
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match=message):
        fit(tmp_path / "run", epochs=9, **grows)
    _, arrays = checkpoint.read(tmp_path / "run/checkpoint.npz")
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_infinity_inside_is_told():
    net = bnn.nn.Sequential([bnn.nn.Flatten(), bnn.nn.Dense(10)], (8, 8, 1))
    for p in net.parameters():
        if p.name.endswith("kernel"):
            p.assign(np.full(p.shape, -3e38))
    message = "epoch 1, step 1: the loss is nan; all parameters are finite"
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match=message):
        bnn.fit(net, bnn.optim.SGD(), small_data(), epochs=1, batch_size=20, progress=False)


NO_WEIGHTS = ([], {}, {-1: 1}, {0: -1}, [1, nan], "balanced", {"a": 1}, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 211}, "batch_size must be an integer from 1 to 210"),
        ({"batch_size": 1}, r"^batch_norm3 normalises vectors by their batch"),
        ({"threads": 10_000}, "threads must be an integer from 1"),
        ({"name": "../up"}, "run's name must be"),
        ({"progress": "loud"}, "progress must be"),
        *(
            ({"checkpoint_minutes": bad}, "minutes must be .* above 0")
            for bad in (0, nan, "5", True)
        ),
        ({"loss": {}}, r"loss must be one of softmax_.*, .* a function of .*, found \{\}"),
        *(({"class_weight": bad}, "class_weight must be a weight from 0 on") for bad in NO_WEIGHTS),
        (
            {"class_weight": {10: 1}},
            "class_weight must be of classes 0 to 9, found one of class 10",
        ),
    ],
)
def test_bad_arguments_are_named_and_no_folder_is_left(tmp_path, changes, message):
    with pytest.raises(bnn.InputError, match=message):
        fit(tmp_path / "run", **changes)
    assert list(tmp_path.iterdir()) == []


def test_labels_must_fit_the_network():
    images, labels = np.zeros((30, 8, 8, 1), np.uint8), np.arange(30) % 10
    arrays = images, labels + 1, images, labels
    data = bnn.data.from_arrays(*arrays, classes=list("abcdefghijk"))
    with pytest.raises(bnn.InputError, match="labels must be integers from 0 to 9"):
        bnn.fit(small_net(), optimizer(), data, epochs=1, batch_size=10)


def test_an_optimizer_that_cannot_train_the_network_is_refused_before_a_folder_is_made(tmp_path):
    with pytest.raises(bnn.InputError, match="adam trains real parameters"):
        bnn.fit(small_net(), bnn.optim.Adam(), small_data(), epochs=1, out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_threads_from_the_environment(monkeypatch):
    monkeypatch.setenv("MINIBNN_NUM_THREADS", "many")
    with pytest.raises(bnn.InputError, match="MINIBNN_NUM_THREADS must be an integer"):
        fit(epochs=1)
    monkeypatch.setenv("MINIBNN_NUM_THREADS", "1")
    fit(epochs=1)


def test_a_batch_of_one_is_enough_where_images_are_normalised():
    layers = [nn.BinaryConv2D(10, 3), nn.BatchNorm(), nn.GlobalAvgPool2D()]
    assert len(fit(net=nn.Sequential(layers, (8, 8, 1)), epochs=1, batch_size=1)) == 1


def test_a_schedule_over_the_run_is_over_every_run(tmp_path):
    both = bnn.optim.Split(
        bnn.optim.Bop(bnn.optim.schedules.linear(1e-2, 0.0), 1e-6), bnn.optim.Adam(0.01)
    )
    net, settings = small_net(), {"epochs": 2, "batch_size": 20, "progress": False}
    gammas = []

    def look(run, row):
        gammas.append(run.optimizer.binary.hyperparameters()["gamma"])

    for _ in range(2):
        flips = bnn.fit(net, both, small_data(), callbacks=[look], **settings)["flips"]
        assert min(flips) > 0
    assert gammas == [0.005, 0, 0.005, 0]
    assert both.iterations == 40

    settings |= {"epochs": 4, "seed": 3}
    states = []
    for stops in ((), (7, 25)):
        net, used, resume = small_net(), both.copy(), False  # 40 steps lie behind it
        for stop in stops:
            with pytest.raises(Interrupted):
                settings["progress"] = StopAt(stop, signal.SIGINT)
                bnn.fit(net, used, small_data(), out=tmp_path / "r", resume=resume, **settings)
            net, used, resume = small_net(), bnn.optim.from_config(both.config()), True
        settings["progress"] = False
        out = {"out": tmp_path / "r", "resume": True} if stops else {}
        bnn.fit(net, used, small_data(), **out, **settings)
        states.append(net.digest())
    assert states[0] == states[1]

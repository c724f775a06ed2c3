"""What users ask of fit: vectors, frozen parameters, class weights, a loss of their own."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from small_runs import fit, optimizer, small_data, small_net

import minibnn as bnn
from minibnn import nn
from minibnn.nn.losses import class_weighted


def table():
    """The digits as rows of a table: standardised floats, as from scikit-learn."""
    data = small_data()
    parts = []
    for part in ("train", "test"):
        x = getattr(data, f"{part}_images").reshape(-1, 64) / 255
        parts += [(x - 0.3) / 0.2, getattr(data, f"{part}_labels")]
    return bnn.data.from_arrays(*parts, name="table")


def dense_net():
    layers = [nn.BinaryDense(64), nn.BatchNorm(), nn.Sign(), nn.BinaryDense(10), nn.BatchNorm()]
    return nn.Sequential(layers, (64,))


def test_vectors_are_trained_on_and_leave(tmp_path):
    data, net = table(), dense_net()
    assert data.train_images.dtype == np.float32 and data.train_images.max() > 1
    settings = {"epochs": 8, "batch_size": 20, "progress": False}
    history = bnn.fit(net, optimizer(), data, out=tmp_path / "run", **settings)
    assert history["test_accuracy"][-1] > 0.7
    again = bnn.load(tmp_path / "run")
    packed = bnn.deploy.pack(again)
    for model in (again, packed):
        assert_array_equal(model.predict(data.test_images), net.predict(data.test_images))
        assert bnn.evaluate(model, data).accuracy == history["test_accuracy"][-1]
    bytes_ = small_data().train_images.reshape(-1, 64), small_data().train_labels
    history = bnn.fit(dense_net(), optimizer(), bnn.data.from_arrays(*bytes_ * 2), **settings)
    assert history["train_accuracy"][-1] > 0.7


def test_vectors_that_do_not_fit_are_refused():
    x, y = np.zeros((4, 3)), [0, 1, 0, 1]
    with pytest.raises(bnn.InputError, match="must have the number of features of train_images"):
        bnn.data.from_arrays(x, y, x[:, :2], y)
    for bad in (np.nan, 1e300):  # infinite as float32
        with pytest.raises(bnn.InputError, match="train_images must be finite as float32"):
            bnn.data.from_arrays(np.full((4, 3), bad), y, x, y)
    settings = {"epochs": 1, "batch_size": 20, "progress": False}
    with pytest.raises(bnn.InputError, match=r"network takes vectors of 64, those of .* are 8x8"):
        bnn.fit(dense_net(), optimizer(), small_data(), **settings)
    with pytest.raises(bnn.InputError, match="images to be augmented must be"):
        bnn.fit(dense_net(), optimizer(), table(), augment="paper", **settings)


@pytest.mark.parametrize("spec", ["bop:gamma=1e-2,threshold=1e-6", "latent-sgd:lr=1,momentum=0.9"])
def test_what_is_frozen_stays_and_is_frozen_in_copies_and_files(tmp_path, spec):
    net = small_net()
    kernel, beta = (p for p in net.parameters() if p.name in ("conv1/kernel", "batch_norm1/beta"))
    kernel.trainable = beta.trainable = False
    before = net.state_dict()
    fit(tmp_path / "run", net=net, spec=spec)
    after = net.state_dict()
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert not {"conv1/kernel", "batch_norm1/beta"} & changed
    assert {"conv2/kernel", "batch_norm2/beta"} <= changed
    net.save(tmp_path / "net.npz")
    for again in (net.copy(), bnn.load(tmp_path / "net.npz"), bnn.load(tmp_path / "run")):
        frozen = [p.name for p in again.parameters() if not p.trainable]
        assert frozen == ["conv1/kernel", "batch_norm1/beta"]
    with pytest.raises(bnn.InputError, match="frozen"):  # another network by now
        fit(tmp_path / "run", resume=True, epochs=4)
    config = json.loads(json.dumps(net.config())) | {"frozen": ["conv9/kernel"]}
    with pytest.raises(bnn.InputError, match=r"frozen must be one of conv1.*'conv9/kernel'"):
        nn.Sequential.from_config(config)


def mean_square(logits, labels):
    """By hand: the mean over the batch of |logits - one hot|^2."""
    off = logits - np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return np.square(off).sum() / len(off), 2 * off / len(off)


def test_a_loss_of_ones_own(tmp_path):
    net = small_net()
    history = fit(tmp_path / "run", net=net, loss=mean_square)
    data = small_data()
    expected = mean_square(net.predict(data.test_images), data.test_labels)[0]
    assert_allclose(history["test_loss"][-1], expected, rtol=1e-5)
    assert history["train_loss"][-1] < history["train_loss"][0]
    over = fit(loss=lambda logits, labels: (mean_square(logits, labels), logits.fill(0))[0])
    assert over["train_accuracy"] == history["train_accuracy"]  # it may write over the logits
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["loss"] == "test_wishes.mean_square"
    fit(tmp_path / "run", loss=mean_square, epochs=4, resume=True)
    with pytest.raises(bnn.InputError, match=r"loss was test_wishes.mean_square, now softmax"):
        fit(tmp_path / "run", epochs=5, resume=True)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda logits, labels: 1.0, r"\(loss, dlogits\), found 1.0"),
        (lambda logits, labels: (np.ones(20), logits), r"\(loss, dlogits\), found"),
        (lambda logits, labels: (1.0, logits[0]), r"dlogits \(20, 10\), found"),
    ],
)
def test_a_loss_that_returns_something_else_is_refused(loss, said):
    with pytest.raises(bnn.InputError, match=f"the loss must return {said}"):
        fit(loss=loss)


@pytest.mark.parametrize("loss", [nn.softmax_cross_entropy, nn.squared_hinge, mean_square])
def test_a_class_counts_by_its_weight(loss):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 2, (12, 4)).astype(np.float32), rng.integers(0, 4, 12)
    weights = {0: 0.5, 2: 3, 3: 0}
    found, dlogits = class_weighted(loss, weights, 4)(logits, labels)
    table = [0.5, 1, 3, 0]
    each = [loss(logits[k : k + 1], labels[k : k + 1]) for k in range(12)]
    own = [table[c] for c in labels]
    assert_allclose(
        found, np.mean([w * one[0] for w, one in zip(own, each, strict=True)]), rtol=1e-6
    )
    expected = np.concatenate([w * one[1] / 12 for w, one in zip(own, each, strict=True)])
    assert_allclose(dlogits, expected, rtol=1e-5, atol=1e-8)


def test_class_weights_train_and_measure(tmp_path):
    plain, ones, rare = small_net(), small_net(), small_net()
    fit(net=plain)
    fit(net=ones, class_weight=[1] * 10)
    history = fit(tmp_path / "run", net=rare, class_weight={3: 50})
    assert plain.digest() == ones.digest()
    data = small_data()
    answers = [net.predict(data.test_images).argmax(1) for net in (plain, rare)]
    assert np.sum(answers[1] == 3) > np.sum(answers[0] == 3)
    assert history["test_loss"][-1] == pytest.approx(bnn.evaluate(rare, data).loss)  # not weighted
    fit(tmp_path / "run", class_weight={3: 50.0}, epochs=4, resume=True)
    with pytest.raises(bnn.InputError, match=r"class_weight.3 was 50.0, now 2.0"):
        fit(tmp_path / "run", class_weight={3: 2}, epochs=5, resume=True)


@pytest.mark.parametrize(
    ("scale", "kind"),
    [
        (lambda x: x, "bytes"),
        (lambda x: x / np.float32(255), "unit"),
        (lambda x: x / np.float32(127.5) - 1, "bytes"),
        (lambda x: (x / np.float32(255) - 0.3) * 0.5, "arrays"),
    ],
)
def test_a_network_tells_what_it_was_trained_on(tmp_path, scale, kind):
    data = small_data()
    arrays = scale(data.train_images), data.train_labels, scale(data.test_images), data.test_labels
    names = [f"digit {k}" for k in range(10)]
    net = small_net()
    settings = {"epochs": 1, "batch_size": 20, "progress": False, "out": tmp_path / "run"}
    bnn.fit(net, optimizer(), bnn.data.from_arrays(*arrays, names), **settings)
    net.save(tmp_path / "net.npz")
    bnn.deploy.pack(net).save(tmp_path / "bits.npz")
    for file in ("run", "net.npz", "bits.npz"):
        again = bnn.load(tmp_path / file)
        assert (again.image_form, again.classes) == (kind, tuple(names))
        assert_array_equal(again.predict(arrays[2]), net.predict(arrays[2]))
        if kind != "bytes":
            with pytest.raises(bnn.InputError, match="inputs must be floats, as those it was"):
                again.predict(data.test_images)


def test_a_network_that_ends_in_signs():
    layers = [nn.Flatten(), nn.BinaryDense(10), nn.BatchNorm(), nn.Sign()]
    net = nn.Sequential(layers, (8, 8, 1), seed=0)
    before = net.digest()
    assert len(fit(net=net)) and net.digest() != before

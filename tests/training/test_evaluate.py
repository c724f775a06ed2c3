"""evaluate, measure and load."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from small_runs import compare, fit, small_data, small_net

import minibnn as bnn
from minibnn.training.measure import measure, output_names, rank_of_label


def test_evaluate_counts_every_image_and_leaves_the_network_alone():
    net, data = small_net(), small_data()
    before = net.digest()
    result = bnn.evaluate(net, data)
    assert net.digest() == before
    assert result.count == 53
    logits = net.predict(data.test_images)
    right = logits.argmax(axis=1) == data.test_labels
    assert result.accuracy == right.mean()
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(53), data.test_labels].mean()
    assert result.loss == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 52, 1000])
def test_the_batch_size_does_not_matter(batch_size):
    net, data = small_net(), small_data()
    assert bnn.evaluate(net, data, batch_size=batch_size) == bnn.evaluate(net, data)


def test_evaluate_arrays_and_other_losses():
    net, data = small_net(), small_data()
    whole = bnn.evaluate(net, data.train_images, data.train_labels)
    assert whole.count == 210
    hinge = bnn.evaluate(net, data, loss="squared_hinge")
    assert hinge.accuracy == bnn.evaluate(net, data).accuracy
    assert hinge.loss != bnn.evaluate(net, data).loss


def test_evaluate_needs_an_image():
    net, data = small_net(), small_data()
    with pytest.raises(bnn.InputError, match="at least one"):
        bnn.evaluate(net, data.test_images[:0], data.test_labels[:0])


def test_measure_tells_which_classes_are_taken_for_which():
    data, net = small_data(), small_net()
    found = measure(bnn.deploy.pack(net), data, batch_size=20)
    assert found.evaluation == bnn.evaluate(net, data)
    assert found.seconds > 0
    expected = np.zeros((10, 10), np.int64)
    np.add.at(expected, (data.test_labels, net.predict(data.test_images).argmax(axis=1)), 1)
    assert_array_equal(found.confusion, expected)


def test_names_for_all_outputs():
    assert output_names(("a", "b"), 2) == ("a", "b")
    assert output_names(["a", "b"], 4) == ("a", "b", "2", "3")
    assert output_names(["a", "b"], 1) == ("a",)


def test_load_a_file_a_run_folder_or_a_checkpoint(tmp_path):
    net = small_net()
    fit(tmp_path / "run", net=net)
    net.save(tmp_path / "net.npz")
    for path in (tmp_path / "net.npz", tmp_path / "run", tmp_path / "run/checkpoint.npz"):
        loaded = bnn.load(str(path))
        assert (loaded.config(), loaded.digest()) == (net.config(), net.digest())


def test_load_bad_paths(tmp_path):
    compare(tmp_path / "both", epochs=1)
    with pytest.raises(
        bnn.InputError, match=r"compares several runs; name one: .*/bop, .*/latent-s"
    ):
        bnn.load(tmp_path / "both")
    (tmp_path / "both/bop/checkpoint.npz").unlink()
    with pytest.raises(bnn.InputError, match=r"has no checkpoint.npz yet"):
        bnn.load(tmp_path / "both/bop")
    (tmp_path / "checkpoint.npz").write_bytes(b"PK")
    with pytest.raises(bnn.InputError, match="cut off or damaged"):
        bnn.load(tmp_path / "checkpoint.npz")


def test_ranks_follow_a_stable_sort_and_the_argmax():
    rng = np.random.default_rng(0)
    logits = rng.integers(0, 4, (200, 9)).astype(np.float32)  # many ties
    labels = rng.integers(0, 9, 200)
    order = np.argsort(-logits, axis=1, kind="stable")
    expected = [list(row).index(label) for row, label in zip(order, labels, strict=True)]
    assert_array_equal(rank_of_label(logits, labels), expected)
    assert_array_equal(rank_of_label(logits, logits.argmax(axis=1)), 0)
    logits[:, 3] = np.nan
    assert not (rank_of_label(logits, labels) == 0).any()


class Scores:
    """A network whose outputs are given."""

    def __init__(self, logits):
        self.logits, self.output_shape = logits, logits.shape[1:]

    def predict(self, images, batch_size):
        return self.logits


def test_top5_counts_the_five_highest_and_needs_six_classes():
    logits = np.tile(np.float32([7, 6, 5, 4, 3, 2, 1]), (7, 1))
    images = np.zeros((7, 1), np.uint8)
    found = bnn.evaluate(Scores(logits), images, np.arange(7))
    assert (found.accuracy, found.top5, found.count) == (1 / 7, 5 / 7, 7)
    assert bnn.evaluate(Scores(logits[:, :5]), images, np.arange(7) % 5).top5 is None


def test_a_penalty_is_part_of_every_loss_reported(use_backend):
    """As in Keras: of the training loss before each step, and of the loss of the test images."""
    use_backend("reference")
    data = small_data()
    layers = lambda l2: [bnn.nn.Flatten(), bnn.nn.Dense(len(data.classes), l2=l2)]  # noqa: E731
    plain, net = (bnn.nn.Sequential(layers(l2), data.input_shape) for l2 in (0.0, 0.5))
    without, found = bnn.evaluate(plain, data), bnn.evaluate(net, data)
    assert found.loss == without.loss + net.penalty() > without.loss
    assert found._replace(loss=0) == without._replace(loss=0)
    assert measure(net, data).evaluation == found

    rows = []
    for one in (plain, net):
        before = one.penalty()
        real = bnn.optim.Split(real=bnn.optim.SGD(lr=1e-30))
        history = bnn.fit(one, real, data, epochs=1, batch_size=5, seed=0, progress=False)
        rows.append((history["train_loss"][0] - before, history["test_loss"][0] - before))
    assert rows[1] == pytest.approx(rows[0], rel=1e-6)

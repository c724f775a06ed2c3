"""The networks of section 5.3 at full size on 300 real images of 224x224: minutes each.

Their short forms, small networks and drawn images, are in tests/zoo/test_imagenet_networks.py.
"""

import signal
import warnings

import numpy as np
import pytest
from image_files import write_enlarged
from small_runs import StopAt, assert_same_run

import minibnn as bnn
from minibnn.training.errors import Interrupted

OF_EACH_CLASS = 30
# What suits 300 images. Adam's steps have to be small where many real weights meet in one sum
# (XNOR-Net's last layer has 4096 inputs, Bi-Real Net adds up all its blocks), or logits jump by
# more than the loss can forgive.
SETTINGS = {
    "binary_alexnet": ("bop:gamma=linear:1e-3:1e-4,threshold=3e-7", "adam:lr=linear:5e-3:5e-4"),
    "xnornet": ("bop:gamma=linear:1e-3:1e-4,threshold=1e-6", "adam:lr=linear:1e-3:1e-4"),
    "birealnet": ("bop:gamma=linear:1e-3:3e-4,threshold=1e-6", "adam:lr=linear:1e-3:3e-4"),
}
EPOCHS = {"binary_alexnet": 10, "xnornet": 10, "birealnet": 16}


@pytest.fixture(scope="module")
def tree(shared_cifar, tmp_path_factory):
    """300 images to learn, and the same once more to be measured by."""
    data = bnn.data.load("cifar10", shared_cifar)
    rows = [np.flatnonzero(data.train_labels == label)[:OF_EACH_CLASS] for label in range(10)]
    rows = np.concatenate(rows)
    part = data.train_images[rows], data.train_labels[rows]
    return write_enlarged(tmp_path_factory.mktemp("enlarged"), {"train": part, "val": part},
                          data.classes)  # fmt: skip


def fit(model, tree, out, **changes):
    data = bnn.data.load("image-folder", tree, progress=False)
    net = bnn.zoo.MODELS[model](data.input_shape, len(data.classes), seed=0)
    settings = {
        "epochs": EPOCHS[model],
        "batch_size": 30,
        "progress": False,
        "checkpoint_every": 50,
    }
    binary, real = map(bnn.optim.parse_optimizer, SETTINGS[model])
    optimizer = bnn.optim.Split(binary=binary, real=real)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "images that cannot be read, left out: 1")
        return bnn.fit(net, optimizer, data, out=out, **settings | changes)


@pytest.mark.slow
@pytest.mark.parametrize("model", SETTINGS)
def test_learns_a_folder_of_real_images(model, tree, tmp_path):
    rows = fit(model, tree, tmp_path / "run").rows
    assert rows[-1]["train_loss"] < 0.6 * rows[0]["train_loss"]
    assert rows[-1]["test_accuracy"] > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("model", SETTINGS)
def test_stopped_in_the_middle_goes_on_to_the_same_bits(model, tree, tmp_path):
    short = {"epochs": 2, "augment": "paper"}
    fit(model, tree, tmp_path / "whole", **short)
    with pytest.raises(Interrupted):
        fit(model, tree, tmp_path / "cut", **short, progress=StopAt(11, signal.SIGTERM))
    fit(model, tree, tmp_path / "cut", **short, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")

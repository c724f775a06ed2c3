"""A minute's worth of checks that an installed package works: ``pytest -m smoke``.

Nothing here needs the repository but this file: the check also runs against a wheel that was
installed elsewhere, then with MINIBNN_INSTALLED=1.
"""

import os
import subprocess
import sys
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minibnn as bnn
from minibnn.ops import kernels, reference

pytestmark = pytest.mark.smoke
SMALL = ("--width", "0.0625", "--batch-size", "200", "--epochs", "1", "--threads", "1")


@pytest.fixture(autouse=True)
def compiled(monkeypatch, use_backend):
    monkeypatch.setenv("MINIBNN_BACKEND", "numba")
    use_backend("numba")


def minibnn(*arguments):
    """Run the command line in a process of its own; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "minibnn", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_imported_is_what_is_installed():
    assert metadata.version("minibnn") == bnn.__version__
    if os.environ.get("MINIBNN_INSTALLED"):
        assert "site-packages" in Path(bnn.__file__).parts


def test_everything_that_is_no_code_came_along():
    assert files("minibnn").joinpath("py.typed").is_file()
    assert files("minibnn.data").joinpath("digits.npz").is_file()
    assert "CC BY 4.0" in files("minibnn.data").joinpath("LICENSE-digits.txt").read_text("utf-8")
    assert files("minibnn.deploy").joinpath("FORMAT.md").is_file()


def test_kernels_are_their_reference():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 70)), rng.standard_normal((70, 33))
    x, w = reference.pack_signs(x, 1), reference.pack_signs(w, 0)
    assert_array_equal(kernels.binary_dense(x, w), reference.binary_dense(x, w))
    x = reference.pack_signs(rng.standard_normal((2, 6, 5, 40)), 3)
    w = reference.pack_signs(rng.standard_normal((3, 3, 40, 9)), 2)
    assert_array_equal(kernels.binary_conv2d(x, w), reference.binary_conv2d(x, w))


def test_a_network_trains_and_packs(tmp_path):
    data = bnn.data.load("digits").subset(train=400, test=100)
    net = bnn.zoo.digits_net(filters=16, dense_units=32, seed=0)
    optimizer = bnn.optim.Split(bnn.optim.Bop(gamma=1e-2, threshold=1e-6), bnn.optim.Adam(0.01))
    history = bnn.fit(net, optimizer, data, epochs=8, batch_size=50, progress=False)
    assert history.last["test_accuracy"] > 0.5  # guessing gives 0.1
    bnn.deploy.pack(net).save(tmp_path / "net.packed")
    packed = bnn.load(tmp_path / "net.packed")
    assert_array_equal(packed.forward(data.test_images), net.predict(data.test_images))


@pytest.mark.slow  # each command has tests of its own
def test_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bnn.__version__ in minibnn("--version")
    minibnn("train", *SMALL, "--out", "run")
    assert "accuracy" in minibnn("evaluate", "run")
    minibnn("export", "--to", "packed", "run", "net.packed")
    assert "accuracy" in minibnn("evaluate", "net.packed")
    assert "holds" in minibnn("verify", "E4", "--examples", "5")
    assert "conv1" in minibnn("bench", "--quick", "--only", "products", "--filters", "4")

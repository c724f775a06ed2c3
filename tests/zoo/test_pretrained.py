"""Networks that come with the package: their file, their record and what they answer."""

import csv
import io
import os

import numpy as np
import pytest
from PIL import Image
from scripts import load

import minibnn as bnn
from minibnn.cli import main
from minibnn.errors import InputError
from minibnn.ops import backend
from minibnn.zoo import trained as module


def test_the_digits_network_is_as_accurate_as_its_record_says():
    data, net = bnn.data.load("digits"), bnn.zoo.pretrained("digits")
    result = bnn.evaluate(net, data.test_images, data.test_labels)
    assert round(result.accuracy, 4) == bnn.zoo.PRETRAINED["digits"].accuracy
    assert net.classes == tuple(data.classes)


def test_the_cifar10_network_on_its_first_test_images(shared_cifar):
    data, net = bnn.data.load("cifar10", shared_cifar), bnn.zoo.pretrained("binarynet-cifar10")
    assert net.classes == tuple(data.classes)
    answers = net.predict(data.test_images[:50]).argmax(axis=1)
    assert np.count_nonzero(answers == data.test_labels[:50]) == 45


@pytest.mark.slow
def test_the_cifar10_network_on_all_of_them(shared_cifar, use_backend):
    use_backend("numba")
    data, net = bnn.data.load("cifar10", shared_cifar), bnn.zoo.pretrained("binarynet-cifar10")
    accuracy = bnn.evaluate(net, data.test_images, data.test_labels).accuracy
    assert round(accuracy, 4) == bnn.zoo.PRETRAINED["binarynet-cifar10"].accuracy


def test_the_record_of_the_cifar10_network_is_in_the_results():
    results = module.Path(__file__).parents[2] / "examples" / "results"
    record = bnn.zoo.PRETRAINED["binarynet-cifar10"]
    assert f"`{record.digest}`" in (results / "README.md").read_text(encoding="utf-8")
    *_, last = csv.DictReader((results / "kept/packaged/metrics.csv").read_text().splitlines())
    assert float(last["test_accuracy"]) == record.accuracy
    made = load("results/make.py").COMMANDS["packaged"].replace("&& ", "&& minibnn ")
    assert record.command.replace(" --out RUN", "") == f"minibnn {made}".replace(" --seed 0", "")


def test_the_record_is_that_of_the_first_command():
    readme = (module.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    record = bnn.zoo.PRETRAINED["digits"]
    assert f".venv/bin/{record.command}\n" in readme
    assert f"`{record.digest}` (Bop)" in readme


def test_a_changed_file(monkeypatch, tmp_path):
    content = bytearray(module.Path(module.__file__).with_name("digits.bnn.npz").read_bytes())
    content[-1] ^= 1
    (tmp_path / "digits.bnn.npz").write_bytes(content)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "trained.py"))
    with pytest.raises(InputError, match="is not the network digits on record"):
        bnn.zoo.pretrained("digits")


def test_predict_takes_the_square_in_the_middle_of_any_image(tmp_path, capsys):
    data = bnn.data.load("digits")
    digit = data.test_images[0].repeat(20, axis=0).repeat(20, axis=1)[..., 0]
    wide = np.pad(digit, [(0, 0), (80, 80)], constant_values=255)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(digit).save(tmp_path / "digit.png")
    paths = [str(tmp_path / name) for name in ("wide.png", "digit.png")]
    assert main(["predict", "--model", "digits", *paths]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.partition(": ")[2] == second.partition(": ")[2] != ""


def test_predict_without_images(capsys):
    assert main(["predict", "--model", "digits"]) == 2
    assert "Missing argument 'IMAGE...'" in capsys.readouterr().err


def test_a_wrong_backend_is_no_fault_of_the_file(monkeypatch):
    monkeypatch.setenv("MINIBNN_BACKEND", "x")
    monkeypatch.setattr(backend.ops, "__dict__", {})
    with pytest.raises(InputError, match=r"^MINIBNN_BACKEND must be one of"):
        bnn.zoo.pretrained("digits")


def test_a_full_disk_under_the_log(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.png").write_text("no image")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "b.png")
    images = [str(tmp_path / name) for name in ("a.png", "b.png")]
    monkeypatch.setattr("sys.stderr", full := io.StringIO())
    full.flush = lambda: os.fstat(-1)  # OSError
    assert main(["predict", "--model", "digits", *images]) == 2
    assert "b.png: " in capsys.readouterr().out

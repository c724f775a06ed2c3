"""The commands on trained networks: export, evaluate, predict."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minibnn as bnn
from minibnn.cli.predict import probabilities
from minibnn.training.measure import Evaluation, Measured


@pytest.fixture(autouse=True)
def there(here, trained, monkeypatch):
    monkeypatch.chdir(trained)


@pytest.fixture
def fails(fails):
    """The same, and nothing is said on standard output."""

    def fails_in_silence(message, *arguments):
        assert fails(message, *arguments) == ""

    return fails_in_silence


# -- export --------------------------------------------------------------------------------------


def test_export(works):
    out = works("export", "run", "again.npz", "--to", "packed")
    size = Path("again.npz").stat().st_size
    net = bnn.load("run")
    weights = sum(p.size for p in net.parameters() if p.binary)
    assert out == f"again.npz: {size:,} bytes, {weights:,} binary weights\n"
    assert Path("again.npz").read_bytes() == Path("net.bnn.npz").read_bytes()
    packed, images = bnn.load("again.npz"), bnn.data.load("digits").test_images
    np.testing.assert_array_equal(packed.predict(images), net.predict(images))
    assert (packed.classes, packed.dataset) == (tuple("0123456789"), "digits")
    works("export", "run/best.npz", "again.npz", "--to", "packed", "--force")
    assert bnn.load("again.npz").classes == tuple("0123456789")
    os.remove("again.npz")


def test_a_layer_that_cannot_be_packed(monkeypatch, fails):
    monkeypatch.setattr(sys.modules["minibnn.deploy.pack"], "ours", lambda it: False)
    message = "conv1 cannot be packed: BinaryConv2D is no layer"
    fails(message, "export", "run", "new.npz", "--to", "packed")


# -- evaluate ------------------------------------------------------------------------------------


def test_evaluate(works):
    expected = bnn.evaluate(bnn.load("run"), bnn.data.load("digits"))
    for out in (works("evaluate", "run"), works("evaluate", "net.bnn.npz")):
        accuracy = f"{100 * expected.accuracy:.2f} %"
        assert re.search(rf"\n{expected.loss:.4f} +{accuracy} +[\d.]+ % +360\n", out)
        assert re.search(r"speed:     [\d,]+ images/s\n", out)
        table = out[out.index("class \\ answer") :].splitlines()
        assert len(table) == 12
        rows = [line.split() for line in table[2:]]
        counts = [[0 if cell == "." else int(cell) for cell in row[1:11]] for row in rows]
        assert sum(map(sum, counts)) == 360
        assert sum(counts[k][k] for k in range(10)) == round(360 * expected.accuracy)
        assert rows[3][11] == f"{100 * counts[3][3] / sum(counts[3]):.1f}"


def test_images_that_only_have_the_name_of_known_ones(tmp_path, works, fails):
    data = bnn.data.load("digits").subset(train=200, test=50)
    both = bnn.optim.Split(bnn.optim.Bop(1e-2, 1e-6), bnn.optim.Adam(0.01))
    net = bnn.zoo.digits_net(filters=4, dense_units=8)
    bnn.fit(net, both, data, epochs=1, batch_size=50, out=tmp_path / "part", progress=False)
    other = "part was trained on other images of that name: .*--dataset"
    fails(other, "evaluate", tmp_path / "part")
    assert " 360\n" in works("evaluate", tmp_path / "part", "--dataset", "digits")


def test_evaluate_json_and_image(works):
    options = ("--json", "--out", "confusion.png", "--threads", 1, "--batch-size", 7)
    found = json.loads(works("evaluate", "net.bnn.npz", "--dataset", "digits", *options))
    assert found["count"] == 360
    assert found["classes"] == list("0123456789")
    matrix = np.array(found["confusion"])
    labels = bnn.data.load("digits").test_labels
    np.testing.assert_array_equal(matrix.sum(1), np.bincount(labels))
    assert matrix.trace() == round(360 * found["accuracy"])
    answers = bnn.load("net.bnn.npz").predict(bnn.data.load("digits").test_images).argmax(1)
    assert matrix[3, 5] == np.count_nonzero((labels == 3) & (answers == 5))
    assert found["images_per_second"] > 0
    with Image.open("confusion.png") as image:
        assert image.size[0] > 500


def test_many_classes_are_told_by_their_mistakes():
    matrix = np.eye(30, dtype=np.int64) * 5
    matrix[3, 4], matrix[7, 0] = 5, 2
    classes = tuple(f"c{k}" for k in range(30))
    found = Measured(Evaluation(0.5, 0.9, 150), matrix, 1.0, classes)
    lines = str(found.tables()[-1]).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["c3", "c4", "5", "50.0", "%"],
        ["c7", "c0", "2", "28.6", "%"],
    ]


def test_images_must_be_named(fails):
    fails("does not tell its images: .*--dataset", "evaluate", "net.npz")


def test_more_outputs_than_classes(works, fails, tmp_path):
    digits = bnn.data.load("digits").subset(train=200, test=50)
    arrays = {}
    for part in ("train", "test"):
        labels = getattr(digits, f"{part}_labels")
        arrays[f"{part}_images"] = getattr(digits, f"{part}_images")[labels < 3]
        arrays[f"{part}_labels"] = labels[labels < 3]
    np.savez(tmp_path / "three.npz", classes=["zero", "one", "two"], **arrays)
    net = bnn.zoo.digits_net(classes=10, filters=4, dense_units=16)
    optimizer = bnn.optim.Split(bnn.optim.Bop(gamma=0.01), bnn.optim.Adam(lr=0.01))
    data = bnn.data.load(f"npz:{tmp_path}/three.npz")
    folder = tmp_path / "fewer"
    bnn.fit(net, optimizer, data, epochs=1, batch_size=20, out=folder, progress=False)
    names = ["zero", "one", "two", *"3456789"]
    out = works("evaluate", folder, "--dataset", f"npz:{tmp_path}/three.npz")
    assert [line.split()[0] for line in out.splitlines()[-10:]] == names
    (found,) = json.loads(works("predict", folder, "0.png", "--top", "10", "--json"))
    assert {one["index"]: one["class"] for one in found["top"]} == dict(enumerate(names))
    works("export", folder, tmp_path / "b.npz", "--to", "packed")
    assert bnn.load(tmp_path / "b.npz").classes == tuple(names)
    np.savez(tmp_path / "c.npz", classes=["one", "zero", "two"], **arrays)
    swapped = "class 0 of the network is zero, that of the images one"
    fails(swapped, "evaluate", tmp_path / "b.npz", "--dataset", f"npz:{tmp_path}/c.npz")


# -- predict -------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["net.bnn.npz", "run"])
def test_predict(works, network):
    lines = works("predict", network, "0.png", "1.png", "2.png", "--top", "2").splitlines()
    logits = bnn.load("run").forward(bnn.data.load("digits").test_images[:3]).astype(float)
    weights = np.exp(logits)
    weights /= weights.sum(1, keepdims=True)
    for k, line in enumerate(lines):
        first, second = np.argsort(-logits[k])[:2]
        assert line == (
            f"{k}.png: {first} {100 * weights[k, first]:.2f} %, "
            f"{second} {100 * weights[k, second]:.2f} %"
        )
    assert len(lines) == 3


def test_predict_json(works):
    found = json.loads(works("predict", "net.bnn.npz", "1.png", "0.png", "--json", "--top", "99"))
    assert [one["image"] for one in found] == ["1.png", "0.png"]
    for one in found:
        assert len(one["top"]) == 10
        ranks = [rank["probability"] for rank in one["top"]]
        assert one["probability"] == ranks[0] == max(ranks)
        assert one["class"] == str(one["index"])
        assert sum(rank["probability"] for rank in one["top"]) == pytest.approx(1)


def test_probabilities_do_not_overflow():
    found = probabilities(np.float32([[1e4, -1e4], [3, 3]]))
    np.testing.assert_array_equal(found, [[1, 0], [0.5, 0.5]])


def test_predict_bad_input(run, tmp_path, fails):
    no = tmp_path / "no.png"
    no.write_text("hello")
    code, out, err = run("predict", "net.bnn.npz", "missing.png", "0.png", no, "1.png")
    assert code == 2  # and those that can be read are answered
    assert [line.partition(":")[0] for line in out.splitlines()] == ["0.png", "1.png"]
    assert [line.rpartition("/")[2] for line in err.splitlines()] == [
        "minibnn: missing.png: cannot be read (No such file or directory)",
        "no.png: not an image of a known format",
    ]
    code, out, err = run("predict", "net.bnn.npz", "missing.png", "0.png", "--json")
    assert (code, [one["image"] for one in json.loads(out)]) == (2, ["0.png"])
    assert err.count("\n") == 1
    bnn.nn.Sequential([bnn.nn.BinaryDense(2)], (9,)).save(tmp_path / "dense.npz")
    fails("image files have height", "predict", tmp_path / "dense.npz", "0.png")
    layers = [bnn.nn.BinaryConv2D(2, 3), bnn.nn.BatchNorm()]
    bnn.nn.Sequential(layers, (8, 8, 1)).save(tmp_path / "map.npz")
    fails(r"gives outputs \(8, 8, 2\), not classes", "predict", tmp_path / "map.npz", "0.png")


def test_predict_imports_little_and_keeps_within_its_memory(trained):
    """Of packed networks: no training, optimizers or plots of curves."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the peak of a process's memory is read from /proc")
    heavy = ["matplotlib", "rich", "pooch", "hypothesis", "minibnn.training", "minibnn.optim"]
    program = f"""
import sys
from pathlib import Path
from minibnn.cli import main
code = main(["predict", "net.bnn.npz", "0.png"])
print([name for name in {heavy} if name in sys.modules])
peak = [line for line in Path("{status}").read_text().splitlines() if "VmHWM" in line]
print(code, peak[0].split()[1])
"""
    command = [sys.executable, "-c", program]
    for _ in range(2):  # the first may compile
        done = subprocess.run(command, cwd=trained, capture_output=True, text=True, check=True)
    _, loaded, last = done.stdout.splitlines()
    assert loaded == "[]"
    code, kilobytes = map(int, last.split())
    assert code == 0
    assert kilobytes < 250 * 1000


@pytest.mark.parametrize("form", ["run", "packed", "net"])
@pytest.mark.parametrize("scale", [255, 400])
def test_images_become_what_a_network_was_trained_on(works, fails, tmp_path, form, scale):
    """Of floats in [0, 1] it is clear what a byte would be; of others it is not, and is refused."""
    digits = bnn.data.load("digits").subset(train=200, test=50)
    shift = np.float32(0 if scale == 255 else 0.1)
    train, test = (x / np.float32(scale) - shift for x in (digits.train_images, digits.test_images))
    data = bnn.data.from_arrays(train, digits.train_labels, test, digits.test_labels)
    net = bnn.zoo.digits_net(filters=4, dense_units=16)
    both = bnn.optim.Split(bnn.optim.Bop(1e-2, 1e-6), bnn.optim.Adam(0.01))
    bnn.fit(net, both, data, epochs=1, batch_size=50, out=tmp_path / "run", progress=False)
    net.save(tmp_path / "net")
    bnn.deploy.pack(net).save(tmp_path / "packed")
    files = [tmp_path / f"{k}.png" for k in range(20)]
    for file, image in zip(files, digits.test_images, strict=False):
        Image.fromarray(image[..., 0]).save(file)
    command = "predict", tmp_path / form, *files, "--json"
    if scale != 255:
        fails("was trained on floats: give its predict", *command)
        return
    found = [one["index"] for one in json.loads(works(*command))]
    assert found == net.predict(test[:20]).argmax(1).tolist()
    other = "takes 'unit' images, those of digits are 'bytes'"
    fails(other, "evaluate", tmp_path / form, "--dataset", "digits")

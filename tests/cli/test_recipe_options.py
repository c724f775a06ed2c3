"""Recipes and widths on the command line: what arrives, what overrides, what is kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from image_files import names, write_tree

import minibnn as bnn
from minibnn.cli.start import network_options
from minibnn.training.metrics import read_rows

DIGITS = ("--dataset", "digits", "--width", "0.0625", "--batch-size", "200", "--epochs", "2")


def config(folder):
    return json.loads(Path(folder, "config.json").read_text())


@pytest.fixture
def cifar(monkeypatch):
    """A tiny data set in CIFAR-10's place; the names asked for."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8), np.arange(40) % 10
    asked = []

    def load(name, *_, **__):
        asked.append(name)
        return bnn.data.from_arrays(images, labels, images, labels, name=name)

    monkeypatch.setattr("minibnn.data.load", load)
    return asked


def test_a_recipe_sets_everything(works, cifar):
    small = ("--width", "0.0625", "--epochs", "5", "--batch-size", "20")
    out = works("train", "--recipe", "bop-sec52", *small, "--out", "a")
    assert "recipe:  bop-sec52, " in out
    assert "published for 500 epochs in batches of 50, 10 classes; schedules" in out
    assert cifar == ["cifar10"]
    found = config("a")
    assert (found["network"]["name"], found["augment"]) == ("binarynet", "paper")
    assert found["network"]["layers"][0]["filters"] == 8
    assert found["name"] == "bop-sec52"
    assert found["optimizer"]["binary"]["gamma"] == "step:0.0001:0.1:20%"
    assert found["optimizer"]["real"]["lr"] == 0.01
    settled = {
        "command": "train",
        "recipe": "bop-sec52",
        "name": "bop-sec52",
        "dataset": "cifar10",
        "model": "binarynet",
        "filters": 8,
        "dense_units": 64,
        "width": 0.0625,
        "augment": True,
        "epochs": 5,
        "batch_size": 20,
        "optimizer": "bop:gamma=step:1e-4:0.1:20%,threshold=1e-8",
        "real_optimizer": "adam:lr=0.01",
    }
    assert {key: found["options"][key] for key in settled} == settled
    small = ("--recipe", "cifar10-night", "--gradients", "float32", *small)
    for given, augment in (((), "cutout"), (("--augment",), "paper")):
        works("train", *small, *given, "--out", augment)
        assert config(augment)["augment"] == augment


def test_every_part_can_be_changed(works, fails):
    changes = ("--set", "gamma=1e-2", "--set", "rule=larq", "--set", "real.lr=0.5", "--augment")
    works("train", "--recipe", "bop-sec51", *DIGITS, *changes, "--out", "a")
    found = config("a")
    # 8x8 images get the small network; augmented because it was said
    assert (found["network"]["name"], found["augment"]) == ("digits", "paper")
    assert found["network"]["layers"][0]["filters"] == 4
    binary = found["optimizer"]["binary"]
    assert (binary["gamma"], binary["threshold"], binary["rule"]) == (0.01, 1e-6, "larq")
    assert found["optimizer"]["real"]["lr"] == 0.5
    assert found["options"]["optimizer"] == "bop:gamma=1e-2,threshold=1e-6,rule=larq"
    other = ("--optimizer", "latent-sgd:lr=1", "--real-optimizer", "sgd:lr=0.1")
    works("train", "--recipe", "bop-sec51", *DIGITS, *other, "--out", "b")
    found = config("b")
    assert found["optimizer"]["binary"]["kind"] == "latent-sgd"
    assert found["optimizer"]["real"]["kind"] == "sgd"
    assert found["augment"] == "none"
    works("train", *DIGITS, "--cutout", "--out", "c")
    works("train", "--resume", "--out", "c", "--epochs", 3)
    assert config("c")["augment"] == "cutout"
    fails("augment was cutout, now none", "train", "--resume", "--out", "c", "--no-augment")
    fails("leave --no-augment out", "train", *DIGITS, "--cutout", "--no-augment")


def test_a_recipe_is_resumed_from_its_folder_alone_or_by_the_same_command(works):
    command = ("train", "--recipe", "bop-sec52", *DIGITS, "--set", "threshold=1e-7")
    works(*command, "--out", "a")
    works(*command, "--out", "b")
    out = works("train", "--resume", "--out", "a", "--epochs", 4)
    assert "schedules over the whole run go on as those of 4 epochs" in out
    works(*command, "--epochs", 4, "--resume", "--out", "b")
    assert config("a")["options"] == config("b")["options"]
    assert config("a")["options"]["recipe"] == "bop-sec52"
    assert config("a")["options"]["width"] == 0.0625


def test_compare_recipes(works):
    recipes = ("--recipe", "bop-sec51", "--recipe", "latent-adam")
    specs = ("fast=recipe:bop-sec51,gamma=1e-2", "bop:gamma=1e-2", "bop:gamma=1e-2")
    own = [word for spec in specs for word in ("--optimizer", spec)]
    works("compare", *recipes, *own, *DIGITS, "--out", "a")
    found = config("a")
    assert list(found["optimizers"]) == ["bop-sec51", "latent-adam", "fast", "bop", "bop-2"]
    assert found["optimizers"]["latent-adam"]["binary"]["lr_scaling"] == "glorot"
    assert found["optimizers"]["fast"]["binary"]["gamma"] == 0.01
    rates = [one["real"]["lr"] for one in found["optimizers"].values()]
    assert rates == [0.01, "step:0.001:0.1:20%", 0.01, 0.01, 0.01]
    works("compare", "--resume", "--out", "a", "--epochs", 3)
    assert len(read_rows("a/metrics.csv")) == 15
    works("compare", *recipes, *own, *DIGITS, "--epochs", 3, "--resume", "--out", "a")


def test_one_real_optimizer_for_all_recipes_compared(works):
    recipes = ("--recipe", "bop-sec51", "--recipe", "latent-adam")
    works("compare", *recipes, *DIGITS, "--real-optimizer", "sgd:lr=0.5", "--out", "a")
    assert [o["real"]["lr"] for o in config("a")["optimizers"].values()] == [0.5, 0.5]


def test_a_run_below_a_comparison_is_resumed_without_its_options(works):
    specs = ("--optimizer", "slow=bop:gamma=1e-4", "--recipe", "latent-adam")
    works("compare", *specs, *DIGITS, "--seed", 3, "--out", "parts")
    works("compare", *specs, *DIGITS, "--seed", 3, "--epochs", 4, "--out", "whole")
    for name in ("slow", "latent-adam"):
        works("train", "--resume", "--out", f"parts/{name}", "--epochs", 4)
        rows = read_rows(f"parts/{name}/metrics.csv")
        assert [row["name"] for row in rows] == [name] * 4
    slow = [Path(out, "slow/checkpoint.npz").read_bytes() for out in ("parts", "whole")]
    assert slow[0] == slow[1]  # it has no schedule over the run


def test_recipes_lists_and_explains(works):
    out = works("recipes")
    for name, recipe in bnn.zoo.RECIPES.items():
        assert f"\n{name} " in out
        assert recipe.summary in out
        text = works("recipes", name)
        words = " ".join(text.split())
        for said in (recipe.source, recipe.optimizer, recipe.real_optimizer, *recipe.differences):
            assert said in words
        assert max(map(len, text.splitlines())) <= 100
    text = works("recipes", "bop-sec52")
    assert "never lowers it" in text
    assert "cifar10, 10 classes, 32x32, augmented" in text
    assert text.endswith("\nminibnn train --recipe bop-sec52\n")
    text = works("recipes", "bop-sec53-xnornet")
    assert "image-folder, 1000 classes, 224x224, augmented" in text
    assert text.endswith("\nminibnn train --recipe bop-sec53-xnornet --data-dir FOLDER\n")


@pytest.mark.parametrize(
    "side, given, model",
    [
        (15, {}, "digits"),
        (16, {}, "binarynet"),
        (63, {}, "binarynet"),
        (64, {}, "birealnet"),
        (224, {}, "birealnet"),
        (224, {"model": "binarynet"}, "binarynet"),
        (224, {"recipe": "bop-sec52"}, "binarynet"),
        (224, {"recipe": "bop-sec53-xnornet"}, "xnornet"),
        (32, {"recipe": "bop-sec53-birealnet"}, "birealnet"),
        (32, {"dataset": "cifar10"}, "binarynet"),
    ],
)
def test_the_network_fits_the_images(side, given, model):
    names = ("model", "recipe", "augment", "filters", "dense_units", "width")
    kept = dict.fromkeys(names) | {"dataset": "image-folder"} | given
    found = network_options(kept, (side, side + 7, 3))
    assert found["model"] == model
    assert (found["dense_units"] is None) == (model == "birealnet")
    assert found["augment"]


@pytest.mark.parametrize("more, momentum", [((), 0.9), (("--bn-momentum", "0.5"), 0.5)])
def test_a_recipe_has_its_own_gradients_and_momentum(works, cifar, more, momentum):
    small = ("--width", "0.02", "--epochs", "1", "--batch-size", "20", "--out", "r")
    works("train", "--recipe", "cifar10-quick", *small, *more)
    network = config("r")["network"]
    momenta = {layer["momentum"] for layer in network["layers"] if "momentum" in layer}
    assert (network["gradients"], momenta) == ("int8", {momentum})


def test_a_folder_of_large_images_gets_the_imagenet_network(works, fails, here):
    write_tree(here / "images", names("train", "abc", 3) | names("val", "abc", 1))
    data = ("--data-dir", "images", "--image-size", "64", "--width", "0.0625", "--epochs", "1")
    out = works("train", "--dataset", "image-folder", *data, "--batch-size", "4")
    assert "network: birealnet, " in out
    # with the recipe's own size of a batch
    message = "batch_size must be an integer from 1 to 9, found 1024"
    fails(message, "train", "--recipe", "bop-sec53-birealnet", *data)

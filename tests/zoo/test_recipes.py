"""Recipes hold the published figures, and keep the form of their schedules in shorter runs."""

import numpy as np
import pytest

import minibnn as bnn
from minibnn import optim
from minibnn.zoo import RECIPES, recipes
from minibnn.zoo.recipes import IMAGENET

CIFAR10 = {name: one for name, one in RECIPES.items() if one not in IMAGENET}


def hyper(name, epochs, batch_size, epoch, part="binary"):
    """Hyperparameters in the first step of an epoch of CIFAR-10's 50,000 images."""
    recipe = RECIPES[name]
    text = recipe.optimizer if part == "binary" else recipe.real_optimizer
    steps = 50_000 // batch_size
    optimizer = optim.parse_optimizer(text).bind(steps, steps * epochs)
    return optimizer.hyperparameters(steps * epoch)


def test_the_list():
    assert list(RECIPES) == [
        "bop-sec51", "bop-sec52", "latent-adam", "latent-adam-default", "latent-sgd", "bop2nd",
        "cema", "cifar10-quick", "cifar10-hour", "cifar10-night", "cifar10-quick-latent",
        "cifar10-hour-latent", "cifar10-night-latent",
        "bop-sec53-alexnet", "bop-sec53-xnornet", "bop-sec53-birealnet",
        "latent-adam-birealnet",
    ]  # fmt: skip
    for name, recipe in CIFAR10.items():
        assert (recipe.name, recipe.dataset, recipe.model) == (name, "cifar10", "binarynet")
        assert recipe.source
        assert recipe.augment == ("cutout" if "night" in name else "paper")
        assert recipe.sizes == {"filters": 128, "dense_units": 1024}


def test_section_5_1():
    recipe = RECIPES["bop-sec51"]
    assert (recipe.epochs, recipe.batch_size) == (100, 100)
    for epoch in (0, 99):
        found = hyper("bop-sec51", 100, 100, epoch)
        assert (found["gamma"], found["threshold"]) == (1e-3, 1e-6)
        assert hyper("bop-sec51", 100, 100, epoch, "real")["lr"] == 0.01


def test_section_5_2_steps_down_every_100_of_500_epochs():
    recipe = RECIPES["bop-sec52"]
    assert (recipe.epochs, recipe.batch_size, recipe.reported) == (500, 50, "91.3 %")
    decay = optim.parse_optimizer(recipe.optimizer).bind(1000, 500_000)
    for step in (0, 99_999, 100_000, 250_000, 499_999):  # the code's staircase
        assert decay.hyperparameters(step)["gamma"] == 1e-4 * 0.1 ** (step // 100_000)
        assert decay.hyperparameters(step)["threshold"] == 1e-8
    assert hyper("bop-sec52", 500, 50, 499, "real")["lr"] == 0.01  # never lowered


def test_section_5_2_in_proportion():
    gammas = [hyper("bop-sec52", 30, 100, epoch)["gamma"] for epoch in range(30)]
    assert gammas == [1e-4 * 0.1 ** (epoch // 6) for epoch in range(30)]


def test_the_latent_baseline_has_a_rate_per_layer():
    recipe = RECIPES["latent-adam"]
    assert (recipe.epochs, recipe.batch_size, recipe.reported) == (500, 50, "90.9 %")
    assert optim.parse_optimizer(recipe.optimizer).lr_scaling == "glorot"
    for part in ("binary", "real"):
        rates = [hyper("latent-adam", 500, 50, epoch, part)["lr"] for epoch in (0, 99, 100, 499)]
        assert rates == [1e-3, 1e-3, 1e-3 * 0.1, 1e-3 * 0.1**4]
    default = RECIPES["latent-adam-default"]
    assert (default.epochs, default.batch_size) == (100, 256)
    assert optim.parse_optimizer(default.optimizer).config() == (optim.LatentAdam(lr=5e-3).config())


def test_bop2nd_walks_on_straight_lines():
    ends = {"gamma": (1e-2, 1e-5), "sigma": (1e-7, 1e-2), "threshold": (1e-5, 1e-8)}
    for name, (start, end) in ends.items():
        found = [hyper("bop2nd", 500, 50, epoch)[name] for epoch in (0, 250, 500)]
        assert found == pytest.approx([start, (start + end) / 2, end], rel=1e-12)
    assert hyper("bop2nd", 500, 50, 500, "real")["lr"] == pytest.approx(1e-3, rel=1e-12)


def test_cema_keeps_gamma_and_lets_alpha_fall():
    found = [hyper("cema", 500, 50, epoch) for epoch in (0, 250)]
    assert [(one["gamma"], one["alpha"]) for one in found] == [(0.1, 1e-3), (0.1, 5e-4)]


def test_build_makes_network_and_optimizer():
    recipe = RECIPES["bop-sec51"]
    net, optimizer = recipe.build(width=0.25, seed=3)
    same = bnn.zoo.binarynet(filters=32, dense_units=256, seed=3)
    assert net.config() == same.config()
    np.testing.assert_array_equal(net.parameters()[0].value, same.parameters()[0].value)
    assert optimizer.config() == {
        "kind": "split",
        "binary": optim.Bop(gamma=1e-3, threshold=1e-6).config(),
        "real": optim.Adam(lr=0.01).config(),
    }
    assert optimizer is not recipe.build(width=0.25)[1]


def test_recipes_for_a_budget_end_with_next_to_no_flips_and_integers_only():
    recipe = RECIPES["cifar10-quick"]
    assert (recipe.epochs, recipe.batch_size, recipe.gradients) == (10, 100, "int8")
    gammas = [hyper("cifar10-quick", 10, 100, epoch)["gamma"] for epoch in (0, 5, 10)]
    assert gammas == pytest.approx([1e-3, (1e-3 + 1e-5) / 2, 1e-5], rel=1e-12)
    net, _ = recipe.build(width=0.02)
    assert net.gradients == "int8"
    assert {layer.momentum for layer in net.layers if isinstance(layer, bnn.nn.BatchNorm)} == {0.9}
    assert recipe.build(width=0.02, gradients="float32")[0].gradients == "float32"


@pytest.mark.parametrize("name", CIFAR10)
def test_every_recipe_trains(name, use_backend):
    use_backend("reference")
    net, optimizer = RECIPES[name].build((16, 16, 3), classes=3, width=0.02)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8), np.arange(12) % 3
    data = bnn.data.from_arrays(images, labels, images[:3], labels[:3])
    history = bnn.fit(
        net, optimizer, data, **RECIPES[name].settings(epochs=1, batch_size=4), progress=False
    )
    assert history["flips"][0] > 0


@pytest.mark.parametrize("width", [-1, True, "0.5"])
def test_widths_that_make_no_sense(width):
    with pytest.raises(bnn.InputError, match=f"found {width!r}"):
        recipes.scaled({"filters": 128, "dense_units": 1024}, width)


@pytest.mark.parametrize(
    "wrong", [{"classes": 0}, {"gradients": ""}, {"input_shape": 5}, {"input_shape": ()}]
)
def test_build_takes_nothing_wrong_for_left_out(wrong):
    with pytest.raises(bnn.InputError):
        RECIPES["bop-sec51"].build(width=0.1, **wrong)


# -- section 5.3: the figures of the authors' code ------------------------------------------------

PICTURES = 1_281_167  # of ImageNet's training part
PUBLISHED = {  # epochs, reported, network
    "bop-sec53-alexnet": (150, "41.1 %", "binary_alexnet"),
    "bop-sec53-xnornet": (100, "45.9 %", "xnornet"),
    "bop-sec53-birealnet": (300, "56.6 %", "birealnet"),
}


def bound(recipe):
    """Its optimizers, told the length of the published run, and that length in steps."""
    steps = PICTURES // recipe.batch_size
    parts = [optim.parse_optimizer(text) for text in (recipe.optimizer, recipe.real_optimizer)]
    return *(part.bind(steps, steps * recipe.epochs) for part in parts), steps * recipe.epochs


@pytest.mark.parametrize("name", PUBLISHED)
def test_bop_and_adam_on_straight_lines(name):
    recipe = RECIPES[name]
    assert (recipe.epochs, recipe.reported, recipe.model) == PUBLISHED[name]
    assert (recipe.batch_size, recipe.dataset, recipe.augment) == (1024, "image-folder", "paper")
    bop, adam, steps = bound(recipe)
    assert (bop.kind, adam.kind) == ("bop", "adam")
    for share in (0, 0.5, 1):
        found = bop.hyperparameters(int(share * steps))
        assert found["gamma"] == pytest.approx(1e-4 + share * (1e-6 - 1e-4), rel=1e-9)
        assert found["threshold"] == 1e-8
        rate = adam.hyperparameters(int(share * steps))["lr"]
        assert rate == pytest.approx(2.5e-3 + share * (5e-6 - 2.5e-3), rel=1e-9)
    theirs = recipe.epochs * PICTURES // 1024  # the code's decay is this long
    assert 0 < theirs - steps < 60


def test_the_latent_baseline_of_section_5_3():
    recipe = RECIPES["latent-adam-birealnet"]
    assert (recipe.epochs, recipe.batch_size) == (300, 512)
    latent, adam, steps = bound(recipe)
    assert latent.config() == optim.LatentAdam(lr=latent.lr, initial="glorot_normal").config()
    for part in (latent, adam):
        rates = [part.hyperparameters(step)["lr"] for step in (0, steps // 2, steps)]
        assert rates == pytest.approx([5e-3, 2.5e-3, 0], abs=1e-12)
    assert steps == pytest.approx(750_684, abs=100)


@pytest.mark.parametrize("name", [*PUBLISHED, "latent-adam-birealnet"])
def test_build_makes_the_published_network(name):
    recipe = RECIPES[name]
    net, optimizer = recipe.build(width=0.0625, seed=3)
    assert (net.name, net.input_shape, net.output_shape) == (recipe.model, (224, 224, 3), (1000,))
    sizes = {"filters": 6 if recipe.model == "xnornet" else 4}
    sizes |= {"dense_units": 256} if "dense_units" in recipe.sizes else {}
    assert net.config() == bnn.zoo.MODELS[recipe.model](seed=3, **sizes).config()
    optimizer.prepare(net.parameters())
    scaled = [p.scale is not None for p in net.parameters() if p.binary]
    assert set(scaled) == {name == "latent-adam-birealnet"}

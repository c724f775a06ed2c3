"""The recipes of section 5.3 hold the figures of the authors' code."""

import pytest

import minibnn as bnn
from minibnn import optim
from minibnn.zoo import RECIPES

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
    assert (recipe.batch_size, recipe.dataset, recipe.augment) == (1024, "image-folder", True)
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


def test_the_latent_baseline():
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

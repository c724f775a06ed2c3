"""Recipes for a budget of time on two processor cores: CIFAR-10 in earnest, with 8-bit gradients.

What the paper's schedules miss in a short run is many flips early and none at the end. So gamma
falls as a cosine over the whole run, and the threshold is low.
"""

from minibnn.zoo.recipe import Recipe

__all__ = ["BUDGET"]


def _budget(name, summary, epochs, optimizer, reported="", differences=()):
    return Recipe(
        name=name,
        summary=summary,
        source="minibnn's own: examples/results/README.md has its runs",
        reported=reported,
        optimizer=optimizer,
        real_optimizer="adam:lr=0.01",
        epochs=epochs,
        batch_size=100,
        gradients="int8",
        bn_momentum=0.9,
        differences=differences,
    )


BUDGET = (
    _budget(
        "cifar10-quick",
        "Bop in 10 epochs: 14 minutes where BinaryNet trains at 600 images/s",
        10,
        "bop:gamma=cosine:1e-3:1e-5,threshold=1e-8",
    ),
)

"""The catalogue: every statement by its id, E1 to E19."""

from minibnn.equivalences import (
    averages,
    bop,
    bop_scale,
    estimators,
    latent,
    layers,
    resources,
    scale,
    second_order,
)

CATALOGUE = {
    entry.id: entry
    for entry in (
        scale.E1,
        scale.E2,
        latent.E3,
        bop.E4,
        averages.E5,
        bop_scale.E6,
        second_order.E7,
        bop.E8,
        estimators.E9,
        estimators.E10,
        averages.E11,
        resources.E12,
        resources.E13,
        second_order.E14,
        layers.E15,
        layers.E16,
        layers.E17,
        latent.E18,
        averages.E19,
    )
}

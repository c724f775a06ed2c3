"""The catalogue: every statement by its id, E1 to E19."""

from minibnn.equivalences import averages, bop, latent, layers, scale, second

CATALOGUE = {
    entry.id: entry
    for entry in (
        scale.E1,
        scale.E2,
        latent.E3,
        bop.E4,
        averages.E5,
        scale.E6,
        second.E7,
        bop.E8,
        latent.E9,
        latent.E10,
        averages.E11,
        second.E12,
        second.E13,
        second.E14,
        layers.E15,
        layers.E16,
        layers.E17,
        latent.E18,
        averages.E19,
    )
}

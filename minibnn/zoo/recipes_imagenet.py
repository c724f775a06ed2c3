"""The recipes of section 5.3, on ImageNet, and the latent baseline of the authors' code."""

from typing import Any

from minibnn.zoo.recipe import Recipe

CODE = "plumerai/rethinking-bnn-optimization, bnn_optimization/models"
_DECAY = (
    "The code's straight lines end after epochs * 1281167 // 1024 steps, a few dozen after the end "
    "of the run (which drops the last partial batch of each epoch); here they end with the run."
)
_START = (
    "Weights are signs from the start and a tie keeps the weight; the code starts from real "
    "weights and sets ties to +1."
)
_IMAGES: dict[str, Any] = {
    "dataset": "image-folder",
    "input_shape": (224, 224, 3),
    "classes": 1000,
    "batch_size": 1024,
}
_BOP: dict[str, Any] = _IMAGES | {
    "optimizer": "bop:gamma=linear:1e-4:1e-6,threshold=1e-8",
    "real_optimizer": "adam:lr=linear:2.5e-3:5e-6",
}

IMAGENET = (
    Recipe(
        name="bop-sec53-alexnet",
        summary="Bop on Binary AlexNet, gamma and Adam's rate on straight lines",
        source=f"{CODE}/binary_alexnet.py, class bop; README.md for the accuracy",
        reported="41.1 %",
        epochs=150,
        model="binary_alexnet",
        sizes={"filters": 64, "dense_units": 4096},
        differences=(
            "Not in the paper's first version, which has Bi-Real Net only.",
            "This network alone takes Larq's Bop, whose average is m + gamma * (g - m) "
            "(average=lerp here); taken is the paper's form.",
            _DECAY,
            _START,
        ),
        **_BOP,
    ),
    Recipe(
        name="bop-sec53-xnornet",
        summary="Bop on XNOR-Net, whose two real kernels have an L2 penalty of 5e-7",
        source=f"{CODE}/xnor.py, class bop; README.md for the accuracy",
        reported="45.9 %",
        epochs=100,
        model="xnornet",
        sizes={"filters": 96, "dense_units": 4096},
        differences=(
            "Not in the paper's first version, which has Bi-Real Net only.",
            _DECAY,
            _START,
        ),
        **_BOP,
    ),
    Recipe(
        name="bop-sec53-birealnet",
        summary="Bop on Bi-Real Net, gamma and Adam's rate on straight lines",
        source=f"{CODE}/birealnet.py, class bop; README.md for the accuracy",
        reported="56.6 %",
        epochs=300,
        model="birealnet",
        sizes={"filters": 64},
        differences=(
            "The paper's first version (arXiv 1906.02107v1, section 5.3) has other settings and "
            "54.2 %: threshold 1e-7, gamma from 5e-4 to 2.5e-6, batch 256, 100 epochs.",
            _DECAY,
            _START,
        ),
        **_BOP,
    ),
    Recipe(
        name="latent-adam-birealnet",
        summary="Adam on latent weights; their mean magnitudes scale Bi-Real Net's kernels",
        source=f"{CODE}/birealnet.py, class default of its first versions",
        model="birealnet_magnitude",
        sizes={"filters": 64},
        optimizer="latent-adam:lr=linear:5e-3:0,initial=glorot_normal",
        real_optimizer="adam:lr=linear:5e-3:0",
        epochs=300,
        **_IMAGES | {"batch_size": 512},
        differences=(
            "The code gives 750684 steps of the rate's decay and no epochs: 300 at a batch of 512.",
            "Those versions had five blocks in the first stage; taken are the four of the later "
            "code and of Bi-Real Net.",
        ),
    ),
)

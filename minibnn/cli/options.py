"""Options that several commands have, and what a shell completes."""

from importlib import import_module

import click
from click.shell_completion import CompletionItem

# Both pass 97 % of the digits' test images well before the last epoch.
BOP = "bop:gamma=cosine:1e-2:1e-4,threshold=1e-6"
LATENT_SGD = "latent-sgd:lr=cosine:3:0,momentum=0.9"
REAL = "adam:lr=0.01"


def names(path):
    """Complete the names in the table at ``path``, which is imported only when a shell asks."""
    module, _, table = path.rpartition(".")

    def complete(ctx, parameter, incomplete):
        found = (getattr(one, "kind", one) for one in getattr(import_module(module), table))
        return [name for name in found if name.startswith(incomplete)]

    return complete


def files(ctx, parameter, incomplete):
    """Have the shell complete files and folders."""
    return [CompletionItem(incomplete, type="file")]


THREADS = click.option(
    "--threads",
    type=int,
    help="Processor cores to use; the results are the same. Default: the environment variable "
    "MINIBNN_NUM_THREADS, else all.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
DATA_DIR = click.option(
    "--data-dir",
    metavar="FOLDER",
    shell_complete=files,
    help="Where the images are: cifar10's official files or archive (default: the environment "
    "variable MINIBNN_DATA, else a download), or the folder that holds train/ and val/.",
)
IMAGE_SIZE = click.option(
    "--image-size",
    type=int,
    help="Cut the images of an image-folder to N x N. Default: 224, or what the network takes.",
)


def out_file(help):
    return click.option("--out", metavar="FILE", shell_complete=files, help=help)


def dataset_option(**settings):
    return click.option("--dataset", shell_complete=names("minibnn.data.DATASETS"), **settings)


_TRAINING = (
    dataset_option(
        default="digits",
        help="Images to learn: digits (8x8, comes with minibnn), cifar10 (32x32, downloaded once), "
        "image-folder (train/CLASS/* and val/CLASS/* in --data-dir) or npz:FILE (a NumPy file with "
        "train_images, train_labels, test_images, test_labels).",
    ),
    DATA_DIR,
    IMAGE_SIZE,
    click.option(
        "--test-share",
        type=float,
        help="How much of each class of an image-folder without train/ is for testing: 0.2.",
    ),
    click.option(
        "--model",
        shell_complete=names("minibnn.zoo.MODELS"),
        help="Network: binarynet (the paper's), digits (a small sibling), or for ImageNet "
        "binary_alexnet, xnornet, birealnet and birealnet_magnitude (for latent optimizers). "
        "Default: the recipe's, or digits below 16x16, binarynet below 64x64, else birealnet.",
    ),
    click.option("--filters", type=int, help="Filters of its first convolution."),
    click.option("--dense-units", type=int, help="Units of its hidden dense layers."),
    click.option(
        "--width",
        type=float,
        help="Scale filters and dense units: 0.25 makes 32 and 256 of binarynet's 128 and 1024.",
    ),
    click.option(
        "--bn-momentum",
        type=float,
        help="How much the moving statistics of batch normalisation keep per step, in [0, 1), of "
        "binarynet and digits. Default: 0.99, or the recipe's.",
    ),
    click.option("--epochs", default=15, help="Passes over the training images."),
    click.option("--batch-size", default=50, help="Images per step."),
    click.option(
        "--seed",
        default=0,
        help="Of all that is random: first weights, order of the images, augmentation.",
    ),
    click.option(
        "--gradients",
        default="float32",
        help="Of binary layers: float32, as in the paper, or rounded to integers, int2 to int10. "
        "int8 trains about as well, with AVX2 or better faster, and binary layers to the same bits "
        "anywhere; after dozens of epochs int8-centred and int10 are better.",
    ),
    click.option(
        "--augment/--no-augment",
        default=None,
        help="Shift and mirror the training images at random; of an image-folder, cut out 8 to "
        "100 % of each and mirror. Default: for cifar10 and image-folder.",
    ),
    click.option(
        "--cutout",
        is_flag=True,
        default=None,
        help="Augment, and hide a square at random in each training image, a quarter as wide as "
        "it; not of an image-folder.",
    ),
    click.option(
        "--validation",
        default=0,
        help="Hold so many training images out and measure on them after each epoch; on the test "
        "images then at the end only.",
    ),
    click.option(
        "--real-optimizer",
        metavar="SPEC",
        shell_complete=names("minibnn.optim.parse.REAL"),
        help="For the few real parameters (batch normalisation): adam or sgd. Default: "
        f"{REAL}, or the recipe's.",
    ),
    THREADS,
    click.option(
        "--out",
        metavar="FOLDER",
        shell_complete=files,
        help="Where settings, metrics, checkpoint and figure go. Default: a new folder in runs/.",
    ),
    click.option(
        "--checkpoint-every",
        default=1,
        help="Save every so many epochs. The last epoch, Ctrl-C, SIGTERM and a closed terminal "
        "always save.",
    ),
    click.option(
        "--checkpoint-minutes",
        type=float,
        help="Save in the middle of an epoch too, so many minutes after the last time.",
    ),
    click.option(
        "--tensorboard/--no-tensorboard",
        help="Write event files for TensorBoard into the run folder too. Needs the extra: pip "
        "install minibnn[tensorboard].",
    ),
    click.option(
        "--resume",
        is_flag=True,
        help="Go on with the run in --out, exactly as if it had not stopped, by the options it was "
        "started with; --epochs may be raised, and schedules and --gradients changed with them.",
    ),
    click.option("--force", is_flag=True, help="Replace the run in --out."),
)


def training_options(command):
    for option in reversed(_TRAINING):
        command = option(command)
    return command

"""A trained network as commands name it: a run folder, or a file."""

import json
from pathlib import Path
from typing import NamedTuple

from minibnn.errors import InputError

PUBLIC = ("digits", "cifar10", "image-folder")  # data sets that are no file of one's own


class Trained(NamedTuple):
    """A network and what is known of it."""

    network: object  # a Sequential or a PackedNetwork
    dataset: str | None  # what it was trained on, as ``data.load`` takes it
    config: dict  # config.json of its run; empty for a file that is not in a run folder

    def measure(self, images, batch_size=None):
        """The Measured of a Dataset's test images: by the loss it was trained by, if it is ours."""
        from minibnn.nn import LOSSES
        from minibnn.training.measure import measure

        batch_size = batch_size or self.config.get("batch_size") or 100  # what fitted in training
        how = {"loss": loss} if (loss := self.config.get("loss")) in LOSSES else {}
        how["classes"] = self.network.classes
        return measure(self.network, images, batch_size=batch_size, **how)


def load_trained(path, pretrained=False):
    """The Trained in a run folder or a file; ``pretrained``, ``path`` is a name in the package."""
    from minibnn.deploy import PackedNetwork
    from minibnn.nn import Sequential, load_network

    network = None
    if pretrained:
        from minibnn import zoo

        network = zoo.pretrained(path)
    elif not (path := Path(path)).exists():
        raise InputError(f"{path} does not exist: expected a run folder or the file of a network")
    elif not path.is_dir():
        network = load_network(path, (Sequential, PackedNetwork))
    if isinstance(network, PackedNetwork):
        return Trained(network, network.dataset, {})
    from minibnn.training.about import load
    from minibnn.training.run_folder import config_beside, read_config

    if network is None:
        network, config = load(path), read_config(path, missing_ok=True) or {}
    else:
        config = config_beside(path, json.loads(json.dumps(network.config())))
    name = config.get("data", {}).get("name")
    dataset = (config.get("options") or {}).get("dataset") or (name if name in PUBLIC else None)
    return Trained(network, dataset, config)


def images_for(trained, where, load, dataset=None, data_dir=None, image_size=None):
    """The Dataset with the test images of the network at ``where``, by default those it had."""
    from minibnn.training.config import describe_data

    options, known = trained.config.get("options") or {}, trained.config.get("data")
    named = dataset is not None or data_dir is not None
    dataset = trained.dataset if dataset is None else dataset
    if dataset is None:
        raise InputError(f"{where} does not tell its images: name them by --dataset")
    own = options if dataset == options.get("dataset") else {}
    data_dir = data_dir or own.get("data_dir")
    if image_size is None and dataset == "image-folder":
        image_size = trained.network.input_shape[0]
    images = load(dataset, data_dir, image_size=image_size, test_share=own.get("test_share"))
    takes, found = tuple(trained.network.input_shape), tuple(images.input_shape)
    if takes != found:
        raise InputError(f"the network takes {takes}, and the images of {images.name} are {found}")
    takes, found = trained.network.image_form, images.image_form
    if takes != found and "arrays" not in (takes, found):
        words = f"those of {images.name} are {found!r}"
        raise InputError(f"the network takes {takes!r} images, {words}")
    folder, own_classes = images.name == "image-folder", trained.network.classes or ()
    for k, (own, other) in enumerate(zip(own_classes, images.classes, strict=False)):
        if own != other and (folder or str(k) not in (own, other)):  # some only have numbers
            raise InputError(f"class {k} of the network is {own}, that of the images {other}")
    if known and not (named or options) and known != describe_data(images):
        words = "trained on other images of that name: name those to measure by --dataset"
        raise InputError(f"{where} was {words}")
    return images

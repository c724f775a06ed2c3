"""What is asked of a run: its settings, and whether network, data and settings fit together."""

import math
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from minibnn.data import Batches, Dataset
from minibnn.deploy import PackedNetwork
from minibnn.errors import InputError, import_extra, integer
from minibnn.nn import BatchNorm, Sequential
from minibnn.nn.layers.layer import as_floats
from minibnn.nn.losses import class_weighted
from minibnn.training.callbacks import check_callbacks
from minibnn.training.distributed import ALONE
from minibnn.training.measure import check_labels, loss_function
from minibnn.training.run_folder import MOST

RECORDED = (
    *("loss", "class_weight", "epochs", "batch_size", "seed", "augment", "validation"),
    *("checkpoint_every", "checkpoint_minutes"),
)
_LOWEST = {"epochs": 1, "batch_size": 1, "seed": 0, "validation": 0, "checkpoint_every": 1}


@dataclass
class Settings:
    """The keyword arguments that ``fit`` and ``lockstep`` share; ``fit`` says what they mean.

    They are checked and brought to one form. Those ``RECORDED`` stand in config.json.
    """

    epochs: int
    batch_size: int = 100
    seed: int = 0
    out: Any = None
    loss: Any = "softmax_cross_entropy"
    class_weight: Any = None
    augment: str | None = None
    validation: int = 0
    callbacks: Any = ()
    checkpoint_every: int = 1
    checkpoint_minutes: float | None = None
    tensorboard: bool = False
    resume: bool = False
    force: bool = False
    progress: Any = None
    threads: int | None = None
    options: dict | None = None

    def __post_init__(self):
        if self.out is None and (self.resume or self.force):
            what = "resume needs out, the folder of the run to go on with"
            raise InputError(what if self.resume else "force needs out, the folder to replace")
        for name, low in _LOWEST.items():
            value = integer(getattr(self, name), name, low)
            if value > MOST:
                raise InputError(f"{name} must be at most {MOST}, found {value}")
            setattr(self, name, value)
        if (minutes := self.checkpoint_minutes) is not None:
            number = isinstance(minutes, int | float) and minutes is not True
            if not (number and 0 < minutes < math.inf):
                raise InputError(f"checkpoint_minutes must be a number above 0, found {minutes!r}")
        loss_function(self.loss)
        if not isinstance(self.options, dict | None):
            raise InputError(f"options must be a dict, found {self.options!r:.60}")
        self.class_weight = _weights(self.class_weight)
        self.augment = "none" if self.augment is None else self.augment
        self.callbacks = check_callbacks(self.callbacks)
        if self.tensorboard:
            if self.out is None:
                raise InputError("tensorboard=True writes into the run folder: name one (out)")
            words = "TensorBoard's event files need the package tensorboardX"
            import_extra("tensorboardX.record_writer", "tensorboard", words)

    def recorded(self):
        """The settings that config.json keeps."""
        kept = {name: getattr(self, name) for name in RECORDED}
        if callable(self.loss):
            name = getattr(self.loss, "__qualname__", type(self.loss).__qualname__)
            kept["loss"] = f"{self.loss.__module__}.{name}"
        return kept

    def training_loss(self, outputs):
        """The loss to train by, which is weighted by class and distrusts one that is not ours."""
        loss = loss_function(self.loss)
        if loss is self.loss:
            loss = _checked(loss)
        return class_weighted(loss, self.class_weight, outputs) if self.class_weight else loss


def training_data(net, data, settings, ranks=ALONE, sync_batch_norm=False):
    """(the data with its validation part, the Batches); InputError if they do not fit ``net``."""
    if not isinstance(net, Sequential) or isinstance(net, PackedNetwork):
        raise InputError(f"the network must be a Sequential, found {net!r:.60}")
    if not isinstance(data, Dataset):
        raise InputError(f"the data must be a Dataset of minibnn.data, found {data!r:.60}")
    batch_size, outputs = settings.batch_size, net.output_shape[-1]
    if batch_size % ranks.size:
        words = f"the number of ranks, {ranks.size}, found {batch_size}"
        raise InputError(f"batch_size must divide by {words}")
    if tuple(data.input_shape) != tuple(net.input_shape):
        kind = "images" if len(net.input_shape) == 3 else "vectors of"
        takes, found = ("x".join(map(str, one.input_shape)) for one in (net, data))
        raise InputError(f"the network takes {kind} {takes}, those of {data.name} are {found}")
    share = batch_size // (1 if sync_batch_norm else ranks.size)
    for layer in net.chain.walk():
        if isinstance(layer, BatchNorm) and share * layer.places == 1:
            why = "normalises vectors by their batch, and a batch of one leaves nothing of them"
            raise InputError(f"{layer.name} {why}: batch_size must be at least 2 for each rank")
    if settings.validation:
        data = data.split_validation(settings.validation, settings.seed)
    how = batch_size, settings.seed, settings.augment
    batches = Batches(data.train_images, data.train_labels, *how)
    for labels in (data.train_labels, data.test_labels):
        check_labels(labels, outputs)
    if settings.class_weight and max(settings.class_weight) >= outputs:
        words = f"found one of class {max(settings.class_weight)}"
        raise InputError(f"class_weight must be of classes 0 to {outputs - 1}, {words}")
    return data, batches


def _checked(loss):
    """A loss of one's own, given floats; InputError unless it returns what it should."""

    def checked(logits, labels):
        logits = as_floats(logits).copy()  # which the loss may write over
        answer = loss(logits, labels)
        if not isinstance(answer, tuple) or len(answer) != 2 or np.ndim(answer[0]):
            raise InputError(f"the loss must return (loss, dlogits), found {answer!r:.60}")
        if (shape := np.shape(answer[1])) != logits.shape:
            raise InputError(f"the loss must return dlogits {logits.shape}, found {shape}")
        return float(answer[0]), np.asarray(answer[1], logits.dtype)

    return checked


def _weights(given):
    """{class: weight} of a dict, or of a sequence with a weight for each class; None of None."""
    if given is None:
        return None
    try:
        pairs = given.items() if isinstance(given, dict) else enumerate(given)
        found = {index(key): float(weight) for key, weight in pairs}
    except (TypeError, ValueError):
        found = {}
    if not found or min(found) < 0 or not all(0 <= w < math.inf for w in found.values()):
        words = "for each class, as a list or as a dict by the class's number"
        raise InputError(f"class_weight must be a weight from 0 on {words}, found {given!r:.60}")
    return found

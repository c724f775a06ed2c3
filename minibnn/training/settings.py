"""What fit and lockstep have in common before the first batch: settings checked, data ready."""

import math
from dataclasses import dataclass
from operator import index

import numpy as np

from minibnn.data import Batches, Dataset
from minibnn.errors import InputError
from minibnn.nn import BatchNorm, Sequential
from minibnn.nn.layers.layer import floats
from minibnn.nn.losses import class_weighted
from minibnn.training.config import describe_run
from minibnn.training.distributed import ALONE
from minibnn.training.evaluate import check_labels, loss_function
from minibnn.training.measure import output_names
from minibnn.training.run import Run
from minibnn.training.run_folder import MOST


@dataclass(frozen=True)
class Settings:
    """The arguments that fit and lockstep share; see ``fit`` for what they mean."""

    epochs: int
    batch_size: int = 100
    seed: int = 0
    loss: str = "softmax_cross_entropy"
    augment: str | None = None
    validation: int = 0
    checkpoint_every: int = 1
    checkpoint_minutes: float | None = None
    class_weight: dict | None = None

    def __post_init__(self):
        for name, low in (
            ("epochs", 1),
            ("batch_size", 1),
            ("seed", 0),
            ("validation", 0),
            ("checkpoint_every", 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < low:
                raise InputError(f"{name} must be a whole number from {low} on, found {value!r}")
            if value > MOST:
                raise InputError(f"{name} must be at most {MOST}, found {value}")
            object.__setattr__(self, name, int(value))
        if (minutes := self.checkpoint_minutes) is not None:
            good = isinstance(minutes, int | float) and not isinstance(minutes, bool)
            if not good or not 0 < minutes < math.inf:
                raise InputError(f"checkpoint_minutes must be a number above 0, found {minutes!r}")
        loss_function(self.loss)
        object.__setattr__(self, "class_weight", _weights(self.class_weight))
        if self.augment is None:
            object.__setattr__(self, "augment", "none")


class Task:
    """A network to be trained, data that fits it, and the stream of batches.

    Parameters
    ----------
    net : network
    data : Dataset
    settings : Settings
    ranks : Ranks
        Who trains it, each with its piece of every batch.
    sync_batch_norm : bool
        Whether statistics of batch normalisation are those of the whole batch.

    Attributes
    ----------
    data : Dataset, with its validation part if there is one
    batches : Batches
    """

    def __init__(self, net, data, settings, ranks=ALONE, sync_batch_norm=False):
        if not isinstance(net, Sequential):
            raise InputError(f"the network must be a Sequential, found {net!r:.60}")
        if not isinstance(data, Dataset):
            raise InputError(f"the data must be a Dataset of minibnn.data, found {data!r:.60}")
        self.net, self.settings = net, settings
        self.ranks, self.sync_batch_norm = ranks, bool(sync_batch_norm)
        if settings.batch_size % ranks.size:
            raise InputError(
                f"batch_size must divide by the number of ranks, {ranks.size}, found "
                f"{settings.batch_size}"
            )
        if tuple(data.input_shape) != tuple(net.input_shape):
            raise InputError(
                f"the network takes {_inputs(net.input_shape)}, those of {data.name} are "
                f"{_times(data.input_shape)}"
            )
        share = settings.batch_size // (1 if sync_batch_norm else ranks.size)
        for layer in net.chain.walk():
            if isinstance(layer, BatchNorm) and share * layer.places == 1:
                raise InputError(
                    f"{layer.name} normalises vectors by their batch, and a batch of one leaves "
                    "nothing of them: batch_size must be at least 2 for each rank"
                )
        self._whole = data
        if settings.validation:
            data = data.split_validation(settings.validation, settings.seed)
        self.data = data
        self.batches = Batches(
            data.train_images,
            data.train_labels,
            settings.batch_size,
            settings.seed,
            augment=settings.augment,
        )
        outputs = net.output_shape[-1]
        for labels in (data.train_labels, data.test_labels):
            check_labels(labels, outputs)
        if settings.class_weight and max(settings.class_weight) >= outputs:
            raise InputError(
                f"class_weight must be of classes 0 to {outputs - 1}, found one of class "
                f"{max(settings.class_weight)}"
            )

    def run(self, name, net, optimizer):
        """A Run of ``net`` by ``optimizer``, which are told of the data and how long it will be.

        Raises InputError if the optimizer cannot train one of the parameters.
        """
        check_optimizer(optimizer)
        steps = self.batches.steps_per_epoch
        optimizer.bind(steps, steps * self.settings.epochs)
        names, outputs = self.data.classes, net.output_shape[-1]
        named = any(name != str(k) for k, name in enumerate(names))
        net.classes = output_names(names, outputs) if named else None
        net.pictures, self.net = self.data.pictures, net
        optimizer.prepare(net.parameters())
        loss = trained = loss_function(self.settings.loss)
        if loss is self.settings.loss:
            trained = _checked(loss)
        if weights := self.settings.class_weight:
            trained = class_weighted(trained, weights, outputs)
        return Run(name, net, optimizer, loss, self.ranks, self.sync_batch_norm, trained)

    def describe(self, kind, options, **optimizers):
        """config.json, without how it ends."""
        config = describe_run(kind, self.net, self._whole, **vars(self.settings))
        if self.ranks.size > 1:
            how = {"ranks": self.ranks.size, "sync_batch_norm": self.sync_batch_norm}
            config["mpi"] = how
        return config | optimizers | {"options": options}


def check_folder(out, resume, force):
    """InputError for a resume, or a replacement, of nothing."""
    if out is None and (resume or force):
        what = "resume needs out, the folder of the run to go on with"
        raise InputError(what if resume else "force needs out, the folder of the run to replace")


def check_optimizer(optimizer):
    """InputError for what is no optimizer."""
    if not all(hasattr(optimizer, name) for name in ("bind", "prepare", "step", "copy")):
        raise InputError(f"an optimizer must be one of minibnn.optim, found {optimizer!r:.60}")


def _checked(loss):
    """A loss of one's own, given floats; InputError unless it returns what it should."""

    def checked(logits, labels):
        logits = floats(logits)
        answer = loss(logits, labels)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise InputError(f"the loss must return (loss, dlogits), found {answer!r:.60}")
        if np.shape(answer[1]) != logits.shape:
            shape = np.shape(answer[1])
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
        raise InputError(
            "class_weight must be a weight from 0 on for each class, as a list or as a dict by "
            f"the class's number, found {given!r:.60}"
        )
    return found


def _inputs(shape):
    return f"{'pictures' if len(shape) == 3 else 'vectors of'} {_times(shape)}"


def _times(shape):
    return "x".join(str(n) for n in shape)

"""What fit and lockstep have in common before the first batch: settings checked, data ready."""

import math
from dataclasses import dataclass

from minibnn.data import Batches, Dataset
from minibnn.errors import InputError
from minibnn.nn import LOSSES, Sequential
from minibnn.training.config import describe_run
from minibnn.training.distributed import ALONE
from minibnn.training.evaluate import check_labels, loss_function
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
        if self.loss not in LOSSES:
            raise InputError(f"loss must be one of {', '.join(LOSSES)}, found {self.loss!r}")
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
                f"the network takes pictures {_times(net.input_shape)}, those of {data.name} are "
                f"{_times(data.input_shape)}"
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
        for labels in (data.train_labels, data.test_labels):
            check_labels(labels, net.output_shape[-1])

    def run(self, name, net, optimizer):
        """A Run of ``net`` by ``optimizer``, which is told how long it will be.

        Raises InputError if the optimizer cannot train one of the parameters.
        """
        check_optimizer(optimizer)
        steps = self.batches.steps_per_epoch
        optimizer.bind(steps, steps * self.settings.epochs)
        optimizer.prepare(net.parameters())
        loss = loss_function(self.settings.loss)
        return Run(name, net, optimizer, loss, self.ranks, self.sync_batch_norm)

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


def _times(shape):
    return "x".join(str(n) for n in shape)

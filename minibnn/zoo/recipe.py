"""What a published training recipe is, and how its network and optimizer are built from it."""

from dataclasses import dataclass, field

from minibnn import optim
from minibnn.errors import InputError
from minibnn.zoo.models import MODELS


@dataclass(frozen=True)
class Recipe:
    """How a published network was trained."""

    name: str
    summary: str  # what it is, in a line
    source: str  # where its figures were read
    optimizer: str  # for binary parameters, as ``optim.parse_optimizer`` takes it
    real_optimizer: str
    epochs: int
    batch_size: int
    differences: tuple = ()  # where sources contradict each other or are silent; what is done here
    reported: str = ""  # the accuracy in the source, if there is one
    dataset: str = "cifar10"  # in ``data.load``
    model: str = "binarynet"  # in ``zoo.MODELS``
    sizes: dict = field(default_factory=lambda: {"filters": 128, "dense_units": 1024})
    augment: bool = True  # by the paper's random crops and flips
    gradients: str = "float32"
    bn_momentum: float | None = None  # of batch normalisation; None: the network's own
    input_shape: tuple = (32, 32, 3)  # of the data set it was published for
    classes: int = 10

    def build(self, input_shape=None, classes=None, width=1.0, seed=0, gradients=None):
        """Its network, a new one, and its optimizer, an ``optim.Split``.

        ``input_shape``, ``classes`` and ``gradients`` are the recipe's by default; ``width`` scales
        filters and dense units; ``seed`` and ``gradients`` are as in ``Sequential``.
        """
        own = scaled(self.sizes, width)
        if self.bn_momentum is not None:
            own["bn_momentum"] = self.bn_momentum
        shape, classes = tuple(input_shape or self.input_shape), classes or self.classes
        gradients = gradients or self.gradients
        net = MODELS[self.model](shape, classes, seed=seed, gradients=gradients, **own)
        parts = {"binary": self.optimizer, "real": self.real_optimizer}
        return net, optim.Split(**{k: optim.parse_optimizer(text) for k, text in parts.items()})

    def settings(self, **changes):
        """Its arguments of ``fit`` and ``lockstep`` as a dict, with ``changes`` in their place.

        >>> from minibnn.zoo import RECIPES
        >>> RECIPES["bop-sec51"].settings(epochs=30)
        {'epochs': 30, 'batch_size': 100, 'augment': 'paper'}
        """
        own = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "augment": "paper" if self.augment else None,
        }
        return own | changes


def scaled(sizes, width):
    """Sizes of a network times ``width``, rounded to integers.

    InputError unless width is in (0, 16] and leaves at least one of each.

    >>> scaled({"filters": 128, "dense_units": 1024}, 0.25)
    {'filters': 32, 'dense_units': 256}
    """
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width <= 16:
        raise InputError(f"width must be a number in (0, 16], such as 0.25, found {width!r}")
    result = {name: round(size * width) for name, size in sizes.items()}
    for name, size in result.items():
        if size < 1:
            raise InputError(f"width {width} leaves nothing of {name} {sizes[name]}: choose more")
    return result

"""What a published training recipe is, and how its network and optimizer are built from it."""

from dataclasses import dataclass, field

from minibnn.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How a published network was trained.

    Attributes
    ----------
    name : str
    summary : str
        What it is, in a line.
    source : str
        Where its figures were read.
    differences : tuple of str
        Where sources contradict each other or are silent, and what is done here.
    reported : str
        The accuracy the source reports, or "".
    optimizer, real_optimizer : str
        For binary and for real parameters, as ``optim.parse_optimizer`` takes them.
    epochs, batch_size : int
    input_shape, classes
        Of the data set it was published for.
    dataset, model : str
        Names in ``data.load`` and ``zoo.MODELS``.
    sizes : dict of str to int
        The sizes of the model that ``width`` scales.
    augment : bool
        Whether the paper's random crops and flips are used.
    """

    name: str
    summary: str
    source: str
    optimizer: str
    real_optimizer: str
    epochs: int
    batch_size: int
    differences: tuple = ()
    reported: str = ""
    dataset: str = "cifar10"
    model: str = "binarynet"
    sizes: dict = field(default_factory=lambda: {"filters": 128, "dense_units": 1024})
    augment: bool = True
    input_shape: tuple = (32, 32, 3)
    classes: int = 10

    def build(self, input_shape=None, classes=None, width=1.0, seed=0, gradients="float32"):
        """Its network and its optimizer, new ones.

        Parameters
        ----------
        input_shape : (H, W, C), optional
        classes : int, optional
            By default the recipe's.
        width : float
            Scales filters and dense units.
        seed : int
            Of the first weights.
        gradients : str
            As of ``Sequential``.

        Returns
        -------
        network, ``optim.Split``
        """
        from minibnn import optim
        from minibnn.zoo import MODELS

        sizes = scaled(self.sizes, width)
        shape, classes = tuple(input_shape or self.input_shape), classes or self.classes
        net = MODELS[self.model](shape, classes, seed=seed, gradients=gradients, **sizes)
        parts = {"binary": self.optimizer, "real": self.real_optimizer}
        return net, optim.Split(**{k: optim.parse_optimizer(text) for k, text in parts.items()})

    def settings(self, **changes):
        """Its arguments of ``fit`` and ``lockstep``.

        Parameters
        ----------
        **changes : any
            Arguments that take the place of the recipe's.

        Returns
        -------
        dict

        Examples
        --------
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
    """Sizes of a network times ``width``, rounded to whole numbers.

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

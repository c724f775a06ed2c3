"""What options leave open: settled by recipes, and by the size of the pictures."""

import inspect

from minibnn.errors import InputError

LARGE = 64  # pixels: from here on pictures are ImageNet's rather than CIFAR-10's
SIZES = ("filters", "dense_units")  # of a network, where it has them


def recipe_options(names):
    """What recipes set, by the names of the options, except those that depend on the pictures.

    ``names`` is one of train's, or the list of compare's: the first one sets what all share.
    """
    from minibnn.zoo.recipes import recipe

    several = isinstance(names, list)
    chosen = [recipe(name) for name in (names if several else [names])]
    shared = {option: getattr(chosen[0], option) for option in ("dataset", "epochs", "batch_size")}
    if several:  # each with its own real optimizer
        return shared | {"optimizer": [f"{one.name}=recipe:{one.name}" for one in chosen]}
    real = chosen[0].real_optimizer
    return shared | {"optimizer": chosen[0].optimizer, "real_optimizer": real}


def recipes_of(kept):
    """The recipes that the options name, a list; the first sets what several share."""
    from minibnn.zoo.recipes import recipe

    names = kept["recipe"] or []
    return [recipe(name) for name in ([names] if isinstance(names, str) else names)]


def network_options(kept, input_shape):
    """The options model, filters, dense_units and augment, settled for pictures of a shape.

    What was not given is the recipe's or the model's own; a recipe's network and augmentation are
    for pictures of 16x16 and more.
    """
    from minibnn.zoo import MODELS, recipes

    if len(input_shape) != 3:
        raise InputError(
            f"{kept['dataset']} holds vectors, and the networks here take pictures: build one of "
            "your own in Python (nn.Sequential) and train it by fit"
        )
    small = min(input_shape[:2]) < recipes.SMALLEST
    recipe = next(iter(recipes_of(kept)), None) if not small else None
    model = kept["model"] or (recipe.model if recipe else _model_for(input_shape))
    augment = kept["augment"]
    if augment is None:
        augment = recipe.augment if recipe else kept["dataset"] in ("cifar10", "image-folder")
    arguments = inspect.signature(MODELS[model]).parameters
    own = {name: arguments[name].default for name in SIZES if name in arguments}
    if recipe and recipe.model == model:
        own |= recipe.sizes
    for name in SIZES:
        if kept[name] is not None and name not in own:
            raise InputError(f"--{name.replace('_', '-')}: {model} has no such size")
    if kept["width"] is not None:
        own = recipes.scaled(own, kept["width"])
    sizes = {name: own.get(name) if kept[name] is None else kept[name] for name in SIZES}
    return {"model": model, "augment": augment, **sizes}


def _model_for(input_shape):
    """BinaryNet's first dense layer grows with the picture: 382 million weights at 224x224."""
    from minibnn.zoo.recipes import SMALLEST

    side = min(input_shape[:2])
    return "digits" if side < SMALLEST else "binarynet" if side < LARGE else "birealnet"


def recipe_words(recipe, kept, data):
    text = f"{recipe.name}, {recipe.summary}"
    if (recipe.epochs, recipe.batch_size) != (kept["epochs"], kept["batch_size"]):
        text += (
            f"; published for {recipe.epochs} epochs in batches of {recipe.batch_size}, here "
            f"{kept['epochs']} and {kept['batch_size']}, schedules in proportion"
        )
    if recipe.classes != len(data.classes):
        text += f"; published for {recipe.classes} classes, here {len(data.classes)}"
    return text


def check_model(model, models):
    if model is not None and model not in models:
        raise InputError(f"--model must be one of {', '.join(models)}, found {model!r}")

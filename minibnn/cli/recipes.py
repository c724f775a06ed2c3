"""``minibnn recipes``: how others and we trained, and where the figures come from."""

import textwrap

import click

from minibnn.cli.options import names


@click.command(short_help="List training recipes.")
@click.argument(
    "name", required=False, metavar="[name]", shell_complete=names("minibnn.zoo.RECIPES")
)
def recipes(name):
    """List the recipes of "minibnn train --recipe NAME", or tell all about one NAME.

    \b
    minibnn recipes
    minibnn recipes bop-sec52
    """
    from minibnn.zoo.recipes import RECIPES, recipe

    if name is not None:
        click.echo(explain(recipe(name)))
        return
    from minibnn.tables import Table

    head = ["recipe", "what", "batch", "epochs", "reported"]
    lines = [
        [r.name, r.summary, str(r.batch_size), str(r.epochs), r.reported or "-"]
        for r in RECIPES.values()
    ]
    click.echo(Table(head, lines, 2))
    click.echo("\nminibnn recipes NAME tells all about one, its source included.")


def explain(recipe):
    network = [recipe.model, *(f"{n} {name.replace('_', ' ')}" for name, n in recipe.sizes.items())]
    if recipe.bn_momentum is not None:
        network.append(f"batch normalisation of momentum {recipe.bn_momentum}")
    in_files = recipe.dataset == "image-folder"
    size = "x".join(map(str, recipe.input_shape[:2]))
    words = {"paper": "augmented", "cutout": "augmented with cutout", None: "as they are"}
    rows = {
        "source": recipe.source,
        "reported": f"{recipe.reported} test accuracy" if recipe.reported else "nothing",
        "images": f"{recipe.dataset}, {recipe.classes} classes, {size}, {words[recipe.augment]}",
        "network": ", ".join(network),
        "gradients": recipe.gradients,
        "binary weights": recipe.optimizer,
        "real parameters": recipe.real_optimizer,
        "epochs": f"{recipe.epochs}, in batches of {recipe.batch_size}",
    }
    lines = [f"{recipe.name}: {recipe.summary}", ""]
    for label, text in rows.items():
        lines += _wrapped(f"{label:<16} ", text)
    lines += [""] * bool(recipe.differences)
    for text in recipe.differences:
        lines += _wrapped("- ", text)
    command = f"minibnn train --recipe {recipe.name}"
    return "\n".join([*lines, "", f"{command} --data-dir FOLDER" if in_files else command])


def _wrapped(head, text):
    """``text`` in lines of at most 100 characters, the first after ``head``, others below it."""
    how = {"initial_indent": head, "subsequent_indent": " " * len(head)}
    return textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False, **how)

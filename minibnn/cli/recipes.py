"""``minibnn recipes``: how others and we trained, and where the figures come from."""

import textwrap

import click

from minibnn.cli.completion import names


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
    from minibnn.tables import text_table

    head = ["recipe", "batch", "epochs", "reported", "what"]
    lines = [
        [r.name, str(r.batch_size), str(r.epochs), r.reported or "-", r.summary]
        for r in RECIPES.values()
    ]
    width = max(len(line[-1]) for line in lines)
    lines = [[*line[:-1], f"{line[-1]:<{width}}"] for line in lines]
    click.echo(text_table([*head[:-1], f"{head[-1]:<{width}}"], lines))
    click.echo("\nminibnn recipes NAME tells all about one, its source included.")


def explain(recipe):
    """All about one recipe, several lines."""
    sizes = ", ".join(f"{size} {name.replace('_', ' ')}" for name, size in recipe.sizes.items())
    in_files = recipe.dataset == "image-folder"
    augmentation = "cut out and mirrored" if in_files else "shifted and mirrored"
    size = "x".join(map(str, recipe.input_shape[:2]))
    keeps = recipe.bn_momentum
    momentum = "" if keeps is None else f", batch normalisation of momentum {keeps}"
    rows = {
        "source": recipe.source,
        "reported": f"{recipe.reported} test accuracy" if recipe.reported else "nothing",
        "images": f"{recipe.dataset}, {recipe.classes} classes, {size}, "
        f"{augmentation if recipe.augment else 'as they are'}",
        "network": f"{recipe.model}, {sizes}{momentum}",
        "gradients": recipe.gradients,
        "binary weights": recipe.optimizer,
        "real parameters": recipe.real_optimizer,
        "epochs": f"{recipe.epochs}, in batches of {recipe.batch_size}",
    }
    lines = [f"{recipe.name}: {recipe.summary}", ""]
    for label, text in rows.items():
        lines += _wrapped(f"{label:<16} ", text)
    if recipe.differences:
        lines.append("")
    for text in recipe.differences:
        lines += _wrapped("- ", text)
    command = f"minibnn train --recipe {recipe.name}"
    lines += ["", f"{command} --data-dir FOLDER" if in_files else command]
    return "\n".join(lines)


def _wrapped(head, text):
    """``text`` in lines of at most 100 characters, the first after ``head``, others below it."""
    indent = " " * len(head)
    return textwrap.wrap(
        text,
        100,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )

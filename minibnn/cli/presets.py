"""``minibnn compare --preset``: an equivalence shown on a whole network, sign by sign."""

import csv
import io

import click

from minibnn.cli.options import Start
from minibnn.errors import InputError

STEPS = {"cifar10": 100}  # where --steps is not given; else:
DEFAULT_STEPS = 200


def run_preset(ctx, name, steps, options):
    """Run the preset, print its table, keep table, settings and picture; exit 1 if it fails."""
    from minibnn.equivalences.networks import PRESETS

    if name not in PRESETS:
        raise InputError(f"--preset must be one of {', '.join(PRESETS)}, found {name!r}")
    for option in (
        "recipe",
        "optimizer",
        "epochs",
        "real_optimizer",
        "validation",
        "resume",
        "tensorboard",
    ):
        if ctx.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            raise InputError(
                f"--preset has its own optimizers and number of steps (--steps): leave "
                f"--{option.replace('_', '-')} out"
            )
    if steps is None:
        steps = STEPS.get(options["dataset"], DEFAULT_STEPS)
    if steps < 1:
        raise InputError(f"--steps must be 1 or more, found {steps}")
    how = {option: options[option] for option in ("out", "resume", "force", "threads")}
    kept = {option: x for option, x in options.items() if option not in how}
    preset = PRESETS[name]
    with Start("compare", kept | {"epochs": 1}, how) as start:
        start.announce()
        click.echo(f"preset:  {name} ({preset.entry}): {preset.words}")
        result = _compare(start, name, steps)
    click.echo()
    click.echo(table(result))
    click.echo()
    click.echo(verdict(result))
    click.echo(f"picture: {start.out}/compare.png")
    if not result.ok:
        ctx.exit(1)


def _compare(start, name, steps):
    """The Comparison, kept in the run folder."""
    from minibnn.equivalences.networks import compare_sides
    from minibnn.ops.threads import compute_threads
    from minibnn.training.run_folder import RunFolder

    arguments = start.arguments
    with (
        RunFolder(arguments["out"], force=arguments["force"]) as folder,
        compute_threads(arguments["threads"]),
        click.progressbar(length=steps, label="steps:  ") as bar,
    ):
        folder.write_config(
            {"kind": "preset", "preset": name, "steps": steps, "options": arguments["options"]}
        )
        result = compare_sides(
            name,
            start.net,
            start.data,
            steps=steps,
            batch_size=arguments["batch_size"],
            seed=arguments["seed"],
            augment=arguments["augment"],
            after_step=lambda *_: bar.update(1),
        )
        keep(folder.path, result)
        draw(folder.path / "compare.png", result)
    return result


def table(result):
    """A line for each of the three networks."""
    from minibnn.tables import text_table

    lines = []
    for k, side in enumerate(result.sides):
        loss = f"{result.losses[side.name][-20:].mean():.4f}"
        cells = ["-", "-", "-"]
        if k:
            first = result.first_difference(side.name)
            cells = [result.sentence(side.name), f"step {first}" if first else "never"]
            cells.append(f"{result.reals[side.name]:,}")
        lines.append([side.name, side.words, *cells, loss])
    head = ["network", "optimizer", "against the first", "first at", "reals that differ", "loss"]
    return text_table(head, lines, left=3)


def verdict(result):
    """What the table says, in a sentence or two."""
    first, twin, control = (side.name for side in result.sides)
    if not result.ok:
        at = result.first_difference(twin)
        return (
            f"{twin} differs from {first} at step {at}: the equivalence FAILS"
            if at
            else "the control never differed: nothing is shown"
        )
    return (
        f"After every one of {result.steps} steps all {result.weights:,} signs of "
        f"{len(result.layers)} layers were equal ({result.flips:,} flips on the way).\n"
        f"The {control} drifts apart: {result.sentence(control)}."
    )


def keep(folder, result):
    """differences.csv: a row per step and network, signs that differ by layer, and the loss."""
    from minibnn.files.atomic import write_atomic

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["step", "name", "loss", "differing", *(f"differing:{n}" for n in result.layers)]
    )
    for step in range(result.steps):
        for side in result.sides:
            row = [step + 1, side.name, repr(float(result.losses[side.name][step]))]
            if side.name in result.differing:
                counts = result.differing[side.name][step].tolist()
                row += [sum(counts), *counts]
            else:
                row += [""] * (1 + len(result.layers))
            writer.writerow(row)
    write_atomic(folder / "differences.csv", file.getvalue().encode())


def draw(path, result):
    """Write a PNG: signs that differ by step, and the losses."""
    import numpy as np

    from minibnn.equivalences.networks import PRESETS
    from minibnn.training.plots.style import COLOURS, new_figure, save

    figure = new_figure(11, 4.5)
    signs, loss = figure.subplots(1, 2)
    steps = np.arange(1, result.steps + 1)
    first, twin, control = result.sides
    styles = {
        first.name: {"color": COLOURS[5], "linewidth": 5},
        twin.name: {"color": COLOURS[0], "linewidth": 1.4},
        control.name: {"color": COLOURS[1], "linewidth": 1.4, "linestyle": "--"},
    }
    for side in (twin, control):
        differing = 100 * result.differing[side.name].sum(1) / result.weights
        words = f"{side.name}: {result.sentence(side.name)}"
        signs.plot(steps, differing, label=words, **styles[side.name])
    signs.set_ylim(bottom=-0.03 * signs.get_ylim()[1])
    signs.set_title(f"Signs that differ from {first.name}'s")
    signs.set_ylabel("of all signs (%)")
    width = max(1, result.steps // 40)
    for side in result.sides:
        smooth = np.convolve(result.losses[side.name], np.ones(width) / width, "valid")
        loss.plot(steps[width - 1 :], smooth, label=side.name, **styles[side.name])
    loss.set_title("Training loss" + f", mean of {width} steps" * (width > 1))
    loss.set_ylabel("loss per picture")
    for axes in (signs, loss):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    preset = PRESETS[result.preset]
    figure.suptitle(f"{result.preset} ({preset.entry}): {preset.words}")
    save(figure, path)

"""``minibnn compare --preset``: an equivalence shown on a whole network, sign by sign."""

import csv
import io

import click

from minibnn.cli.start import started
from minibnn.errors import InputError

_OWN = ("recipe", "optimizer", "epochs", "real_optimizer", "validation", "resume", "tensorboard")


def run_preset(ctx, name, steps, options, how):
    """Run the preset, print its table, keep table, settings and figure; exit 1 if it fails."""
    from minibnn.equivalences.networks import PRESETS, compare_sides
    from minibnn.ops.threads import compute_threads
    from minibnn.training.run_folder import RunFolder

    if name not in PRESETS:
        raise InputError(f"--preset must be one of {', '.join(PRESETS)}, found {name!r}")
    for option in ctx.obj.intersection(_OWN):
        raise InputError(
            f"--preset has its own optimizers and number of steps (--steps): leave "
            f"--{option.replace('_', '-')} out"
        )
    if steps is None:
        steps = 100 if options["dataset"] == "cifar10" else 200
    with started("compare", options | {"epochs": 1}, how) as start:
        start.announce()
        click.echo(f"preset:  {name} ({PRESETS[name].entry}): {PRESETS[name].words}")
        arguments = start.arguments
        with (
            RunFolder(start.out, force=how["force"]) as folder,
            compute_threads(how["threads"]),
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
    click.echo(f"\n{table(result)}\n\n{verdict(result)}")
    click.echo(f"figure: {start.out}/compare.png")
    if not result.ok:
        ctx.exit(1)


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
    layers = [f"differing:{name}" for name in result.layers]
    writer.writerow(["step", "name", "loss", "differing", *layers])
    for step in range(result.steps):
        for side in result.sides:
            counts = [""] * (1 + len(layers))
            if side.name in result.differing:
                counts = result.differing[side.name][step].tolist()
                counts = [sum(counts), *counts]
            loss = repr(float(result.losses[side.name][step]))
            writer.writerow([step + 1, side.name, loss, *counts])
    write_atomic(folder / "differences.csv", file.getvalue().encode())


def draw(path, result):
    """Write a PNG: signs that differ by step, and the losses."""
    import numpy as np

    from minibnn.equivalences.networks import PRESETS
    from minibnn.training.plots.style import COLOURS, new_figure, save

    figure = new_figure(11, 4.5)
    signs, loss = figure.subplots(1, 2)
    steps = np.arange(1, result.steps + 1)
    width = max(1, result.steps // 40)
    looks = ((COLOURS[5], 5, "-"), (COLOURS[0], 1.4, "-"), (COLOURS[1], 1.4, "--"))
    for side, (color, linewidth, linestyle) in zip(result.sides, looks, strict=True):
        look = {"color": color, "linewidth": linewidth, "linestyle": linestyle}
        smooth = np.convolve(result.losses[side.name], np.ones(width) / width, "valid")
        loss.plot(steps[width - 1 :], smooth, label=side.name, **look)
        if side.name in result.differing:
            differing = 100 * result.differing[side.name].sum(1) / result.weights
            words = f"{side.name}: {result.sentence(side.name)}"
            signs.plot(steps, differing, label=words, **look)
    signs.set_ylim(bottom=-0.03 * signs.get_ylim()[1])
    signs.set_title(f"Signs that differ from {result.sides[0].name}'s")
    signs.set_ylabel("of all signs (%)")
    loss.set_title("Training loss" + f", mean of {width} steps" * (width > 1))
    loss.set_ylabel("loss per image")
    for axes in (signs, loss):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    preset = PRESETS[result.preset]
    figure.suptitle(f"{result.preset} ({preset.entry}): {preset.words}")
    save(figure, path)

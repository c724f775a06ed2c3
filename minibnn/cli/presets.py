"""``minibnn compare --preset``: an equivalence shown on a whole network, sign by sign."""

import click

from minibnn.cli.start import started
from minibnn.errors import InputError, one_of

_OWN = {
    *("recipe", "optimizer", "epochs", "real_optimizer", "validation", "resume", "tensorboard"),
    *("checkpoint_every", "checkpoint_minutes"),
}


def run_preset(ctx, name, steps, options):
    """Run the preset, print its table, keep settings and figure; exit 1 if it fails."""
    from minibnn.equivalences.networks import PRESETS, compare_sides
    from minibnn.ops.threads import compute_threads
    from minibnn.training.run_folder import RunFolder

    one_of(name, "--preset", PRESETS)
    for option in ctx.obj.intersection(_OWN):
        raise InputError(f"--preset has its own settings: leave --{option.replace('_', '-')} out")
    if steps is None:
        steps = 100 if options["dataset"] == "cifar10" else 200
    with started("compare", options | {"epochs": 1}) as start:
        start.announce()
        click.echo(f"preset:  {name} ({PRESETS[name].entry}): {PRESETS[name].words}")
        how = {name: start.arguments[name] for name in ("batch_size", "seed", "augment")}
        config = {"kind": "preset", "preset": name, "steps": steps}
        bar = click.progressbar(length=steps, label="steps:  ")
        with compute_threads(options["threads"]), bar:
            how["after_step"] = lambda *_: bar.update(1)
            result = compare_sides(name, start.net, start.data, steps=steps, **how)
        with RunFolder(start.out, force=options["force"]) as folder:  # nothing is lost before
            folder.write_config(config | {"options": start.arguments["options"]})
            draw(folder.path / "compare.png", result)
    click.echo(f"\n{table(result)}\n\n{verdict(result)}")
    click.echo(f"figure: {start.out}/compare.png")
    if not result.ok:
        ctx.exit(1)


def table(result):
    """A line for each of the three networks."""
    from minibnn.tables import Table

    lines = []
    for side in result.sides:
        cells = ["-", "-", "-"]
        if side.name in result.differing:
            first = result.first_difference(side.name)
            cells = [result.sentence(side.name), f"step {first}" if first else "never"]
            cells.append(f"{result.reals[side.name]:,}")
        loss = result.losses[side.name][-20:].mean()
        lines.append([side.name, side.words, *cells, f"{loss:.4f}"])
    head = ["network", "optimizer", "against the first", "first at", "reals that differ", "loss"]
    return Table(head, lines, 3)


def verdict(result):
    """What the table says, in a sentence or two."""
    first, twin, control = (side.name for side in result.sides)
    if at := result.first_difference(twin):
        return f"{twin} differs from {first} at step {at}: the equivalence FAILS"
    if not result.ok:
        return "the control never differed: nothing is shown"
    return (
        f"After every one of {result.steps} steps all {result.weights:,} signs of "
        f"{len(result.layers)} layers were equal ({result.flips:,} flips on the way).\n"
        f"The {control} drifts apart: {result.sentence(control)}."
    )


def draw(path, result):
    """Write a PNG: signs that differ from the first network's, by step."""
    from minibnn.equivalences.networks import PRESETS
    from minibnn.training.plots.style import label, line, new_figure, save, style

    figure = new_figure(8, 4.5)
    axes, steps = figure.subplots(), range(1, result.steps + 1)
    for k, (name, differing) in enumerate(result.differing.items()):
        how = style(k) | {"marker": "", "label": f"{name}: {result.sentence(name)}"}
        line(axes, steps, 100 * differing.sum(1) / result.weights, **how)
    axes.set_ylim(bottom=-0.03 * axes.get_ylim()[1])
    title = f"{result.preset} ({PRESETS[result.preset].entry})"
    label(axes, title, f"signs that differ from {result.sides[0].name}'s (%)", x="step")
    axes.legend(frameon=False)
    save(figure, path)

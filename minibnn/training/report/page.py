"""The page of a report: its sections, in the order in which they are read.

Every text that comes from a run, a file or a folder is escaped. There is nothing in it to load or
to run, and neither date nor machine: the same runs give the same page.
"""

import json
from dataclasses import dataclass
from html import escape

from minibnn._version import __version__
from minibnn.nn import Sequential
from minibnn.tables import html_of
from minibnn.training.about import describing_a_run, digest_of, settings_of
from minibnn.training.measure import MOST_CLASSES, Measured
from minibnn.training.metrics import closing_table
from minibnn.training.plots import Record
from minibnn.training.report.figures import Drawn
from minibnn.training.report.look import STYLE
from minibnn.training.run_folder import CONFIG
from minibnn.training.sweep import table

MOST_DRAWN = 12  # runs over each other that can still be told apart
_MOST_NETWORKS = 3


@dataclass(frozen=True)
class Subject:
    """A run that is reported on.

    Attributes
    ----------
    record : Record
        Its metrics and telemetry.
    config : dict
        Its config.json.
    confusion : Measured, or str
        What the network does on its test pictures, or why that is not known.
    """

    record: Record
    config: dict
    confusion: Measured | str


def page(title, subjects, sweeps=(), commands=()):
    """A report as HTML.

    Parameters
    ----------
    title : str
    subjects : list of Subject
        The first MOST_DRAWN are drawn; all are listed.
    sweeps : sequence of (dict, list of dict)
        sweep.json and the rows of summary.csv of each sweep that the runs are from.
    commands : sequence of str
        Command lines that repeat what is reported on.

    Returns
    -------
    str
    """
    drawn = Drawn([subject.record for subject in subjects[:MOST_DRAWN]])
    sections = [
        _results(subjects, sweeps, drawn),
        _curves(subjects, drawn),
        _agreement(drawn),
        _layers(drawn),
        _confusions(subjects[:MOST_DRAWN], drawn),
        _settings(subjects),
        _networks(subjects),
        _again(subjects, commands),
    ]
    count = f"{len(subjects)} runs" if len(subjects) > 1 else "One run"
    body = "\n".join(section for section in sections if section)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="generator" content="minibnn {escape(__version__)}"/>
<title>{escape(title)}</title>
<link rel="icon" href="data:,"/>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="quiet">{count} of binarized networks, reported by minibnn {escape(__version__)}</p>
</header>
<main>
{body}
</main>
</body>
</html>
"""


def _section(heading, *parts):
    return f"<section>\n<h2>{escape(heading)}</h2>\n{''.join(parts)}\n</section>"


def _paragraph(text):
    return f'<p class="quiet">{escape(text)}</p>'


def _grid(figures, size=""):
    return f'<div class="grid {size}">{"".join(figures)}</div>'


def _results(subjects, sweeps, drawn):
    histories = {subject.record.label: subject.record.history for subject in subjects}
    tables = [one for _, rows in sweeps for one in table.tables(rows)]
    maps = [figure for sweep in sweeps for figure in drawn.heat_map(*sweep)]
    closing = closing_table(histories, first="run")
    return _section("Results", html_of([*tables, closing]), _grid(maps) if maps else "")


def _curves(subjects, drawn):
    left_out = len(subjects) - len(drawn.records)
    note = f"{len(drawn.records)} of {len(subjects)} runs are drawn." if left_out else ""
    return _section(
        "Curves", note and _paragraph(note), drawn.legend(), _grid(list(drawn.curves()))
    )


def _agreement(drawn):
    parts = list(drawn.agreement())
    return parts and _section("Agreement", *parts[:-1], _grid(parts[-1:]))


def _layers(drawn):
    parts = []
    for heading, text, figures in drawn.layers():
        parts += [f"<h3>{escape(heading)}</h3>", _paragraph(text), _grid(figures, "small")]
    missing = [record.label for record in drawn.records if record.telemetry is None]
    if missing:
        parts.append(_paragraph(f"Without telemetry, so not drawn here: {', '.join(missing)}."))
    return _section("Layers", drawn.legend() if len(drawn.records) > 1 else "", *parts)


# -- confusion -------------------------------------------------------------------------------------


def _confusions(subjects, drawn):
    parts = []
    for subject in subjects:
        parts.append(f"<h3>{escape(subject.record.label)}</h3>")
        found = subject.confusion
        if isinstance(found, str):
            parts.append(_paragraph(f"Not measured: {found}"))
            continue
        result = found.evaluation
        epoch = subject.record.history.last.get("epoch")
        parts.append(
            _paragraph(
                f"{100 * result.accuracy:.2f} % of {result.count:,} test pictures right, after "
                f"epoch {epoch}. A row per class: which share of its pictures, in %, got which "
                "answer."
            )
        )
        if len(found.classes) <= MOST_CLASSES:
            parts.append(_heat(found))
        else:
            parts += [_grid([drawn.confusion(found)]), html_of([found.mistakes()])]
    return _section("Confusion", *parts)


def _heat(found):
    """The confusion as a table whose cells are coloured: right answers blue, mistakes orange."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in found.classes)
    rows = []
    for k, (name, counts) in enumerate(zip(found.classes, found.confusion.tolist(), strict=True)):
        total = max(sum(counts), 1)
        cells = "".join(_cell(n / total, n, right=k == j) for j, n in enumerate(counts))
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return (
        '<div class="scroll"><table class="confusion"><thead><tr><th scope="col">class \\ answer'
        f"</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(share, count, right):
    if not count:
        return "<td></td>"
    # Mistakes are few: their square root makes them visible. Never so strong that ink is not.
    strength = 0.55 * share if right else 0.55 * share**0.5
    colour = "0 114 178" if right else "213 94 0"
    text = f"{100 * share:.1f}" if share >= 0.0005 else "&lt;0.1"
    return (
        f'<td style="background:rgb({colour} / {strength:.2f})" title="{count:,} pictures">'
        f"{text}</td>"
    )


# -- settings --------------------------------------------------------------------------------------


def _settings(subjects):
    labels = [subject.record.label for subject in subjects]
    found = []
    for subject in subjects:
        with describing_a_run(f"{subject.record.folder}/{CONFIG}"):
            digest = digest_of(subject.record.folder) if subject.record.folder else {}
            found.append(settings_of(subject.config) | digest)
    names = dict.fromkeys(name for settings in found for name in settings)
    rows = []
    for name in names:
        texts = [settings.get(name, "-") for settings in found]
        if len(set(texts)) == 1:
            cells = f'<td colspan="{len(texts)}">{escape(texts[0])}</td>'
        else:
            cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    head = ""
    if len(labels) > 1:
        names = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
        head = f'<thead><tr><th scope="col">setting</th>{names}</tr></thead>'
    return _section(
        "Configuration",
        f'<div class="scroll"><table class="settings">{head}<tbody>{"".join(rows)}</tbody></table>'
        "</div>",
    )


def _networks(subjects):
    configs = {json.dumps(s.config["network"]): s for s in subjects if s.config.get("network")}
    tables = []
    for subject in list(configs.values())[:_MOST_NETWORKS]:
        with describing_a_run(f"{subject.record.folder}/{CONFIG}"):
            tables += Sequential.from_config(subject.config["network"]).summary().tables()
    left_out = len(configs) - _MOST_NETWORKS
    note = _paragraph(f"{left_out} further networks are left out.") if left_out > 0 else ""
    return tables and _section("Network" + "s" * (len(tables) > 1), html_of(tables), note)


def _again(subjects, commands):
    parts = [f'<pre class="command">{escape(command)}</pre>' for command in commands]
    if not parts:
        parts = [_paragraph("From Python, or another version of minibnn: config.json says how.")]
    else:
        parts.append(
            _paragraph(
                "The same seed gives the same weights, bit for bit: with integer gradients on any "
                "machine, with float32 where backend, vector path and BLAS are the same."
            )
        )
    for subject in subjects[:MOST_DRAWN]:
        text = json.dumps(subject.config, indent=2)
        parts.append(
            f"<details><summary>config.json of {escape(subject.record.label)}</summary>"
            f"<pre>{escape(text)}</pre></details>"
        )
    return _section("The command that repeats it", *parts)

"""A report: one HTML page about runs that needs nothing beside it, not even a network.

Every text that comes from a run, a file or a folder is escaped. There is nothing in it to load or
to run, and neither date nor machine: the same runs give the same page.
"""

import json
from base64 import b64encode
from dataclasses import dataclass
from html import escape

from minibnn._version import __version__
from minibnn.files.atomic import write_atomic
from minibnn.nn import Sequential
from minibnn.tables import Table, html_of
from minibnn.training.about import describing_a_run, digest_of, settings_of
from minibnn.training.measure import Measured
from minibnn.training.metrics import closing_table
from minibnn.training.plots import Record
from minibnn.training.plots.confusion import confusion_figure
from minibnn.training.plots.runs import runs_figure
from minibnn.training.plots.style import encoded
from minibnn.training.run_folder import CONFIG
from minibnn.training.sweep import plots as sweep_plots
from minibnn.training.sweep import table

MOST_DRAWN = 12  # runs over each other that can still be told apart
_PI_T = "πₜ = ln(flips/weights + e⁻⁹), the paper's Eq. 7, is of an epoch's mean step."

# Light or dark as the reader's system is; figures stay on white. What is wide scrolls in its box.
STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --card: #f6f7f9; --rule: #d9dce1;
  --ink: #1b1f24; --grey: #59616b; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --card: #1c2026; --rule: #363c45; --ink: #e8eaed; --grey: #a3abb5; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 84rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.25rem; }
.quiet, figcaption, caption { color: var(--grey); font-size: 0.9rem; }
figure { margin: 1rem 0; }
.scroll { overflow-x: auto; }
img { display: block; max-width: 100%; height: auto; background: #ffffff; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--rule); vertical-align: top;
  white-space: nowrap; }
thead th { color: var(--grey); }
tfoot td { border-top: 2px solid var(--rule); font-weight: 600; }
div + div > table { margin-top: 1.25rem; }
.settings td { white-space: normal; min-width: 8rem; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 0.4rem;
  padding: 0.75rem; overflow-x: auto; font-size: 0.85rem; }
pre.command { white-space: pre-wrap; }
summary { cursor: pointer; margin: 0.75rem 0; }
"""


@dataclass(frozen=True)
class Subject:
    """A run that is reported on; ``confusion`` is measured, or says why that is not known."""

    record: Record
    config: dict
    confusion: Measured | str


def write_report(path, title, subjects, sweeps=(), commands=()):
    """Write ``page``, of the same arguments, to ``path``, which ends in .html or .htm."""
    content = page(title, subjects, sweeps, commands).encode(errors="backslashreplace")
    write_atomic(path, content)


def page(title, subjects, sweeps=(), commands=()):
    """A report as HTML: of ``subjects``, a list of Subject, the first MOST_DRAWN are drawn.

    ``sweeps`` are sweep.json and the rows of summary.csv of each sweep the runs are from;
    ``commands`` are command lines that repeat what is reported on.
    """
    drawn = subjects[:MOST_DRAWN]
    sections = {
        "Results": _results(subjects, sweeps),
        "Curves": _curves([subject.record for subject in drawn], len(subjects)),
        "Confusion": [part for subject in drawn for part in _confusion(subject)],
        "Configuration": _settings(subjects),
        "Networks": _networks(subjects),
        "The command that repeats it": _again(drawn, commands),
    }
    body = "\n".join(
        f"<section>\n<h2>{escape(heading)}</h2>\n{''.join(parts)}\n</section>"
        for heading, parts in sections.items()
        if parts
    )
    count = f"{len(subjects)} runs" if len(subjects) > 1 else "One run"
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


def _paragraph(text):
    return f'<p class="quiet">{escape(text)}</p>'


def _figure(figure, caption):
    """A matplotlib figure as an image inside the page."""
    inches = figure.get_figwidth()
    size = f'width="{96 * inches:.0f}" style="min-width:{62 * inches:.0f}px"'  # text can be read
    content = b64encode(encoded(figure, ".svg")).decode()
    return (
        f'<figure><div class="scroll"><img alt="{escape(caption)}" {size} '
        f'src="data:image/svg+xml;base64,{content}"/></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _results(subjects, sweeps):
    histories = {subject.record.label: subject.record.history for subject in subjects}
    tables = [one for _, rows in sweeps for one in table.tables(rows)]
    parts = [html_of([*tables, closing_table(histories, first="run")])]
    for description, rows in sweeps:
        groups = table.over_seeds(rows)
        if keys := sweep_plots.heat_map_keys(groups, description):
            figure = sweep_plots.heat_map(groups, keys)
            parts.append(_figure(figure, f"Best accuracy over {keys[0]} and {keys[1]}"))
    return parts


def _curves(records, count):
    caption = f"Accuracy, loss and flips; flips and inertia of every binary layer. {_PI_T}"
    parts = [_figure(runs_figure(records), caption)]
    if count > len(records):
        parts.append(_paragraph(f"{len(records)} of {count} runs are drawn."))
    if missing := [record.label for record in records if record.telemetry is None]:
        parts.append(_paragraph(f"Without telemetry of their layers: {', '.join(missing)}."))
    return parts


def _confusion(subject):
    parts = [f"<h3>{escape(subject.record.label)}</h3>"]
    found = subject.confusion
    if isinstance(found, str):
        return [*parts, _paragraph(f"Not measured: {found}")]
    caption = "Share of each class that got each answer, by the network of checkpoint.npz"
    figure = confusion_figure(found.confusion, found.classes)
    return [*parts, html_of(found.tables()), _figure(figure, caption)]


def _settings(subjects):
    labels = [subject.record.label for subject in subjects]
    found = []
    for subject in subjects:
        with describing_a_run(f"{subject.record.folder}/{CONFIG}"):
            found.append(settings_of(subject.config) | digest_of(subject.record.folder))
    names = dict.fromkeys(name for settings in found for name in settings)
    lines = [[name, *(settings.get(name, "-") for settings in found)] for name in names]
    table = Table(["setting", *labels], lines, left=1 + len(labels))
    return [f'<div class="settings">{table.html()}</div>']


def _networks(subjects):
    configs = {json.dumps(s.config["network"]): s for s in subjects if s.config.get("network")}
    tables = []
    for subject in configs.values():
        with describing_a_run(f"{subject.record.folder}/{CONFIG}"):
            tables += Sequential.from_config(subject.config["network"]).summary().tables()
    return [html_of(tables)] if tables else []


def _again(subjects, commands):
    parts = [f'<pre class="command">{escape(command)}</pre>' for command in commands]
    if parts:
        text = (
            "The same seed gives the same weights, bit for bit: on any machine if config.json "
            "has machine_dependent [], else where backend, vector path and BLAS are the same."
        )
    else:
        text = "No command does this again as it was: config.json says how it was done."
    parts.append(_paragraph(text))
    return parts + [
        f"<details><summary>config.json of {escape(subject.record.label)}</summary>"
        f"<pre>{escape(json.dumps(subject.config, indent=2))}</pre></details>"
        for subject in subjects
    ]

"""The figures: written whole, with labelled axes, one line per optimizer and measure."""

import numpy as np
import pytest
from matplotlib import image
from small_runs import BOP, compare, fit

from minibnn.training import History
from minibnn.training.plots import COLOURS, draw_curves
from minibnn.training.plots.confusion import confusion_figure
from minibnn.training.plots.style import save


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved."""
    from matplotlib.figure import Figure

    seen, savefig = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: (seen.append(f), savefig(f, *a, **k)))
    return seen


def test_a_comparison(tmp_path, figures):
    specs = {"bop": BOP, "fast": "bop:gamma=0.1", "latent-adam": "latent-adam:lr=1e-2"}
    result = compare(tmp_path / "run", specs=specs)
    drawn = image.imread(tmp_path / "run/compare.png")
    assert drawn.shape[0] > 700
    assert len(np.unique(drawn[::9, ::9].reshape(-1, drawn.shape[-1]), axis=0)) > 20
    accuracy, loss, flips, agreement = figures[0].axes
    for axes in figures[0].axes:
        assert axes.get_xlabel() == "epoch"
        assert axes.get_ylabel()
        assert axes.get_title()
    assert "%" in accuracy.get_ylabel()
    above, below = figures[0].legends
    assert [text.get_text() for text in above.get_texts()] == list(specs)
    assert [text.get_text() for text in below.get_texts()] == ["test images", "training images"]
    assert len(accuracy.lines) == len(loss.lines) == 2 * len(specs)
    assert len(flips.lines) == len(agreement.lines) == 3
    line = accuracy.lines[3]  # after two of bop and that of training
    np.testing.assert_allclose(line.get_ydata(), 100 * np.array(result["fast"]["test_accuracy"]))
    colours = {line.get_color() for line in accuracy.lines}
    assert colours == set(COLOURS[:3])


def test_a_single_run_has_no_agreement(tmp_path, figures):
    fit(tmp_path / "run", validation=20)
    assert (tmp_path / "run/curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(figures[0].axes) == 3
    assert figures[0].legends[1].get_texts()[0].get_text() == "validation images"


def test_the_same_rows_give_the_same_figure(tmp_path):
    histories = {"a": fit()}
    draw_curves(tmp_path / "one.png", histories)
    draw_curves(tmp_path / "two.png", histories)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_run_without_flips_or_with_one_epoch(tmp_path):
    row = fit(epochs=1).rows[0] | {"flips": 0, "flip_ratio": 0.0}
    for rows in ([row], []):  # no row: its metrics.csv was lost
        draw_curves(tmp_path / f"{len(rows)}.png", {"a": History("a", rows)})
        assert (tmp_path / f"{len(rows)}.png").exists()


def test_titles_are_no_formulas(tmp_path, figures):
    draw_curves(tmp_path / "a.png", {"a": fit(epochs=1)}, r"a $\foo$ b")
    figure = confusion_figure(np.eye(2, dtype=int), ["$x^", "\udcff"], r"a $\foo$ b")
    save(figure, tmp_path / "b.png")
    assert figures[0].get_suptitle() == figures[1].axes[0].get_title() == r"a $\foo$ b"


def test_pyplot_is_left_alone(tmp_path, run_python):
    program = (
        "import sys\nfrom small_runs import fit\n"
        f"fit({str(tmp_path / 'run')!r}, epochs=1)\nprint('matplotlib.pyplot' in sys.modules)"
    )
    assert run_python(program)[1] == "False\n"

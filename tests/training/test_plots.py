"""The figures: written whole, with labelled axes, one line per optimizer and measure."""

import numpy as np
import pytest
from matplotlib import image
from small_runs import BOP, compare, fit

from minibnn.training import History
from minibnn.training.plots import draw_curves
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
    compare(tmp_path / "run", specs=specs)
    drawn = image.imread(tmp_path / "run/compare.png")
    assert drawn.shape[0] > 700
    assert len(np.unique(drawn[::9, ::9].reshape(-1, drawn.shape[-1]), axis=0)) > 20
    accuracy, *_, agreement = figures[0].axes
    titles = [axes.get_title() for axes in figures[0].axes]
    assert titles == ["Accuracy", "Loss", "Flips", "Agreement"]
    assert {axes.get_xlabel() for axes in figures[0].axes} == {"epoch"}
    assert all(axes.get_ylabel() for axes in figures[0].axes)
    above, below = figures[0].legends
    assert [text.get_text() for text in above.get_texts()] == list(specs)
    assert [text.get_text() for text in below.get_texts()] == ["test images", "training images"]
    assert (len(accuracy.lines), len(agreement.lines)) == (2 * 3, 3)


def test_a_single_run_has_no_agreement(tmp_path, figures):
    history = fit(tmp_path / "run", validation=20)
    draw_curves(tmp_path / "both.png", {"a": history, "b": fit(epochs=1)})
    assert figures[1].legends[1].get_texts()[0].get_text() == "test or validation images"
    assert all(len(line.get_ydata()) for line in figures[1].axes[0].lines)
    assert (tmp_path / "run/curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(figures[0].axes) == 3
    assert figures[0].legends[1].get_texts()[0].get_text() == "validation images"
    measured = figures[0].axes[0].lines[1].get_ydata()
    np.testing.assert_allclose(measured, 100 * np.array(history["validation_accuracy"]))


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

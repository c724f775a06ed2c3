"""Figures of runs over each other: which lines they hold, with which numbers, and their words."""

import json
import shutil

import numpy as np
import pytest
from matplotlib import image
from small_runs import LATENT, compare, fit

import minibnn as bnn
from minibnn.training import History
from minibnn.training.plots import COLOURS, Record, draw_runs, find_runs, runs
from minibnn.training.plots.style import style
from minibnn.training.telemetry import EDGES, pi_t


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function that draws records without writing the file; returns the figure."""
    figures = []
    monkeypatch.setattr(runs, "save", lambda figure, path, dpi: figures.append(figure))

    def draw(records, **more):
        draw_runs(tmp_path / "a.png", records, **more)
        return figures[-1]

    return draw


def record(label, layers=2, epochs=4, symbol="|m|", threshold=1e-6, seed=0, telemetry=True):
    """A run that never took place."""
    random = np.random.default_rng(seed)
    rows = [
        {"epoch": e + 1, "name": label, "seconds": 1.0, "flips": 5, "flip_ratio": 0.1}
        | {f"{part}_{what}": random.random() for part in ("train", "test") for what in WHATS}
        for e in range(epochs)
    ]
    weights = 1000 * np.arange(1, layers + 1)
    flips = random.integers(0, 1000, (epochs, layers))
    thresholds = np.full((epochs, layers), np.nan if threshold is None else threshold)
    histogram = np.array([[_counts(random, n) for n in weights] for _ in range(epochs)])
    arrays = {
        "layers": np.array([f"conv{k + 1}/kernel" for k in range(layers)]),
        "weights": weights,
        "symbol": np.array(symbol),
        "edges": EDGES,
        "epoch": np.arange(1, epochs + 1),
        "steps": np.full(epochs, 10),
        "flips": flips,
        "pi": pi_t(flips, weights, 10),
        "never_flipped": np.sort(random.random((epochs, layers)), axis=0)[::-1],
        "threshold": thresholds,
        "histogram": histogram,
    }
    return Record(label, None, History(label, rows), arrays if telemetry else None)


WHATS = ("loss", "accuracy")


def _counts(random, n):
    return np.histogram(10.0 ** random.normal(size=n), EDGES)[0]


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_one_run(drawn):
    one = record("bop", layers=3)
    figure = drawn([one], title="A title")
    accuracy, loss, overall, *small = figure.axes
    assert figure.get_suptitle() == "A title"
    titles = [axes.get_title() for axes in (accuracy, loss, overall)]
    assert titles == ["Accuracy", "Loss", "Flips"]
    np.testing.assert_array_equal(overall.lines[0].get_ydata(), [10] * 4)
    assert accuracy.lines[0].get_linestyle() == ":"
    for line, part in zip(accuracy.lines, ("train", "test"), strict=True):
        accuracies = 100 * np.array(one.history[f"{part}_accuracy"])
        np.testing.assert_array_equal(line.get_ydata(), accuracies)
    assert len(small) == 3 * 3
    assert r"\pi_t = \ln(\mathrm{flips/weights} + e^{-9})" in small[0].get_ylabel()
    for layer in range(3):
        flips, kept, histogram = small[layer::3]
        assert flips.get_title() == f"conv{layer + 1}\n{layer + 1},000 weights"
        np.testing.assert_array_equal(flips.lines[0].get_ydata(), one.telemetry["pi"][:, layer])
        never = 100 * one.telemetry["never_flipped"][:, layer]
        np.testing.assert_array_equal(kept.lines[0].get_ydata(), never)
        assert histogram.get_xlabel() == "|m| / threshold"
        assert histogram.get_xscale() == "log"
        assert histogram.lines[0].get_xdata()[0] == 1  # where the threshold lies
        (stairs,) = histogram.patches  # of the last epoch
        values, edges, _ = stairs.get_data()
        at = list(EDGES).index(edges[0]) + 1
        counts = one.telemetry["histogram"][-1, layer, at : at + len(values) - 2]
        np.testing.assert_allclose(values[1:-1], 100 * counts / (layer + 1) / 1000)
        np.testing.assert_allclose(values.sum(), 100)
    above, below = figure.legends
    assert texts(above) == ["bop"]
    assert texts(below) == ["test images", "training images", "threshold"]


def test_runs_of_different_kinds_have_a_row_each(drawn):
    records = [
        record("bop"),
        record("adam", symbol="|latent|", threshold=None, epochs=2, seed=1),
        record("zero", threshold=0.0, seed=2),
        record("old", telemetry=False, seed=3),
        record("foreign", symbol="", threshold=None, seed=4),
    ]
    figure = drawn(records)
    rows = [axes.get_xlabel() for axes in figure.axes[3:][::2]]
    assert rows == ["epoch", "epoch", "|m| / threshold", "|latent|", "|m|"]
    accuracy, _, _, flips, *_ = figure.axes
    assert len(accuracy.lines) == 2 * 5
    assert [line.get_color() for line in accuracy.lines[1::2]] == list(COLOURS[:5])
    drawn_colours = [line.get_color() for line in flips.lines]
    assert drawn_colours == [COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[4]]  # "old" has none
    histograms = figure.axes[7:]
    assert [len(axes.patches) for axes in histograms] == [1] * 6
    for axes, record_, row in zip(histograms[::2], records, (-1, -1, -1), strict=False):
        values, edges, _ = axes.patches[0].get_data()
        at = list(EDGES).index(edges[0]) + 1
        counts = record_.telemetry["histogram"][row, 0, at : at + len(values) - 2]
        np.testing.assert_allclose(values[1:-1], counts / 10)
    assert texts(figure.legends[0]) == ["bop", "adam", "zero", "old", "foreign"]


def test_the_outermost_bins_hold_what_lies_beyond(drawn):
    one = record("bop")
    one.telemetry["histogram"][-1, 0] *= 9
    one.telemetry["histogram"][-1, 0, 0] = 1000  # a tenth has m = 0
    values, edges, _ = drawn([one]).axes[7].patches[-1].get_data()
    assert edges[0] > EDGES[1]
    assert 10 <= values[0] < 11
    np.testing.assert_allclose(values.sum(), 100)


def test_without_telemetry_there_are_three_panels(drawn):
    figure = drawn([record("old", telemetry=False)])
    assert [axes.get_title() for axes in figure.axes] == ["Accuracy", "Loss", "Flips"]


def test_of_many_layers_ten_are_chosen(drawn):
    figure = drawn([record("deep", layers=21), record("flat", layers=2)])
    titles = [axes.get_title().split("\n")[0] for axes in figure.axes[3:13]]
    assert titles[0] == "conv1"
    assert titles[-1] == "conv21"
    assert len(set(titles)) == 10
    assert "10 of 21 layers" in figure.get_suptitle()


def test_no_two_lines_of_21_look_alike():
    assert len({tuple(style(k).values()) for k in range(21)}) == 21
    assert len({style(k)["color"] + style(k)["linestyle"] for k in range(21)}) == 21


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_runs_give_the_same_file(tmp_path, suffix):
    records = [record("bop", layers=1, epochs=1, telemetry=suffix == "png")]
    for name in ("one", "two"):
        draw_runs(tmp_path / f"{name}.{suffix}", records)
    one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
    if suffix == "png":
        drawn = image.imread(tmp_path / "one.png")
        assert drawn.shape[1] > 1000
        assert len(np.unique(drawn[::9, ::9].reshape(-1, drawn.shape[-1]), axis=0)) > 20


def test_real_runs_are_found_and_drawn(tmp_path, drawn):
    compare(tmp_path / "both", epochs=2)
    fit(tmp_path / "more/one", spec=LATENT, epochs=1)
    (tmp_path / "more/notes").mkdir()
    records = find_runs([tmp_path / "both", tmp_path / "more", tmp_path / "both/bop"])
    assert [r.label for r in records] == ["bop", "latent-sgd", "one"]
    assert [len(r.history) for r in records] == [2, 2, 1]
    shutil.copytree(tmp_path / "more/one", tmp_path / "more/bop")
    (tmp_path / "more/config.json").write_text("[]")  # another program's
    assert len(find_runs([tmp_path / "more/one", tmp_path / "more/bop"])) == 2
    (tmp_path / "more/config.json").unlink()
    records = find_runs([tmp_path / "both", tmp_path / "more"])  # names as long as it takes
    assert [r.label for r in records] == ["both/bop", "both/latent-sgd", "more/bop", "more/one"]
    figure = drawn(records)
    assert len(figure.axes[0].lines) == 8
    (agreement,) = figure.axes[3].lines
    assert agreement.get_label() == "both/bop and both/latent-sgd"
    shares = 100 * np.array(records[0].history["agreement:both/latent-sgd"])
    np.testing.assert_array_equal(agreement.get_ydata(), shares)
    assert not list(tmp_path.glob("*.png"))


def test_folders_that_cannot_be_drawn(tmp_path, a_run):
    def refuses(message, path):
        with pytest.raises(bnn.InputError, match=message) as error:
            find_runs([tmp_path / path])
        assert "\n" not in str(error.value)

    refuses("nothing does not exist", "nothing")
    (tmp_path / "file").touch()
    refuses("file is a file, not a run folder", "file")
    (tmp_path / "empty").mkdir()
    refuses("empty is no run folder: it has no config.json, nor have", "empty")
    metrics, telemetry = (a_run / n for n in ("metrics.csv", "telemetry.npz"))
    whole = metrics.read_text()
    metrics.write_text(whole.replace("1,bop,", "1,bop,x"))
    refuses(r"metrics.csv, line 2: not a row", "run")
    metrics.write_text(whole.splitlines()[0] + "\n")
    refuses("run has no finished epoch to draw yet", "run")
    metrics.write_text(whole)
    telemetry.write_bytes(telemetry.read_bytes()[:-100])
    refuses(r"telemetry\.npz is cut off or damaged", "run")
    telemetry.unlink()
    assert find_runs([a_run])[0].telemetry is None
    (a_run / "config.json").write_text(json.dumps({"optimizers": {"bop": {}}}))
    refuses("bop has no finished epoch", "run")


def test_a_name_may_be_no_text(tmp_path, drawn, finished_run):
    shutil.copytree(finished_run, tmp_path / "a\udcff")
    figure = drawn(find_runs([tmp_path / "a\udcff"]), title="b\udcff")
    figure.draw_without_rendering()
    assert (texts(figure.legends[0]), figure.get_suptitle()) == ([r"a\udcff"], r"b\udcff")


def test_titles_and_names_in_a_file_are_no_formulas(drawn):
    one = record("$x^", epochs=1, symbol=r"$\foo$")
    one.telemetry["layers"] = np.array([r"$\foo$/kernel", "b"])
    figure = drawn([one], title=r"a $\foo$ b")
    figure.draw_without_rendering()  # a formula that is none would fail here
    assert texts(figure.legends[0]) == [r"\$x^"]
    assert figure.get_suptitle() == r"a $\foo$ b"
    assert figure.axes[3].get_title() == "$\\foo$\n1,000 weights"


def test_a_frozen_first_layer_has_no_threshold():
    frozen = record("bop")
    frozen.telemetry["threshold"][:, 0] = np.nan
    assert runs.histogram_kind(frozen) == "|m| / threshold"

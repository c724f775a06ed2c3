"""Figures of a sweep: what is laid over what, and values where they belong."""

import csv
import struct

import numpy as np
import pytest

from minibnn.training.sweep import plots

ROW = {"status": "done", "measured_on": "test"}
NOTHING = {"grid": {}, "scan": {}, "random": None}


def rows_of(points, seeds=(0,)):
    """A row per point and seed; the best accuracy tells which."""
    rows = []
    for seed in seeds:
        for i, point in enumerate(points):
            best = (i + 1) / 20 + seed / 50
            row = {"cell": f"c{i}-{seed}", **point, "seed": seed, **ROW, "best_accuracy": best}
            rows.append(row)
    return rows


def groups_of(points):
    return plots.over_seeds(rows_of(points))


GRID = [{"gamma": g, "threshold": t} for g in (0.01, 0.001) for t in (0, 1e-06)]
SCAN = [
    {"gamma": g, "threshold": t}
    for g, t in ((1, 1e-6), (0.1, 1e-6), (0.01, 1e-6), (0.1, 1e-5), (0.1, 0))
]


def test_panels_of_a_grid():
    grid = {"gamma": [0.01, 0.001], "threshold": [0, 1e-06]}
    assert plots.panels(groups_of(GRID), NOTHING | {"grid": grid}) == {
        "threshold = 0": {"gamma = 0.01": 0, "gamma = 0.001": 2},
        "threshold = 1e-06": {"gamma = 0.01": 1, "gamma = 0.001": 3},
    }


def test_panels_of_a_scan_are_those_of_figure_1():
    scan = {"gamma": [1, 0.1, 0.01], "threshold": [0, 1e-6, 1e-5]}
    found = plots.panels(groups_of(SCAN), NOTHING | {"scan": scan})
    assert found == {
        "threshold = 1e-06": {"gamma = 0.01": 2, "gamma = 0.1": 1, "gamma = 1": 0},
        "gamma = 0.1": {"threshold = 0": 4, "threshold = 1e-06": 1, "threshold = 1e-05": 3},
    }
    assert list(found["gamma = 0.1"]) == ["threshold = 0", "threshold = 1e-06", "threshold = 1e-05"]


def test_what_a_line_of_a_scan_leaves_out_comes_last():
    points = [{"filters": 8, "gamma": None}, {"filters": None, "gamma": 0.1}]
    assert plots.heat_map(groups_of(points), ["filters", "gamma"])
    found = plots.panels(groups_of(points), NOTHING | {"scan": {"filters": [8], "gamma": [0.1]}})
    assert sum(map(len, found.values())) == 2


def test_a_cell_with_no_neighbour_is_shown_all_the_same():
    found = plots.panels(groups_of(SCAN[2:4]), NOTHING | {"scan": {"gamma": [], "threshold": []}})
    assert found == {
        "": {"gamma = 0.01, threshold = 1e-06": 0, "gamma = 0.1, threshold = 1e-05": 1}
    }


def test_the_best_of_many_draws():
    points = [{"gamma": i} for i in range(15)]
    ((title, lines),) = plots.panels(groups_of(points), NOTHING | {"random": 15}).items()
    assert title == "the best 12 of 15"
    assert list(lines.values()) == list(range(14, 2, -1))


def test_the_heat_map_has_each_mean_in_its_place():
    points = [*GRID[:3], {"gamma": 0.1, "threshold": 0}]
    groups = plots.over_seeds(rows_of(points, seeds=(0, 1)))
    figure = plots.heat_map(groups, ["gamma", "threshold"])
    axes, bar = figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0", "1e-06"]
    expected = 100 * np.array([[3 / 20, 1 / 20, 4 / 20], [np.nan, 2 / 20, np.nan]]) + 1
    shown = axes.images[0].get_array().filled(np.nan)
    np.testing.assert_allclose(shown, expected)
    texts = {t.get_position(): t.get_text() for t in axes.texts}
    assert texts[(1, 0)] == "6.00\n± 1.41"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("gamma", "threshold")
    assert bar.get_ylabel() == "best test accuracy (%), mean of 2 seeds"


def test_random_cells_have_no_heat_map():
    groups = groups_of(GRID)
    assert plots.heat_map_keys(groups, NOTHING) == ["gamma", "threshold"]
    assert plots.heat_map_keys(groups, NOTHING | {"random": 4}) == []


def test_other_keys_make_panels():
    points = [point | {"rule": rule} for rule in ("strict", "larq") for point in GRID]
    figure = plots.heat_map(groups_of(points), ["gamma", "threshold", "rule"])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["rule = strict", "rule = larq"]


@pytest.fixture
def histories(tmp_path):
    """metrics.csv of every row's cell: accuracy falls, pi_t is the epoch."""

    def write(rows):
        for row in rows:
            (tmp_path / row["cell"]).mkdir()
            with open(tmp_path / row["cell"] / "metrics.csv", "w", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                held_out = row["measured_on"] == "validation"
                writer.writerow(
                    [
                        *"epoch,name,train_loss,train_accuracy,test_loss,test_accuracy".split(","),
                        *"flips,flip_ratio,seconds,pi:conv1/kernel,pi:dense9/kernel".split(","),
                        *(["validation_loss", "validation_accuracy"] if held_out else []),
                    ]
                )
                for epoch in range(1, 4):
                    measured = 1, row["best_accuracy"] / epoch
                    test = ("", "") if held_out and epoch < 3 else measured
                    line = [epoch, "bop", 1, 0.5, *test, 7, 0.1, 1, 99, -epoch]
                    writer.writerow([*line, *measured] if held_out else line)
        return rows

    return write


def test_curves_show_means_and_the_last_layer(tmp_path, histories):
    rows = histories(rows_of(GRID, seeds=(0, 1)))
    groups = plots.over_seeds(rows)
    shown = plots.panels(groups, NOTHING)
    figure = plots.curves(tmp_path, groups, shown)
    top = figure.axes[0]
    assert [line.get_label() for line in top.lines] == ["gamma = 0.01", "gamma = 0.001"]
    np.testing.assert_array_equal(top.lines[0].get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(top.lines[0].get_ydata(), [6, 3, 2])  # of 5 and 7 %
    assert top.get_legend().get_title().get_text() == "shade: range of the seeds"
    np.testing.assert_array_equal(figure.axes[2].lines[0].get_ydata(), [-1, -2, -3])
    assert len({line.get_color() for line in top.lines}) == 2


@pytest.mark.parametrize("order", [1, -1])
def test_each_line_is_of_the_images_its_cells_watched(tmp_path, histories, order):
    rows = rows_of([{"validation": 0}, {"validation": 50}])
    rows[1]["measured_on"] = "validation"
    groups = plots.over_seeds(histories(rows)[::order])
    description = NOTHING | {"grid": {"validation": [0, 50]}}
    figure = plots.curves(tmp_path, groups, plots.panels(groups, description))
    top = figure.axes[0]
    assert [len(line.get_xdata()) for line in top.lines] == [3, 3]
    assert {line.get_ydata()[0] for line in top.lines} == {5, 10}
    assert top.get_ylabel() == "accuracy (%)"
    figure = plots.curves(tmp_path, groups[:1], {"": {"first": 0}})
    assert figure.axes[0].get_ylabel() == f"{groups[0][1][0]['measured_on']} accuracy (%)"


def test_values_are_no_formulas(tmp_path, histories):
    names = [rf"npz:$\foo{i}$.npz" for i in range(2)]
    points = [{"dataset": name, "model": other} for name in names for other in names]
    description = NOTHING | {"grid": {"dataset": names, "model": names}}
    plots.draw_sweep(tmp_path, description, histories(rows_of(points)))
    assert len(list(tmp_path.glob("*.png"))) == 2
    others = [{"gamma": g, "augment": a, "dataset": n} for g in (1,) for a in "12" for n in names]
    groups = groups_of([point | {"gamma": g} for point in others for g in (1, 0.1)])
    plots.heat_map(groups, ["gamma", "augment", "dataset"]).draw_without_rendering()


def test_files(tmp_path, histories):
    description = NOTHING | {"grid": {"gamma": [0.01], "threshold": [0]}}
    waiting = rows_of(GRID)[0] | {"status": "waiting", "best_accuracy": None}
    plots.draw_sweep(tmp_path, description, [waiting])
    assert not list(tmp_path.glob("*.png"))
    rows = histories(rows_of(GRID))
    plots.draw_sweep(tmp_path, description, rows[:1])
    assert [p.name for p in tmp_path.glob("*.png")] == ["curves.png"]
    plots.draw_sweep(tmp_path, description, rows)
    for name in ("curves.png", "heatmap.png"):
        data = (tmp_path / name).read_bytes()
        assert data[:4] == b"\x89PNG"
        width, height = struct.unpack(">II", data[16:24])
        assert 400 < height < width < 2000

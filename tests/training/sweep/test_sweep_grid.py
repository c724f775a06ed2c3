"""What a sweep varies, and which settings it tries: products, scans and draws."""

import math

import numpy as np
import pytest

from minibnn import InputError
from minibnn.cli.train import train
from minibnn.training.sweep.grid import (
    OPTIONS,
    cell_options,
    points,
    read_texts,
    text_of,
    unvaried,
    value_of,
)

GRID = {"gamma": [1e-2, "1e-3"], "threshold": [0, 1e-6]}


def settings(found):
    return [tuple(point.values()) for point in found]


def test_texts():
    specs = "bop:gamma=1,threshold=0,cema,latent-sgd,lr=1,momentum=0.9"
    assert read_texts(["gamma=1e-2,1e-3", "batch_size=50", f"optimizer={specs}"]) == {
        "gamma": ["1e-2", "1e-3"],
        "batch-size": ["50"],
        "optimizer": ["bop:gamma=1,threshold=0", "cema", "latent-sgd:lr=1,momentum=0.9"],
    }


def test_a_grid_is_every_combination(small):
    found, grid, scan = points(GRID, {}, small)
    assert settings(found) == [
        (0.01, 0), (0.01, 1e-06), (0.001, 0), (0.001, 1e-06),
    ]  # fmt: skip
    assert grid == {"gamma": [0.01, 0.001], "threshold": [0, 1e-06]}
    assert scan == {}


def test_a_scan_is_section_5_1(small):
    """Around gamma 1e-3 and threshold 1e-6, the middle only once: five cells, not nine."""
    scan = {"gamma": ["1e-2", "1e-3", "1e-4"], "threshold": ["0", "1e-6", "1e-5"]}
    small["optimizer"] = "bop:gamma=1e-3,threshold=1e-6"
    found, _, _ = points({}, scan, small)
    assert settings(found) == [
        (0.01, 1e-06), (0.001, 1e-06), (0.0001, 1e-06), (0.001, 0), (0.001, 1e-05),
    ]  # fmt: skip


def test_a_scan_around_every_point_of_a_grid(small):
    found, _, _ = points({"batch-size": [50, 100]}, {"gamma": [1, 0.5], "real.lr": [0.1]}, small)
    assert settings(found) == [
        (b, g, lr) for b in (50, 100) for g, lr in ((1, 0.01), (0.5, 0.01), (0.01, 0.1))
    ]


def test_an_option_nobody_set_stays_unset(small):
    found, _, _ = points({}, {"validation": [10], "width": [0.5]}, small)
    assert found == [{"validation": 10}, {"width": 0.5}]


def test_draws_are_different_cells_of_the_grid_and_repeatable(small):
    grid = {"gamma": [1e-1, 1e-2, 1e-3], "threshold": [0, 1e-6], "batch-size": [50, 100]}
    every = [tuple(p.items()) for p in points(grid, {}, small)[0]]
    drawn = [tuple(p.items()) for p in points(grid, {}, small, 7, seed=3)[0]]
    assert len(set(drawn)) == 7
    assert set(drawn) < set(every)
    assert drawn == [tuple(p.items()) for p in points(grid, {}, small, 7, seed=3)[0]]
    assert drawn != [tuple(p.items()) for p in points(grid, {}, small, 7, seed=4)[0]]
    assert set(every) == {tuple(p.items()) for p in points(grid, {}, small, 12)[0]}


def test_draws_from_ranges(small):
    grid = {"gamma": "log:1e-5:1e-1", "batch-size": ["uniform:10:20"], "rule": ["strict", "larq"]}
    found, texts, _ = points(grid, {}, small, 200, seed=0)
    gammas = [point["gamma"] for point in found]
    assert all(1e-5 <= g <= 1e-1 for g in gammas)
    assert 70 < sum(g < 1e-3 for g in gammas) < 130  # half of them: even in the logarithm
    assert {point["batch-size"] for point in found} <= set(range(10, 21))
    assert {point["rule"] for point in found} == {"strict", "larq"}
    assert len({tuple(p.items()) for p in found}) == 200
    assert texts["gamma"] == ["log:1e-5:1e-1"]
    even = [p["gamma"] for p in points({"gamma": "uniform:0.1:1"}, {}, small, 200)[0]]
    assert math.isclose(sum(even) / 200, 0.55, abs_tol=0.06)


@pytest.mark.parametrize(
    ("grid", "scan", "count", "message"),
    [
        ({}, {"gamma": ["log:1e-3:1"]}, None, "is a range .*--random"),
        ({"gamma": ["uniform:1:0.5"]}, {}, 3, "a range is "),
        ({"gamma": ["log:1e-3"]}, {}, 3, "a range is "),
        ({"gamma": ["log:1e-3:2"]}, {}, 3, r"gamma must be a number in \(0, 1\]"),
        ({"width": ["wide"]}, {}, None, "width must be a number .*found 'wide'"),
        ({"batch-size": ["uniform:1:3"]}, {}, 9, "hardly 9 different cells"),
        ({"optimizer": ["bop", "cema"], "threshold": [0]}, {}, None, "threshold is no key.*cema"),
        ({"real.gamma": [1]}, {}, None, "real.gamma is no key of a sweep; .*real.lr"),
    ],
)
def test_what_makes_no_sense_is_refused(small, grid, scan, count, message):
    with pytest.raises(InputError, match=message):
        for settings in points(grid, scan, small, count)[0]:
            cell_options(settings, small)


# -- keys and values -------------------------------------------------------------------------------


def test_keys_are_options_of_train():
    """A key that train does not take would fail in every cell."""
    options = {p.name.replace("_", "-"): p for p in train.params}
    assert set(OPTIONS) <= options.keys()
    for name in OPTIONS:
        assert f"--{name}" in options[name].opts


@pytest.mark.parametrize(
    ("given", "value", "text"),
    [
        (1e-3, 0.001, "0.001"), ("1e-3", 0.001, "0.001"), ("0.0010", 0.001, "0.001"),
        (0.0, 0, "0"), ("-0", 0, "0"), ("50", 50, "50"), (50.0, 50, "50"), (1 / 3, 1 / 3, None),
        (True, True, "yes"), ("No", False, "no"), (None, "none", "none"), (" bop ", "bop", "bop"),
        ("cosine:1e-2:0", "cosine:1e-2:0", "cosine:1e-2:0"), ("inf", "inf", "inf"),
        (np.float32(0.1), 0.1, "0.1"), (np.int64(3), 3, "3"), (2.5e-17, 2.5e-17, "2.5e-17"),
        (123456789.0, 123456789, "123456789"), (0.1 + 0.2, 0.1 + 0.2, None),
    ],
)  # fmt: skip
def test_a_value_is_read_once_and_written_exactly(given, value, text):
    found = value_of(given)
    assert (found, type(found)) == (value, type(value))
    assert text_of(found) == (repr(value) if text is None else text)
    assert value_of(text_of(found)) == found


def test_settings_reach_the_options(small):
    before, plain = dict(small), {"batch-size": 7, "cutout": True, "width": 0.5}
    settings = {"gamma": "step:1e-3:0.1:50%", "real.lr": 0.1, **plain}
    specs = {
        "optimizer": "bop:gamma=step:1e-3:0.1:50%,threshold=1e-6",
        "real-optimizer": "adam:lr=0.1",
    }
    assert cell_options(settings, small) == before | plain | specs
    assert small == before


def test_a_setting_goes_to_the_optimizer_of_its_own_cell(small):
    options = cell_options({"lr": 3, "optimizer": "latent-sgd:momentum=0.9"}, small)
    assert options["optimizer"] == "latent-sgd:momentum=0.9,lr=3"


def test_what_a_key_is_where_it_is_not_varied(small):
    assert unvaried("gamma", small) == 0.01
    assert unvaried("rule", small) == "strict"
    assert unvaried("real.beta_1", small) == 0.9
    assert unvaried("epochs", small) == 2
    assert unvaried("width", small) is None
    with pytest.raises(InputError, match="gamma is no key of a sweep; of latent-sgd: lr, "):
        unvaried("gamma", small | {"optimizer": "latent-sgd"})

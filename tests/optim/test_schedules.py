"""Schedules against hand-computed numbers, and their text."""

import math

import numpy as np
import pytest

from minibnn.errors import InputError
from minibnn.optim import CosineDecay, ExponentialDecay, PolynomialDecay, linear
from minibnn.optim.schedules import parse


def test_staircase_steps_down_at_the_start_of_each_span():
    decay = ExponentialDecay(1e-4, 0.1, 100, staircase=True)
    assert [decay(step) for step in (0, 99)] == [1e-4, 1e-4]
    assert [decay(step) for step in (100, 199, 200)] == pytest.approx([1e-5, 1e-5, 1e-6], rel=1e-15)


def test_smooth_exponential():
    decay = ExponentialDecay(8.0, 0.25, 4)
    assert [decay(step) for step in (0, 2, 4, 8)] == [8, 4, 2, 0.5]


def test_linear_ends_where_it_should_and_stays():
    decay = linear(1.0, 0.0, 4)
    assert [decay(step) for step in range(6)] == [1, 0.75, 0.5, 0.25, 0, 0]
    assert linear(2.0, 6.0, 4)(1) == 3  # it may rise


def test_polynomial():
    decay = PolynomialDecay(5.0, 1.0, 4, power=2.0)
    assert [decay(step) for step in range(5)] == [5, 3.25, 2, 1.25, 1]


def test_cosine():
    decay = CosineDecay(3.0, 1.0, 4)
    assert [decay(step) for step in (0, 2, 4, 9)] == pytest.approx([3, 2, 1, 1], rel=1e-15)
    assert decay(1) == pytest.approx(2 + math.sqrt(0.5), rel=1e-15)


def test_binding_turns_epochs_into_steps():
    decay = ExponentialDecay(1.0, 0.5, "2ep", staircase=True)
    assert [decay.bind(10, 100)(step) for step in (19, 20)] == [1, 0.5]
    assert linear(1.0).bind(10, 100)(50) == 0.5  # the whole run
    assert linear(1.0, 0.0, "0.5ep").bind(10, 100)(5) == 0
    assert CosineDecay(1.0, 0.0, 40).bind(10, 100)(40) == 0  # steps stay steps
    assert linear(1.0, 0.0, "0.01ep").bind(10, 100).steps == 1  # at least one
    for unbound in (decay, linear(1.0), CosineDecay(1.0)):
        with pytest.raises(InputError, match="call bind"):
            unbound(0)
    assert decay.steps == "2ep"  # bind leaves the original


def test_a_share_of_the_run_keeps_the_form_of_a_schedule():
    decay = parse("step:1e-4:0.1:20%")
    published = parse("step:1e-4:0.1:100ep")
    # 500 epochs of 1000 steps: exactly the published one, step by step around each edge
    for step in (0, 99_999, 100_000, 199_999, 200_000, 499_999):
        assert decay.bind(1000, 500_000)(step) == published.bind(1000, 500_000)(step)
    short = decay.bind(1000, 30_000)  # 30 epochs: a step down every 6
    assert [short(step) for step in (5999, 6000)] == [1e-4, 1e-4 * 0.1]
    assert parse("cosine:1:0:50%").bind(10, 80)(40) == 0
    assert parse("linear:1:0:0.1%").bind(10, 100).steps == 1  # at least one
    with pytest.raises(InputError, match="call bind"):
        decay(0)


@pytest.mark.parametrize(
    "text, whole",
    [("step:1:0.1:20%", True), ("step:1:0.1:100ep", False), ("linear:1:0", True),
     ("linear:1:0:5", False), ("exp:1:0.5:100%", True), ("poly:1:0:2:1ep", False)],
)  # fmt: skip
def test_which_schedules_follow_the_length_of_the_run(text, whole):
    assert parse(text).over_whole_run is whole


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1e-3", 1e-3),
        ("step:1e-4:0.1:100ep", ExponentialDecay(1e-4, 0.1, "100ep", staircase=True)),
        ("step:1e-4:0.1:100000", ExponentialDecay(1e-4, 0.1, 100000, staircase=True)),
        ("step:1e-4:0.1:20%", ExponentialDecay(1e-4, 0.1, "20%", staircase=True)),
        ("linear:1e-4:1e-6:12.5%", PolynomialDecay(1e-4, 1e-6, "12.5%")),
        ("exp:1e-4:0.1:2.5ep", ExponentialDecay(1e-4, 0.1, "2.5ep")),
        ("linear:1e-4:1e-6", PolynomialDecay(1e-4, 1e-6)),
        ("linear:1e-4:1e-6:50ep", PolynomialDecay(1e-4, 1e-6, "50ep")),
        ("cosine:1e-3:0", CosineDecay(1e-3, 0.0)),
        ("cosine:1e-3:0:500", CosineDecay(1e-3, 0.0, 500)),
        ("poly:1e-3:0:2:50ep", PolynomialDecay(1e-3, 0.0, "50ep", 2.0)),
        ("poly:1e-3:0:2", PolynomialDecay(1e-3, 0.0, None, 2.0)),
    ],
)
def test_text_and_back(text, expected):
    assert parse(text) == expected
    assert parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "fast", "step", "step:1", "step:1:0.1", "step:1:0.1:ep", "step:1:0.1:5x", "linear:1",
     "step:1:0.1:%", "step:1:0.1:0%", "step:1:0.1:101%", "linear:1:0:-5%",
     "linear:1:2:3:4", "cosine:a:b", "poly:1:2", "const:1", "step:1:0.1:1.5",
     "step:1:0.1:1e308ep"],
)  # fmt: skip
def test_text_that_says_nothing_valid(text):
    with pytest.raises(InputError, match=r"expected a number, step:VALUE:FACTOR:SPAN|a span is"):
        parse(text)


@pytest.mark.parametrize("steps", [np.int64(4), 4.0, np.float32(4)])
def test_a_span_may_be_any_kind_of_number(steps):
    schedule = linear(1.0, 0.0, steps).bind(10, 100)
    assert schedule(1) == 0.75
    assert str(schedule) == "linear:1.0:0.0:4"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ExponentialDecay(1.0, 0.0, 5), r"factor must be in \(0, 1\], found 0"),
        (lambda: ExponentialDecay(1.0, 0.5, "-1ep"), "found '-1ep'"),
        (lambda: linear(1.0, 0.0, 2.5), "found 2.5"),
        (lambda: linear(1.0, 0.0, "10"), "found '10'"),
    ],
)
def test_schedules_that_make_no_sense(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_numbers_of_numpy_are_written_as_numbers():
    schedule = linear(np.float64(0.5), np.float32(0.25), 4)
    assert str(schedule) == "linear:0.5:0.25:4"
    assert parse(str(schedule)) == schedule

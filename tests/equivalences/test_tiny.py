"""Tiny networks: the enumeration against a slower one, and the optimum against search."""

import numpy as np
import pytest

from minibnn.equivalences.tiny import (
    OPTIMIZERS,
    classes,
    gaps,
    inputs,
    least_errors,
    outputs,
    tasks,
    trained_errors,
)


def test_classes_are_counted():
    """C(2^n + h - 1, h) of 2^(h (n + 1))."""
    assert classes(3, 1) == (8, 16)
    assert classes(3, 3) == (120, 4096)


def test_outputs_by_hand():
    w, v = np.int8([[1, 1, 1], [1, -1, -1], [-1, 1, 1]]), np.int8([1, -1, 1])
    x = np.int8([[1, 1, 1], [1, -1, 1], [-1, -1, -1]])
    # hidden: + - +, + + -, - + -; with v: + + +, + - -, - - -
    np.testing.assert_array_equal(outputs(w, v, x), [1, -1, -1])


@pytest.mark.parametrize("seed", range(3))
def test_the_least_errors_are_those_of_all_networks(seed):
    """Every w and v of three inputs and three units, one by one."""
    random = np.random.default_rng(seed)
    x, labels = inputs(3)[random.permutation(8)[:6]], random.choice(np.int8([-1, 1]), 6)
    rows = inputs(3)
    every = (
        (outputs(rows[[i, j, k]], v, x) != labels).sum()
        for i in range(8)
        for j in range(8)
        for k in range(8)
        for v in inputs(3)
    )
    assert least_errors(x, labels, 3) == min(every)


def test_a_network_that_exists_is_found_to_make_no_errors():
    w, v = np.int8([[1, 1, -1, 1, 1], [1, -1, 1, 1, -1], [-1, -1, 1, 1, 1]]), np.int8([1, -1, 1])
    assert least_errors(inputs(5), outputs(w, v), 3) == 0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_helps_and_never_beats_the_optimum(name):
    for x, labels in tasks(3):
        best = least_errors(x, labels, 3)
        start, end = (
            trained_errors(OPTIMIZERS[name], x, labels, 3, seed=0, steps=n) for n in (1, 100)
        )
        assert best <= end < start


def test_gaps_are_those_of_the_runs():
    found, optima = gaps(count=1, seeds=2, steps=20)
    ((x, labels),) = tasks(1)
    errors = trained_errors(OPTIMIZERS["Bop"], x, labels, 3, seed=1, steps=20)
    assert found["Bop"][0, 1] == errors - optima[0]

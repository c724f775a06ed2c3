"""The examples in the docstrings of this wing print what they say."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from minibnn import optim

MODULES = [
    "minibnn.ops.hyperparameters",
    *(f"minibnn.optim.{module.name}" for module in pkgutil.iter_modules(optim.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_every_step_function_has_an_example():
    finder = doctest.DocTestFinder()
    steps = [getattr(optim, name) for name in optim.__all__ if name.endswith("_step")]
    assert len(steps) >= 10
    for step in steps:
        assert any(test.examples for test in finder.find(step, globs={})), step.__name__

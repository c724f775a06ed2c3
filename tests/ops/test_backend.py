"""Choosing a backend."""

import pytest

from minibnn.errors import InputError
from minibnn.ops import backend, reference


def test_reference_can_be_chosen(use_backend):
    use_backend("reference")
    assert backend.ops() is reference
    assert backend.backend_name() == "reference"


def test_the_environment_sets_the_start_value(monkeypatch, use_backend):
    monkeypatch.setattr(backend, "_active", None)
    monkeypatch.setenv("MINIBNN_BACKEND", "reference")
    assert backend.ops() is reference


def test_an_unknown_backend_names_the_known_ones(use_backend):
    use_backend("reference")
    with pytest.raises(InputError, match=r"must be one of reference, numba, found 'gpu'"):
        use_backend("gpu")
    assert backend.ops() is reference

"""Choosing a backend."""

import numba
import pytest

from minibnn.errors import InputError
from minibnn.ops import backend, reference


def test_the_environment_sets_the_start_value(monkeypatch, use_backend):
    monkeypatch.setattr(backend.ops, "__dict__", {})
    monkeypatch.setenv("MINIBNN_BACKEND", "gpu")
    with pytest.raises(InputError, match="MINIBNN_BACKEND must be one of reference"):
        backend.ops.dense  # noqa: B018
    monkeypatch.setenv("MINIBNN_BACKEND", "reference")
    assert backend.ops.dense is reference.dense
    with pytest.raises(AttributeError, match="there is no operation dens"):
        backend.ops.dens  # noqa: B018


def test_a_backend_is_chosen_and_an_unknown_one_changes_nothing(use_backend):
    use_backend("reference")
    with pytest.raises(InputError, match=r"must be one of reference, numba, found 'gpu'"):
        use_backend("gpu")
    assert backend.ops.dense is reference.dense
    assert backend.ops.backend == "reference"


def test_where_kernels_cannot_run_numpy_computes_unless_they_are_asked_for(monkeypatch):
    for forked, told in ((False, "NUMBA_DISABLE_JIT is set"), (True, r'get_context\("spawn"\)')):
        monkeypatch.setattr(backend.ops, "__dict__", {})
        monkeypatch.delenv("MINIBNN_BACKEND", raising=False)
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
        monkeypatch.setattr(backend, "_forked", forked)
        with pytest.warns(RuntimeWarning, match=f"^NumPy computes, slowly: .*{told}"):
            assert backend.ops.dense is reference.dense
        assert backend.describe() == {"backend": "reference", "simd": None}
        assert backend.ops.by_default
        with pytest.raises(InputError, match=f"^the backend numba cannot be used: .*{told}"):
            backend.use_backend("numba")
        monkeypatch.setattr(backend.ops, "__dict__", {})
        monkeypatch.setenv("MINIBNN_BACKEND", "numba")
        with pytest.raises(InputError, match=f"numba cannot be used: .*{told}"):
            backend.ops.dense  # noqa: B018

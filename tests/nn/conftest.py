"""Layers are tested on the reference backend: float64, and nothing to compile."""

import pytest


@pytest.fixture
def reference_backend(use_backend):
    use_backend("reference")

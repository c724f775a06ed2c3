"""Which of the two twins computes: the plain NumPy reference or the compiled kernels.

Layers write ``ops().binary_dense(x, w)``; both modules export the same names with the same
signatures. The environment variable ``MINIBNN_BACKEND`` sets the start value.
"""

import os
from contextlib import contextmanager
from importlib import import_module

from minibnn.errors import InputError

BACKENDS = {"reference": "minibnn.ops.reference", "numba": "minibnn.ops.kernels"}
_active = None  # (name, module), chosen on first use


def use_backend(name):
    """Switch every later operation to one of the two twins.

    Parameters
    ----------
    name : "reference" or "numba"
        Plain NumPy, or the compiled kernels.

    Raises
    ------
    InputError
        For any other name.
    """
    global _active
    if not isinstance(name, str) or name not in BACKENDS:
        raise InputError(f"backend must be one of {', '.join(BACKENDS)}, found {name!r}")
    _active = name, import_module(BACKENDS[name])


@contextmanager
def using(name):
    """Inside, operations run on the backend ``name``; afterwards on the one before."""
    global _active
    before = _active
    if before is None or before[0] != name:
        use_backend(name)
    try:
        yield
    finally:
        _active = before


def backend_name():
    """The name of the active backend."""
    ops()
    return _active[0]


def ops():
    """The module of the active backend."""
    if _active is None:
        use_backend(os.environ.get("MINIBNN_BACKEND", "numba"))
    return _active[1]


def describe():
    """What decides the last bits of a result: the backend and its vector path."""
    if backend_name() == "reference":
        return {"backend": "reference", "simd": None}
    from minibnn.ops.kernels.simd import vector_path

    return {"backend": "numba", "simd": vector_path()}

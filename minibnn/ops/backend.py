"""Which of the two twins computes: the plain NumPy reference or the compiled kernels.

Layers write ``ops().binary_dense(x, w)``; both modules export the same names with the same
signatures. The environment variable ``MINIBNN_BACKEND`` sets the start value. Where kernels cannot
run, NumPy computes, unless they are asked for.
"""

import os
import sys
import warnings
from contextlib import contextmanager, suppress
from importlib import import_module

from minibnn.errors import InputError
from minibnn.ops.threads import settle_threads

BACKENDS = {"reference": "minibnn.ops.reference", "numba": "minibnn.ops.kernels"}
_active = None  # (name, module), chosen on first use
_forked = False  # from a process that had threads of GNU OpenMP, of which a fork has none


def use_backend(name):
    """Switch every later operation to one of the two twins.

    Parameters
    ----------
    name : "reference" or "numba"
        Plain NumPy, or the compiled kernels.

    Raises
    ------
    InputError
        For any other name, and for kernels where none can run.
    """
    global _active
    if not isinstance(name, str) or name not in BACKENDS:
        raise InputError(f"backend must be one of {', '.join(BACKENDS)}, found {name!r}")
    if name == "numba" and (why := _no_kernels()):
        raise InputError(f"the backend numba cannot be used: {why}")
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
        name = os.environ.get("MINIBNN_BACKEND")
        if not name and (why := _no_kernels()):
            warnings.warn(f"NumPy computes, slowly: {why}", RuntimeWarning, stacklevel=2)
            name = "reference"
        use_backend(name or "numba")
    return _active[1]


def begin():
    """Before a Python thread computes: let it have as many threads as were asked for."""
    if backend_name() == "numba":
        settle_threads()


def describe():
    """What decides the last bits of a result: the backend and its vector path."""
    if backend_name() == "reference":
        return {"backend": "reference", "simd": None}
    from minibnn.ops.kernels.simd import vector_path

    return {"backend": "numba", "simd": vector_path()}


def _no_kernels():
    """Why compiled kernels cannot run in this process, or None."""
    if _forked:
        return (
            "this process was forked from one whose kernels had run, and GNU OpenMP cannot go on "
            'there; start processes by multiprocessing.get_context("spawn")'
        )
    import numba

    if numba.config.DISABLE_JIT:
        return "NUMBA_DISABLE_JIT is set, and kernels are machine code only"
    return None


def _after_fork():
    global _active, _forked
    if sys.platform == "linux" and "numba" in sys.modules:
        with suppress(ValueError):  # Numba has not started its threads
            _forked = sys.modules["numba"].threading_layer() == "omp"
    if _forked and _active and _active[0] == "numba":
        _active = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

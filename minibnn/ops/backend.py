"""Which of the two twins computes: the plain NumPy reference or the compiled kernels.

Layers write ``ops.binary_dense(x, w)``; both modules export the same names with the same
signatures. The environment variable ``MINIBNN_BACKEND`` sets the start value. Where kernels cannot
run, NumPy computes, unless they are asked for.
"""

import os
import sys
import warnings
from contextlib import contextmanager, suppress
from importlib import import_module

from minibnn.errors import InputError, one_of

BACKENDS = {"reference": "minibnn.ops.reference", "numba": "minibnn.ops.kernels"}
_forked = False  # from a process that had threads of GNU OpenMP, of which a fork has none


class _Operations:
    """The operations of the active backend, and its name as ``backend``; chosen on first use."""

    def __getattr__(self, name):  # called for what is not there
        if not vars(self):
            _choose()
        if name not in vars(self):
            raise AttributeError(f"there is no operation {name}")
        return vars(self)[name]


ops = _Operations()


def use_backend(name):
    """Switch every later operation to "reference" (plain NumPy) or "numba" (compiled kernels).

    Raises InputError for any other name, and for kernels where none can run.
    """
    if one_of(name, "backend", BACKENDS) == "numba" and (why := _no_kernels()):
        raise InputError(f"the backend numba cannot be used: {why}")
    module = import_module(BACKENDS[name])
    own = {each: getattr(module, each) for each in module.__all__}
    # At once: other threads compute meanwhile.
    ops.__dict__ = {"backend": name, "by_default": False} | own


def _choose():
    """The backend that nobody chose."""
    asked = os.environ.get("MINIBNN_BACKEND")
    name = one_of(asked, "MINIBNN_BACKEND", BACKENDS) if asked else "numba"
    if not asked and (why := _no_kernels()):
        warnings.warn(f"NumPy computes, slowly: {why}", RuntimeWarning, stacklevel=3)
        name = "reference"
    use_backend(name)
    ops.by_default = not asked


@contextmanager
def using(name):
    """Inside, operations run on the backend ``name``; afterwards on the one before."""
    before = vars(ops)
    if before.get("backend") != name:
        use_backend(name)
    try:
        yield
    finally:
        ops.__dict__ = before


def describe():
    """What decides the last bits of a result: the backend and its vector path."""
    if ops.backend == "reference":
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
    global _forked
    if sys.platform == "linux" and "numba" in sys.modules:
        with suppress(ValueError):  # Numba has not started its threads
            _forked = sys.modules["numba"].threading_layer() == "omp"
    if _forked and vars(ops).get("backend") == "numba":
        ops.__dict__ = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

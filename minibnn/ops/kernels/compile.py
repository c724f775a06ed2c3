"""How kernels are compiled, and where the result is kept.

Numba's disk cache looks only at the file of the function it caches. A kernel calls others and
reads constants from other files of ``ops``, so the name of the cache's folder carries a digest of
all of them, and of NUMBA_OPT; kernels are kept there or nowhere. A folder that can only be read
serves as far as it goes; what cannot be kept, or is damaged, is compiled.
"""

import contextlib
import functools
import os
import warnings
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from minibnn.ops.threads import shared_lock

_HERE = Path(__file__).parent


def _folder():
    """Where kernels are kept; None where there is no such place, or no source to know them by."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    given = numba.config.CACHE_DIR or (os.path.isabs(home) and os.path.join(home, "minibnn"))
    sources = [*sorted(_HERE.parent.glob("*.py")), *sorted(_HERE.glob("*.py"))]
    if not given or not sources:
        return None
    digest = sha256(str(numba.config.OPT).encode())
    for file in sources:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return os.path.join(given, f"kernels-{digest.hexdigest()[:16]}")


_CACHE = _folder()


def cache_folder():
    """The folder of these kernels, made if it is not there; None if nothing can be kept."""
    if _CACHE is None:
        return None
    with contextlib.suppress(OSError):
        os.makedirs(_CACHE, exist_ok=True)
    return Path(_CACHE) if os.access(_CACHE, os.W_OK | os.X_OK) else None


# GNU OpenMP lets a thread that waits spin for milliseconds, during which nobody else can use its
# core: on a busy machine two threads are then slower than one. About 20 microseconds are enough.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


class _Folder(CompileResultCacheImpl._locator_classes[0]):  # type: ignore
    """Numba's folder of the user's choice, which need not be there, nor be writable, to be read."""

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)


class _Impl(CompileResultCacheImpl):
    _locator_classes = (_Folder,)


class _Cache(FunctionCache):
    """Numba's cache, whose failures cost a compilation and nothing else."""

    _impl_class = _Impl

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged pickle raises anything; what is saved next replaces it
            with contextlib.suppress(OSError):
                self.flush()

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _tell_once(
                f"kernels cannot be kept in {_CACHE} ({error.strerror or error}) and are compiled "
                "at each start; set NUMBA_CACHE_DIR to a folder that can be written"
            )


@functools.cache
def _tell_once(text):
    warnings.warn(text, RuntimeWarning, stacklevel=2)


class _Part(JITCodeLibrary):
    """A function that kernels call: optimised and made machine code within them, not by itself."""

    codegen = SimpleNamespace(set_env=lambda name, env: None)  # it has no address to set it at

    def _optimize_functions(self, ll_module):
        pass

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True


class _Compiler(Compiler):
    """Numba's, which would optimise a kernel's parts once more in each function on the way up.

    A parallel kernel alone is four functions. This is half of all compilation.
    """

    def _compile_core(self):
        state, codegen = self.state, self.state.targetctx.codegen()
        if not state.flags.no_cpython_wrapper:  # so it is not an inner kernel
            whole = JITCodeLibrary(codegen, state.func_id.func_qualname)
            whole.enable_object_caching()
            state["library"] = whole
        before, codegen._library_class = codegen._library_class, _Part
        try:
            return super()._compile_core()
        finally:
            codegen._library_class = before


_one_at_a_time = shared_lock()


def kernel(function=None, counts=False, inner=False, **options):
    """``numba.njit`` with a cache on disk and without the GIL; other options are njit's.

    An ``inner`` kernel is called by kernels only, and compiled within them. Only kernels that are
    parallel, make arrays or return some count references (``counts``): two threads that count those
    of one array at every call spend more time on that than on sums.

    A parallel one waits for its turn where Numba's threads are a workqueue, which would end the
    process if two Python threads came at once.
    """
    if function is None:
        return functools.partial(kernel, counts=counts, inner=inner, **options)
    options |= {"no_cpython_wrapper": inner, "no_cfunc_wrapper": True, "nogil": True}
    options |= {"_nrt": counts or options.get("parallel", False), "pipeline_class": _Compiler}
    compiled = numba.njit(**options)(function)
    if _CACHE and not inner:
        settings, own = vars(numba.config), {"CACHE_DIR": _CACHE, "CACHE_LOCATOR_CLASSES": ""}
        before = {name: settings.get(name, "") for name in own}
        settings.update(own)
        try:
            compiled._cache = _Cache(function)
        finally:
            settings.update(before)
    if options.get("parallel") and _layer() == "workqueue":

        @functools.wraps(function)
        def in_turn(*arguments):
            with _one_at_a_time:
                return compiled(*arguments)

        return in_turn
    return compiled


@functools.cache
def _layer():
    """The kind of Numba's threads, which are started for it."""
    numba.get_num_threads()
    return numba.threading_layer()

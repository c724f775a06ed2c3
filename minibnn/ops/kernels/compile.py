"""How kernels are compiled, and where the result is kept.

Numba's disk cache looks only at the file of the function it caches. A kernel calls others from
other files of this folder, so the name of the cache's folder carries a digest of all of them.
"""

import os
from hashlib import sha256
from pathlib import Path

import numba

_HERE = Path(__file__).parent


def _folder():
    digest = sha256()
    for file in sorted(_HERE.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    given = numba.config.CACHE_DIR
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(
        given or os.path.join(home, "minibnn"), f"kernels-{digest.hexdigest()[:16]}"
    )


_CACHE = _folder()

# GNU OpenMP lets a thread that waits spin for milliseconds, during which nobody else can use its
# core: on a busy machine two threads are then slower than one. A few microseconds are enough here.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def kernel(function=None, **options):
    """``numba.njit`` with a cache on disk and without the GIL; options are njit's."""
    if function is None:
        return lambda f: kernel(f, **options)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _CACHE
    try:
        return numba.njit(nogil=True, cache=True, **options)(function)
    finally:
        numba.config.CACHE_DIR = before

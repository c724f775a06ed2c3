"""Programs of ``examples``, which are no package, as modules; and other Python processes."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(path):
    """The module of a program; it finds those beside it."""
    path = EXAMPLES / path
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    sys.path.append(str(path.parent))
    spec.loader.exec_module(module)
    sys.path.remove(str(path.parent))
    return module


def python(code, **environment):
    """What came of running ``code`` in a process of its own."""
    command, everything = [sys.executable, "-c", code], os.environ | environment
    return subprocess.run(command, env=everything, capture_output=True, text=True, timeout=300)

"""The package as a whole: what an import costs, which room may use which, and what it ships."""

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minibnn

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(minibnn.__file__).parent

# An import may only point to a lower floor, or stay in its room.
FLOORS = {
    "errors": 0,
    "_version": 0,
    "tables": 1,
    "files": 1,
    "ops": 1,
    "data": 2,
    "nn": 2,
    "optim": 2,
    "deploy": 3,
    "zoo": 4,
    "training": 5,
    "bench": 6,
    "equivalences": 6,
    "cli": 7,
    "__init__": 8,
    "__main__": 8,
}
NUMERIC = {"numpy", "numba", "llvmlite", "scipy"}  # llvmlite is Numba's compiler
# Of other packages, what a room may import; one that is not here may import none.
OTHERS = {
    "files": {"numpy"},
    "ops": NUMERIC | {"threadpoolctl"},
    "ops.reference": {"numpy"},
    "data": NUMERIC | {"PIL", "pooch"},
    "nn": NUMERIC,
    "optim": NUMERIC,
    "zoo": NUMERIC,
    "deploy": NUMERIC | {"onnx"},
    "training": NUMERIC
    | {"distributed", "filelock", "matplotlib", "mpi4py", "rich", "tensorboardX", "threadpoolctl"},
    "bench": NUMERIC | {"threadpoolctl"},
    "equivalences": NUMERIC | {"hypothesis"},  # hypothesis if it is there
    "cli": {"click", "hypothesis", "matplotlib", "numpy", "rich"},
}
WHEN_USED = {
    "PIL",
    "distributed",
    "hypothesis",
    "matplotlib",
    "mpi4py",
    "onnx",
    "pooch",
    "rich",
    "tensorboardX",
}  # inside functions only
# Files over 400 lines, and why they are one idea all the same.
LONG = {
    "tests/cli/bad_inputs.py": "a table, one line for each bad input",
    "tests/ops/test_twins.py": "the cases of each operation",
}


def python(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def imports(nodes):
    """Full names of the modules that parts of a program import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            if node.module == "minibnn":
                yield from (f"minibnn.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.fixture(scope="module")
def sources():
    """Of every module: path below the package, its room and that room's part, modules imported at
    any depth and at once."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        path, tree = file.relative_to(PACKAGE), ast.parse(file.read_text("utf-8"))
        parts = path.with_suffix("").parts
        all, early = list(imports(ast.walk(tree))), list(imports(tree.body))
        found.append((path.as_posix(), parts[0], ".".join(parts[:2]), all, early))
    return found


def top(name):
    return name.partition(".")[0]


def test_an_import_loads_nothing_heavy_warns_of_nothing_and_offers_everything():
    heavy = "numpy numba llvmlite scipy matplotlib rich click pooch threadpoolctl hypothesis"
    code = f"""
import sys, warnings
warnings.simplefilter("error")
import minibnn
print([m for m in {heavy.split()} if m in sys.modules])
warnings.simplefilter("default")
print([name for name in minibnn.__all__ if not getattr(minibnn, name)])
"""
    assert python(code) == "[]\n[]\n"
    with pytest.raises(AttributeError, match="'minibnn' has no attribute 'nothing'"):
        _ = minibnn.nothing


def test_import_is_quick():
    """Half a second, of processor time: other work on the machine is not counted."""
    code = "import time; t = time.process_time(); import minibnn; print(time.process_time() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.5


def test_the_version_is_the_changelogs_latest():
    told = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert minibnn.__version__ in told[:2]  # above it only what is not published yet
    assert told[0] in ("Unreleased", minibnn.__version__)


def test_imports_point_to_lower_floors(sources):
    wrong = []
    for file, room, _, names, _ in sources:
        used = {name.split(".")[1] for name in names if name.startswith("minibnn.")}
        used -= {"__version__"}  # the package's own, there before anything is loaded
        assert {room, *used} <= FLOORS.keys(), f"{file}: no such room"
        if FLOORS[room] < 6:  # its attributes load any room
            assert "minibnn" not in names, f"{file}: say which part of minibnn is meant"
        wrong += [(file, o) for o in used if o != room and FLOORS[o] >= FLOORS[room]]
    assert not wrong


def test_other_packages_stay_where_they_are_needed(sources):
    wrong = []
    for file, room, part, names, _ in sources:
        may = OTHERS.get(part, OTHERS.get(room, set())) | {"minibnn"}
        found = {top(name) for name in names} - sys.stdlib_module_names
        wrong += [(file, name) for name in found - may]
    assert not wrong


def test_packages_that_load_slowly_are_imported_when_used(sources):
    assert not [(file, n) for file, *_, early in sources for n in early if top(n) in WHEN_USED]


def test_every_package_imported_is_declared(sources):
    options = setup_cfg()
    declared = {requirement(line) for line in options["options"]["install_requires"].split("\n")}
    used = {top(name) for *_, names, _ in sources for name in names}
    used -= sys.stdlib_module_names | {"minibnn"}
    extra = {"llvmlite", "hypothesis", "onnx", "mpi4py", "distributed", "tensorboardX"}
    used = {{"PIL": "pillow"}.get(name, name) for name in used - extra}
    assert used == declared - {""}


def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser


def requirement(line):
    """The name in a requirement such as ``numpy>=2.0``."""
    return line.partition(">")[0].strip()


def test_the_oracle_imports_nothing_from_minibnn():
    tree = ast.parse((ROOT / "tests" / "naive.py").read_text("utf-8"))
    found = {top(name) for name in imports(ast.walk(tree))}
    assert found <= {"numpy"} | sys.stdlib_module_names


def test_modules_of_the_tests_have_names_of_their_own():
    """Folders of tests are no packages: of two modules with one name the second is not found."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("folder", ["minibnn", "tests", "examples"])
def test_a_long_file_has_a_reason(folder):
    """Over 400 lines, ask which second idea moved in; if none did, list the file in LONG."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        lines = len(file.read_text("utf-8").splitlines())
        assert lines <= 400 or name in LONG, f"{name} has {lines} lines"

"""What the README says is so: its Python runs, its paths and tests exist, its tables are whole."""

import ast
import configparser
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
VENV = "python3 -m venv .venv && .venv/bin/pip install -e "
COMMANDS = (
    f"{VENV}. && .venv/bin/minibnn compare --gradients int8",
    f"{VENV}'.[test]' && .venv/bin/pytest",
)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def section(title):
    """The text below a heading, up to the next one of its level."""
    return re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.M | re.S)[1]


def table(title):
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_both_commands_stand_there_as_they_are():
    assert [block.strip() for block in blocks("sh")[:2]] == list(COMMANDS)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_blocks_run(number, tmp_path, monkeypatch, capsys):
    """At smoke size: one epoch of a small network."""
    code = blocks("python")[number]
    code = code.replace("epochs=5", "epochs=1")
    code = code.replace("input_shape, seed=0", "input_shape, filters=16, dense_units=64, seed=0")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    if number == 0:
        assert len(names["history"]) == 1
        assert (tmp_path / "digits-net.npz").is_file()
        assert "train_loss" in capsys.readouterr().out
    elif number == 2:
        assert (tmp_path / "rows.npz").is_file()
        assert len(capsys.readouterr().out.splitlines()[-1].split()) == 8
    else:
        kernels = {p.name for p in names["net"].parameters() if p.binary}
        assert set(names["flips"]) == kernels


def test_pictures_are_there_and_small():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert pictures
    for name in pictures:
        data = (ROOT / name).read_bytes()
        assert len(data) < 100_000
        if name.endswith(".svg"):
            figure = ElementTree.fromstring(data)
            width, height = map(float, figure.get("viewBox").split()[2:])
            assert b"prefers-color-scheme: dark" in data
        else:
            width, height = struct.unpack(">II", data[16:24])
            assert data[:4] == b"\x89PNG"
        assert 100 <= height <= width <= 2000


def names_in(file):
    """Functions and classes of a Python file, at its top."""
    kinds = ast.FunctionDef | ast.ClassDef
    return {n.name for n in ast.parse(file.read_text("utf-8")).body if isinstance(n, kinds)}


def test_the_map_from_the_paper_leads_somewhere():
    rows = table("From the paper to the code and its test")
    assert len(rows) >= 20
    linked = set()
    for _, example, code, tests in rows:
        found = 0
        for folder, cell in (("minibnn", code), ("tests", tests)):
            for path, _, name in re.findall(r"`([\w/]+\.py)(::(\w+))?`", cell):
                file = ROOT / folder / path
                assert file.is_file(), path
                assert not name or name in names_in(file), f"{path}::{name}"
                found += 1
        assert found >= 2
        links = re.findall(r"\[(\w+)\]\((examples/[\w./]+)\)", example)
        assert links or re.fullmatch(r"`minibnn .+`", example), example
        for number, path in links:
            assert (ROOT / path).is_file(), path
            assert not number.isdigit() or Path(path).name.startswith(f"{number}_")
            linked.add(Path(path).name)
    assert {path.name for path in (ROOT / "examples").glob("[0-9][0-9]_*.py")} <= linked


def test_every_path_named_is_there():
    paths = re.findall(r"`((?:minibnn|tests|examples)/[\w./-]*|LICENSE|[A-Z]+\.md)`", README)
    paths += re.findall(r"`bash (\S+)`", README)
    assert len(paths) >= 10
    for path in paths:
        assert (ROOT / path).exists(), path


def test_dependencies_are_those_of_setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    needs = {"": parser["options"]["install_requires"], **parser["options.extras_require"]}
    wanted = {}
    for extra, lines in needs.items():
        for line in lines.split():
            wanted.setdefault(re.match(r"[\w-]+", line)[0], []).append(extra)
    told = {}
    for name, *_ in table("Dependencies"):
        package, _, extras = name.partition(" ")
        told[package] = re.findall(r"`(\w+)`", extras) or [""]
    assert told == wanted


def test_every_room_and_environment_variable_is_named():
    rooms = {path.name for path in (ROOT / "minibnn").iterdir() if (path / "__init__.py").is_file()}
    named = {row[1].strip("`/") for row in table("How it is built") if row[0].isdigit()}
    assert rooms <= named
    sources = [path.read_text("utf-8") for path in (ROOT / "minibnn").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r"\bMINIBNN_[A-Z_]+\b", text)}
    assert used == set(re.findall(r"`(MINIBNN_[A-Z_]+)`", section("Environment variables")))


def test_commands_are_those_of_the_program():
    from minibnn.cli import commands

    told = {re.search(r"`minibnn (\w+)", row[0])[1] for row in table("The command line")}
    assert told == set(commands.commands)

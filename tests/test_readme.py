"""What the README and its pages say is so: their Python runs, their paths and tests exist."""

import ast
import configparser
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scripts import EXAMPLES

from minibnn.cli import main

ROOT = EXAMPLES.parent
PAGES = ("own", "imagenet", "paper", "processes", "running")
FILES = [ROOT / "README.md", *(EXAMPLES / f"{name}.md" for name in PAGES)]
TEXTS = {path: path.read_text("utf-8") for path in FILES}
README = TEXTS[FILES[0]]
VENV = "python3 -m venv .venv && .venv/bin/pip install -e "
COMMANDS = (
    f"{VENV}. && .venv/bin/minibnn compare --gradients int8",
    f"{VENV}'.[test]' && .venv/bin/pytest",
)


def blocks(language, name="README"):
    (text,) = (text for path, text in TEXTS.items() if path.stem == name)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def section(title):
    """The text below a heading of one of the files, up to the next one of its level."""
    found = (re.search(rf"^#+ {title}\n(.*?)(?=^## |\Z)", t, re.M | re.S) for t in TEXTS.values())
    return next(match[1] for match in found if match)


def table(title):
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def run(code, name):
    names = {}
    exec(compile(code, name, "exec"), names)
    return names


def test_the_readme_is_short_and_links_every_page():
    assert len(README.split()) <= 2200
    linked = set(re.findall(r"\]\(examples/(\w+)\.md\)", README))
    assert linked >= {path.stem for path in EXAMPLES.glob("*.md")} - {"scaling"}  # processes does


def test_both_commands_stand_there_as_they_are():
    found = [block.strip() for block in blocks("sh")]
    assert found[0] == COMMANDS[0]
    assert COMMANDS[1] in found


def test_the_first_lines_print_what_stands_below_them(tmp_path, monkeypatch, capsys):
    """To the last digit, on every machine; but for the seconds, which are the last column."""
    (code,) = blocks("python")
    assert len(code.replace("\n\n", "\n").splitlines()) == 8
    monkeypatch.chdir(tmp_path)
    run(code, "README.md")
    printed = capsys.readouterr().out
    told = blocks("text")[0].splitlines()
    assert told[3] == "..."
    for line in told[:3] + told[4:-1]:
        assert line.rpartition(" ")[0] in printed
    assert printed.splitlines()[-1] == told[-1]


def test_a_network_of_ones_own_runs(tmp_path, monkeypatch, capsys):
    (code,) = blocks("python", "own")
    monkeypatch.chdir(tmp_path)
    run(code, "own.md")
    assert (tmp_path / "rows.npz").is_file()
    assert len(capsys.readouterr().out.splitlines()[-1].split()) == 8


def test_a_training_step_gives_the_flips_of_every_kernel():
    (code,) = blocks("python", "paper")
    names = run(code, "paper.md")
    kernels = {p.name for p in names["net"].parameters() if p.binary}
    assert set(names["flips"]) == kernels


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", TEXTS[path]):
        file = path.parent / target if target else path
        assert file.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in heads}


def test_figures_are_small():
    found = [
        path.parent / name
        for path, text in TEXTS.items()
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    ]
    assert len(found) >= 2
    for file in found:
        data = file.read_bytes()
        assert len(data) < 100_000
        if file.suffix == ".svg":
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
    rows = table("The map")
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
        links = re.findall(r"\[(\w+)\]\(([\w./]+)\)", example)
        assert links or re.fullmatch(r"`minibnn .+`", example), example
        for number, path in links:
            assert not number.isdigit() or Path(path).name.startswith(f"{number}_")
            linked.add(Path(path).name)
    assert {path.name for path in EXAMPLES.glob("[0-9][0-9]_*.py")} <= linked


def test_every_path_named_is_there():
    text = "".join(TEXTS.values())
    paths = re.findall(r"`((?:minibnn|tests|examples)/[\w./-]*|LICENSE|[A-Z]+\.md)`", text)
    paths += re.findall(r"`bash (\S+)`", text)
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
    named = re.findall(r"^\| `(\w+)/`", section("How it is built"), re.M)
    assert sorted(named) == sorted(rooms)
    sources = [path.read_text("utf-8") for path in (ROOT / "minibnn").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r"\bMINIBNN_[A-Z_]+\b", text)}
    assert used == set(re.findall(r"`(MINIBNN_[A-Z_]+)`", section("Environment variables")))


def test_commands_are_those_of_the_program():
    from minibnn.cli import commands

    told = {re.search(r"`minibnn (\w+)", row[0])[1] for row in table("The command line")}
    assert told == set(commands.commands)


def test_the_equivalences_are_as_they_stand_there(capsys):
    command, *lines = next(b for b in blocks("text") if b[0] == "$").splitlines()
    assert main(command.split()[2:]) == 0
    printed = capsys.readouterr().out
    for line in lines:
        assert line.rpartition(" ")[0] in printed  # but for the seconds

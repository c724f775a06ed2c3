"""Every option and argument with values nobody means: a line each, and no work begun."""

import sys

import pytest
from test_bad_inputs import NEEDED, contents, desk  # noqa: F401  (a fixture)

from minibnn.cli import commands, main
from minibnn.errors import InputError

NASTY = [
    *("", " ", "x", "-1", "0", "1" * 30, "-" + "9" * 30, "9" * 5000, "nan", "inf", "1e400"),
    *("a\nb", "\x1b[31mred\x07", "\u202eabc", "é", "\udcff", "\x00", "a" * 5000, "%s%d{}"),
    *("=", ":", ",", "a=b", "bop:gamma=1e400", "npz:", "gamma=log:0:1", "epochs=" + "9" * 5000),
    *("/dev/full/x", "/dev/null", "/", "..", "~nobody/x"),
]
WORK = {  # what begins once all has been found good
    "minibnn.training": ["fit", "lockstep"],
    "minibnn.training.sweep.run": ["run_plan"],
    "minibnn.training.measure": ["measure"],
    "minibnn.bench": ["run"],
    "minibnn.equivalences.verify": ["verify_entry"],
    "minibnn.equivalences.discover": ["discover"],
    "minibnn.equivalences.networks": ["compare_sides"],
    "minibnn.training.plots": ["draw_runs"],
    "minibnn.training.report": ["write_report"],
    "minibnn.deploy.larq": ["write"],
}
MORE = {"train": ["--filters", "2"], "compare": ["--filters", "2"], "verify": ["E1"]}


def begins(*_, **__):
    raise InputError("the work begins")


def cases():
    shared = {p.name for p in commands.commands["train"].params} - {"recipe", "optimizer"}
    for name, command in commands.commands.items():
        own = [p for p in command.params if p.param_type_name == "argument"]
        for parameter in command.params:
            if name == "compare" and parameter.name in shared:
                continue  # settled by the same lines as train's
            if not getattr(parameter, "is_flag", False):
                place = own.index(parameter) if parameter in own else None
                yield pytest.param(name, parameter.opts[-1], place, id=f"{name} {parameter.name}")


@pytest.mark.parametrize(("command", "option", "place"), list(cases()))
def test_hostile_values(desk, monkeypatch, capsys, use_backend, command, option, place):  # noqa: F811
    use_backend("reference")
    monkeypatch.chdir(desk)
    for module, names in WORK.items():
        __import__(module)
        for name in names:
            monkeypatch.setattr(sys.modules[module], name, begins)
    before = contents(desk)
    needed = NEEDED.get(command, []) + MORE.get(command, [])
    if option in needed:
        needed = [word for k, word in enumerate(needed) if k // 2 != needed.index(option) // 2]
    for value in NASTY:
        if place is None:
            to = ["--to", "larq"] if command == "export" and option != "--to" else []
            words = [command, *needed, *to, option, value]
        else:
            values = [*needed[:place], value, *needed[place + 1 :]]
            words = [command, *(["--to", "larq"] if command == "export" else []), "--", *values]
        code = main(words)
        out, err = capsys.readouterr()
        assert code in (0, 2), (words, out, err)
        if code == 2:
            assert err.startswith("minibnn: ") and err[:-1].isprintable(), (words, err)
            assert err.count("\n") == 1 and len(err) < 1100
        assert contents(desk) == before, words

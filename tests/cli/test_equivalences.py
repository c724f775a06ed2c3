"""minibnn verify and minibnn compare --preset, as a person meets them."""

import json
import re
import sys
from pathlib import Path

from minibnn.cli import main
from minibnn.equivalences import CATALOGUE

SMALL = ("--filters", "4", "--dense-units", "16", "--steps", "8")


def test_verify(works):
    out = works("verify", "--examples", "5")
    assert "37 of 37 hold" in out
    assert "E12: optimizer" in out and "Bop2ndOrder" in out
    assert "E14: size of gradients" in out
    assert not list(Path(".").iterdir())  # nothing of Hypothesis' either


def test_verify_some(works):
    out = works("verify", "e4", "E1", "--examples", "5", "--seed", "3")
    assert "2 of 2 hold; seed 3" in out
    assert "E12" not in out and "E14" not in out


def test_verify_as_json(run):
    code, out, _ = run("verify", "E12", "--examples", "5", "--json")
    data = json.loads(out)
    assert code == 0 and data["ok"]
    assert data["rows"][0]["id"] == "E12"


def test_verify_fails_with_1_and_a_case_to_paste(run, monkeypatch):
    def never(x):
        x.require(x.one("n", range(9)) < 0, "never true")

    monkeypatch.setattr(CATALOGUE["E4"], "claims", {"never": (never, lambda steps: True)})
    code, out, _ = run("verify", "E4", "--examples", "20")
    assert code == 1
    assert "E4 fails: never true" in out
    assert """CATALOGUE["E4"].check({'claim': 'never', 'n': 0})""" in out


def test_explain(works):
    out = works("verify", "--explain", "e4")
    assert out.startswith(f"E4  {CATALOGUE['E4'].title}")
    assert "It breaks, as it must" in out


# -- presets ---------------------------------------------------------------------------------------


def test_preset(run):
    code, out, _ = run("compare", "--preset", "hysteresis", *SMALL)
    assert code == 0
    assert "preset:  hysteresis (E8)" in out
    twin, control = re.findall(r"([\d,]+) of [\d,]+ signs differ after 8 steps", out)[:2]
    assert twin == "0" != control
    assert "After every one of 8 steps all" in out
    assert "The control drifts apart" in out
    folder = Path("runs/compare-digits-1")
    assert (folder / "compare.png").stat().st_size > 10_000
    config = json.loads((folder / "config.json").read_text())
    assert config["preset"] == "hysteresis" and config["steps"] == 8


def test_a_preset_that_fails_exits_with_1(run, monkeypatch):
    from minibnn.equivalences import networks

    sides = networks.PRESETS["inertia"].sides

    def wrong(net):
        first, twin, control = sides(net)
        return [first, networks.Side(twin.name, twin.words, control.optimizer.copy()), control]

    monkeypatch.setitem(networks.PRESETS, "inertia", networks.Preset("E3", "", wrong))
    code, out, _ = run("compare", "--preset", "inertia", *SMALL)
    assert code == 1
    assert "the equivalence FAILS" in out


def test_presets_keep_to_their_folder(run, fails):
    arguments = ("compare", "--preset", "inertia", *SMALL, "--out", "here")
    assert run(*arguments)[0] == 0
    fails("already holds a run", *arguments)
    fails("batch_size must be", *arguments, "--force", "--batch-size", "5000")
    assert Path("here/compare.png").exists()
    assert run(*arguments, "--force")[0] == 0


def test_presets_have_settings_of_their_own(fails):
    preset = ("compare", "--preset", "inertia")
    fails("leave --epochs out", *preset, "--epochs", "2")
    fails("leave --optimizer out", *preset, "--optimizer", "bop")
    fails("leave --resume out", *preset, "--resume", "--out", "x")
    assert not Path("runs").exists()


def test_a_closed_standard_error(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert main(["verify", "E4", "--examples", "1"]) == 0
    sys.stderr.close()

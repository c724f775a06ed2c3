"""discover: five known equivalences and others, found without being told; and what is none."""

from fractions import Fraction

import numpy as np
import pytest

from minibnn import InputError
from minibnn.cli import main
from minibnn.equivalences.discover import Candidates, Term, discover, grammar
from minibnn.equivalences.models import MODELS, RATE, START, THRESHOLD, model_of


def conjectures(*arguments, **named):
    found = discover(*arguments, **named)
    return found, list(found.conjectures)


def test_e4_sgd_with_decay_is_bop():
    found, words = conjectures("sgd-decay", "bop")
    assert words == [{"gamma": "lam lr", "threshold": "0", "m0": "-lam w0", "rule": "larq"}]
    assert found.candidates > 10_000


def test_e3_inertia():
    _, words = conjectures("sgd", "inertia")
    flips = {"flip_of_plus": "s < 0", "flip_of_minus": "s <= 0", "next": "|s|"}
    assert words[0] == {"lr": "lr", "inertia0": "|w0|"} | flips
    assert all(flips.items() <= each.items() for each in words)  # up to the scale of E1
    assert conjectures("inertia", "sgd")[1][0] == {"lr": "lr", "w0": "inertia0"}


def test_e1_the_scale_of_latent_weights():
    _, words = conjectures("sgd-decay", "sgd-decay", given=("C",))
    assert words[0] == {"lr": "lr C", "lam": "lam / C", "w0": "w0 C"}
    assert {"lr": "lr / C", "lam": "lam C", "w0": "w0 / C"} in words


def test_e8_hysteresis_up_to_a_free_constant():
    _, words = conjectures("bop", "schmitt-sgd", given=("L",))
    expected = {"lr": "gamma / L", "lam": "L", "theta": "threshold / L", "w0": "-m0 / L"}
    assert expected in words


def test_bayesbinn_is_bop():
    found, words = conjectures("bayesbinn", "bop")
    m0 = "-lambda0 rho / (N s)"
    assert words == [{"gamma": "a rho", "threshold": "0", "m0": m0, "rule": "larq"}]
    assert found.candidates > 10**6


def test_plain_sgd_is_no_bop():
    """Every candidate parts from it on a sequence of two gradients."""
    found, words = conjectures("sgd", "bop")
    assert words == []
    assert {len(gradients) for gradients in found.parted} == {2}
    assert "no candidate has the same bits" in str(found)


def test_sign_descent_with_decay_is_diode():
    """Nobody told: Diode's second average is the latent weight, its lr is 1 / lambda (E24)."""
    _, words = conjectures("sign-sgd-decay", "diode")
    assert {"rate": "lam lr", "lr": "1 / lam", "s0": "-w0"} in words


def test_e6_the_accumulator():
    _, words = conjectures("bop", "accumulator")
    assert words == [{"gamma": "gamma", "theta": "threshold / gamma", "a0": "m0 / gamma"}]


def halved_bop(w, g, state, *, rate, tau):
    """Bop whose average counts twice."""
    m = (1 - rate) * state + 2 * rate * g
    return np.where(w * m > tau, -w, w), m


def bop_by_name(w, g, state, *, rate, tau):
    m = (1 - rate) * state + rate * g
    return np.where(w * m > tau, -w, w), m


def test_a_python_function():
    _, words = conjectures("bop", bop_by_name)
    assert words == [{"rate": "gamma", "tau": "threshold", "start": "m0"}]
    found, words = conjectures("bop", halved_bop)  # 2 is no constant of the grammar
    assert words == [] and found.parted


def test_the_grammar():
    known = {"lr": RATE, "w0": START}
    assert [str(t) for t in grammar(RATE, known)] == ["1", "1 / lr", "lr"]
    assert [str(t) for t in grammar(THRESHOLD, known)] == ["0", "1", "1 / lr", "lr"]
    starts = {str(t) for t in grammar(START, known)}
    assert {"0", "-w0", "|w0|", "-lr / w0", "1"} <= starts
    term = Term(-1, (("lr", 1), ("w0", -1)))
    assert term.value({"lr": Fraction(1, 2), "w0": Fraction(-3)}) == Fraction(1, 6)


def test_every_candidate_is_tried():
    candidates = Candidates(MODELS["bop"], {"lr": RATE, "w0": START})
    sizes = [len(terms) for terms in candidates.terms.values()]
    assert len(candidates) == 3 * np.prod(sizes)  # the three rules


def test_same_seed_same_traces():
    a, b, c = (discover("sgd-decay", "bop", seed=seed) for seed in (0, 0, 1))
    assert a.traces == b.traces
    assert a.traces != c.traces
    assert a.conjectures == c.conjectures
    with pytest.raises(InputError, match="seed must be"):
        discover("sgd-decay", "bop", seed=-1)


def test_the_command(capsys):
    assert main(["discover", "sgd-decay", "bop", "--explain"]) == 0
    out = capsys.readouterr().out
    assert "conjecture: gamma = lam lr, threshold = 0, m0 = -lam w0, rule = larq" in out
    assert "trace 1: " in out and "candidates left" in out
    assert main(["discover", "sgd", "bop"]) == 0
    assert "of length 2" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["bob", "no.module:f", "minibnn.optim:bob", "program:f", 3])
def test_unknown_step_functions(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "program.py").write_text("raise SystemExit(0)")
    with pytest.raises(InputError, match=r"step functions are sgd|no step function: [^0]"):
        model_of(name)


def listed(w, g, state, *, gamma):
    return list(w), [state]


def lost(w, g, state, *, gamma):
    return w[:1], state


def many(w, g, state, *, a, b, c, d, e, f):
    return w, state


def started(w, g, state, *, start):
    return w, state - start * g


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (listed, r"listed must return \(w, state\)"),
        (lost, r"lost must .*\(1,\) and \((\d+),\) for \(\1,\)"),
        (many, "many has .* candidates, and more than 5,000,000 take too long"),
        (started, "started: start is where the state starts"),
    ],
)
def test_step_functions_that_cannot_be_tried(step, line):
    with pytest.raises(InputError, match=line):
        discover("bop", step)


def test_given_constants_count_wherever_they_stand():
    _, words = conjectures("sign-sgd-decay", "diode", given=("C",))
    assert {"rate": "lam lr", "lr": "1 / (lr C)", "s0": "-lam w0 / (lr C)"} in words
    assert conjectures("sgd", "inertia", given=("w0",))[1][0]["inertia0"] == "|w0|"
    assert conjectures("sgd-decay", "bop", given=("Z",))[1][0]["gamma"] == "lam lr"

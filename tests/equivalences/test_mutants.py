"""Wrong step functions are caught: the table of which row of ``verify`` catches which mistake.

``bop.*`` and ``sgd.*`` are the rules of a step function (form, equation, ties), E1 to E19 the
statements of the catalogue. Rows that catch a mistake by luck only are left out.
"""

import re

import pytest
from mutants import BOP, DIALECTS, SGD

from minibnn.equivalences import search, verify


@pytest.fixture(autouse=True)
def little_shrinking(monkeypatch):
    """What fails counts here, not the smallest case."""
    monkeypatch.setattr(search, "SHRINKING", 10)


BOP_CAUGHT = {
    "inclusive for strict": "bop.ties E4 E5 E6 E8 E19",
    "less for greater": "bop.rule bop.ties E4 E5 E6 E8 E11 E19",
    "no sign agreement": "bop.rule E4 E5 E6 E8 E11",
    "other sign": "bop.rule E4 E5 E6 E8 E19",
    "threshold squared": "bop.rule bop.ties E6 E8 E19",
    "threshold ignored": "bop.rule bop.ties E5 E6 E8 E11 E19",
    "threshold with slack": "bop.rule",
    "threshold 0 read as unset": "bop.rule",
    "isclose at ties": "bop.rule",
    "gradient for m": "bop.rule bop.ties E4 E6 E8 E11",
    "stale m": "bop.rule bop.ties E4 E5 E6 E8 E11 E19",
    "ties set +1": "bop.ties E4 E5 E19",
    "ties set -1": "bop.ties E4 E5 E6 E8 E19",
    "dead weights flip": "bop.rule bop.ties E4 E5 E6 E8 E11",
    "sign of m only": "bop.rule bop.ties E5 E6 E8 E11 E19",
    "one flip for the whole array": "bop.entries bop.rule bop.ties E4 E5 E6 E8",
    "never more than one flip": "bop.entries bop.rule E4 E5 E6 E8",
    "threshold per fan-in": "bop.entries bop.rule bop.ties E5 E6 E8 E11 E19",
    "lerp for convex": "bop.average E4 E6 E8",
    "float64 inside": "bop.average E4 E6 E8",
    "float64 constant": "bop.average E4 E5 E8",
    "gamma exchanged": "bop.average E4 E5 E6 E8 E11 E19",
    "gamma on m only": "bop.average E4 E5 E6 E8 E11 E19",
    "gamma outside": "bop.average E4 E5 E6 E8 E19",
    "no decay of m": "bop.average E4 E5 E6 E8 E11 E19",
    "gradient's sign": "bop.average E4 E5 E6 E8 E11 E19",
    "gamma rounded": "bop.average E4 E6 E8",
    "m clipped": "bop.average E4 E5 E6 E8 E19",
    "g clipped": "bop.average E4 E5 E6 E8 E11 E19",
    "g normalised": "bop.entries bop.average E4 E5 E6 E8 E11 E19",
    "small m set to 0": "bop.average E4 E5 E6 E8 E19",
    "small g dropped": "bop.average E4 E5 E6 E8",
    "starts at the first gradient": "bop.average E4 E5 E8 E11 E19",
    "m0 ignored": "bop.average E4 E5 E6 E8 E19",
    "m not updated": "bop.average E4 E5 E6 E8 E11 E19",
    "half precision": "bop.average E4 E5 E6 E8",
    "m reset by a flip": "bop.average bop.rule bop.ties E4 E5 E6 E8 E11 E19",
    "old state returned": "bop.average bop.rule bop.ties E4 E5 E6 E8 E11 E19",
    "state not returned": "bop.output",
    "array for the state": "bop.output",
    "order exchanged": "bop.output",
    "returns float64": "bop.output",
    "returns int8": "bop.output",
    "m in float64": "bop.output",
    "returns a list": "bop.output",
    "flattens": "bop.output",
    "returns 0 at ties": "bop.output",
    "returns bits 0 and 1": "bop.output",
    "returns m for w": "bop.output",
    "NaN": "bop.output",
    "three things": "bop.output",
    "in place": "bop.inputs",
    "weights in place": "bop.inputs",
    "gradient in place": "bop.inputs",
    "shared buffer": "bop.repeat",
    "first gamma remembered": "bop.average E4 E5 E6 E8 E11",
    "m kept inside": "bop.repeat bop.entries bop.average E4 E5 E6 E8 E11 E19",
    "bias correction": "bop.rule",
    "forgets after 500 calls": "bop.rule E4 E5 E6 E8 E19",
    "flips in float64": "bop.ties",
    "rarely wrong": "",  # each time by another row
    "ties of single weights": "bop.ties E4 E19",
    "ties in convolutions": "bop.ties",
    "large arrays": "bop.large",
    "last entry": "bop.entries",
    "no flip without gradient": "bop.rule E8",
    "large m never flip": "bop.rule",
    "threshold doubled": "bop.rule E6 E8 E19",
    "half precision threshold": "bop.rule bop.ties",
    "gamma 1 read as off": "bop.average E4 E5 E6 E8 E19",
    "raises": "bop.call",
    "raises at 0": "bop.output",
    "other argument": "bop.call",
    "no keywords": "bop.call",
    "returns nothing": "bop.output",
}
SGD_CAUGHT = {
    "coupled": "sgd.update E3 E4",
    "no decay": "sgd.update E3 E4",
    "decay without rate": "sgd.update E1 E3 E4",
    "decay grows": "sgd.update E3 E4",
    "decay afterwards": "sgd.update E3 E4",
    "decay of the sign": "sgd.update E1 E3 E4",
    "decay of the gradient": "sgd.update E3 E4",
    "squared rate": "sgd.update E1 E2 E3 E4",
    "ascent": "sgd.update E2 E3 E4 E18",
    "clipped": "sgd.update E1 E2 E3 E4 E18",
    "masked": "sgd.update E1 E2 E3 E4 E18",
    "rate 0 read as unset": "sgd.update",
    "decay 0 read as unset": "sgd.update E1 E3 E18",
    "float64 inside": "sgd.update E3 E4",
    "three terms": "sgd.update E3 E4",
    "sign descent": "sgd.update E2 E3 E4 E18",
    "hidden momentum": "E2 E3 E4 E18",
    "in place": "sgd.inputs",
    "returns bits": "sgd.update E1 E2 E3 E4 E18",
    "float64": "sgd.output",
    "state not returned": "sgd.output",
    "other argument": "sgd.call",
    "gradient averaged": "sgd.entries sgd.update E1 E2 E3 E4 E18",
    "nothing": "sgd.update E2 E3 E4 E18",
}

# What the first of those rows says of it.
BOP_WORDS = {
    "inclusive for strict": "at a tie is wrong",
    "stale m": "it looks at the m before the step",
    "no sign agreement": "without asking for the sign of w",
    "other sign": "the other sign than w",
    "gradient for m": "it looks at the gradient",
    "threshold ignored": "it ignores the threshold",
    "lerp for convex": 'average="lerp"',
    "float64 inside": "computed in float64 and rounded",
    "gamma exchanged": "gamma and 1 - gamma are exchanged",
    "gamma on m only": "g is not multiplied by gamma",
    "no decay of m": "the old m does not decay",
    "m0 ignored": "m0 is ignored",
    "m clipped": r"clipped to \[-1, 1\]",
    "old state returned": "m is not updated",
    "in place": "changes its input state.m",
    "weights in place": "changes its input w",
    "gradient in place": "changes its input g",
    "shared buffer": "a later call changes the result of an earlier one",
    "m kept inside": "another result the second time",
    "one flip for the whole array": "depends on its neighbours",
    "returns float64": "w must be float32 as it came, found float64",
    "m in float64": "state.m must be float32 as it came, found float64",
    "returns 0 at ties": r"every entry of w must be \+1 or -1, found -?0",
    "flattens": "must have shape",
    "state not returned": r"must return \(w, state\), found of type ndarray",
    "array for the state": "with state.m, found a state of type ndarray",
    "three things": r"must return \(w, state\), found 3 things",
    "returns a list": "w must be a NumPy array, found of type list",
    "NaN": "state.m must be finite, found nan",
    "other argument": "it cannot be called as .*: missing a required.*'lr'",
    "no keywords": "it cannot be called as .*gamma",
    "raises": "it raised ZeroDivisionError at gamma=.*: division by zero",
}
SGD_WORDS = {
    "coupled": 'it is the "coupled" form of decay',
    "no decay": "there is no weight decay",
    "decay without rate": "the decay lacks the learning rate",
    "decay afterwards": "the decay is applied after the gradient",
    "decay grows": "the decay has the wrong sign",
    "ascent": "the gradient's sign is wrong",
    "float64 inside": "computed in float64 and rounded",
    "clipped": "clipped to",
    "nothing": "nothing is updated",
}


def told_or_first_of_a_row(caught, words):
    """The names; those without words that fail no other rows than earlier ones are slow."""
    seen, names = set(), []
    for name, rows in caught.items():
        new = name in words or set(rows.split()) - seen
        names.append(name if new else pytest.param(name, marks=pytest.mark.slow))
        seen |= set(rows.split())
    return names


def test_the_tables_are_whole():
    assert BOP_CAUGHT.keys() == BOP.keys() > BOP_WORDS.keys()
    assert SGD_CAUGHT.keys() == SGD.keys() > SGD_WORDS.keys()
    tables = BOP_CAUGHT | SGD_CAUGHT
    assert [name for name, rows in tables.items() if not rows] == ["rarely wrong"]


def check(report, rows, words):
    """The rows fail, the first with these words, and nothing ends in a traceback."""
    assert not report.ok
    assert set(rows) <= set(report.failed)
    assert not words or re.search(words, report[rows[0]].why)
    for row in report.rows:
        if row.verdict == "FAILS":
            assert row.why
            assert len(row.why) < 500
    assert "Traceback" not in str(report)


@pytest.mark.parametrize("name", told_or_first_of_a_row(BOP_CAUGHT, BOP_WORDS))
def test_wrong_bop_is_caught_and_named(name):
    report = verify(bop_step=BOP[name], examples=60)
    check(report, BOP_CAUGHT[name].split(), BOP_WORDS.get(name))


@pytest.mark.parametrize("name", told_or_first_of_a_row(SGD_CAUGHT, SGD_WORDS))
def test_wrong_latent_sgd_is_caught_and_named(name):
    report = verify(latent_sgd_step=SGD[name], examples=60)
    check(report, SGD_CAUGHT[name].split(), SGD_WORDS.get(name))


@pytest.mark.parametrize("name", DIALECTS)
def test_another_dialect_than_claimed_is_caught(name):
    step, claimed, rows = DIALECTS[name]
    report = verify(bop_step=step, examples=60, **claimed)
    assert set(rows.split()) <= set(report.failed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["lerp for convex", "flips in float64", "threshold with slack"])
def test_subtle_ones_are_caught_whatever_the_seed(name, seed):
    assert not verify(bop_step=BOP[name], examples=30, seed=seed).ok

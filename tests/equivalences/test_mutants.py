"""Wrong step functions are caught: the table of which row of ``verify`` catches which mistake.

``bop.*`` and ``sgd.*`` are the rules of a step function (form, equation, ties), E1 to E19 the
statements of the catalogue. Rows that catch a mistake by luck only are left out.
"""

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


def one_for_each_row(caught):
    """The names; those that fail no other rows of ``verify`` than earlier ones are slow."""
    seen, names = set(), []
    for name, rows in caught.items():
        new = set(rows.split()) - seen
        names.append(name if new else pytest.param(name, marks=pytest.mark.slow))
        seen |= new
    return names


def test_the_tables_are_whole():
    assert BOP_CAUGHT.keys() == BOP.keys()
    assert SGD_CAUGHT.keys() == SGD.keys()
    tables = BOP_CAUGHT | SGD_CAUGHT
    assert [name for name, rows in tables.items() if not rows] == ["rarely wrong"]


@pytest.mark.parametrize("name", one_for_each_row(BOP_CAUGHT))
def test_wrong_bop_is_caught(name):
    report = verify(bop_step=BOP[name], examples=60)
    assert not report.ok
    assert set(BOP_CAUGHT[name].split()) <= set(report.failed)
    in_words(report)


@pytest.mark.parametrize("name", one_for_each_row(SGD_CAUGHT))
def test_wrong_latent_sgd_is_caught(name):
    report = verify(latent_sgd_step=SGD[name], examples=60)
    assert not report.ok
    assert set(SGD_CAUGHT[name].split()) <= set(report.failed)
    in_words(report)


@pytest.mark.parametrize("name", DIALECTS)
def test_another_dialect_than_claimed_is_caught(name):
    step, claimed, rows = DIALECTS[name]
    report = verify(bop_step=step, examples=60, **claimed)
    assert set(rows.split()) <= set(report.failed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["lerp for convex", "flips in float64", "threshold with slack"])
def test_subtle_ones_are_caught_whatever_the_seed(name, seed):
    assert not verify(bop_step=BOP[name], examples=30, seed=seed).ok


def in_words(report):
    """Each failing row says why; nothing in the report is a traceback."""
    for row in report.rows:
        if row.verdict == "FAILS":
            assert row.why
            assert len(row.why) < 500
    assert "Traceback" not in str(report)

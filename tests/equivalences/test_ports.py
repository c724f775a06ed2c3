"""Somebody else's step functions: right ones pass, wrong ones are told what they broke."""

import functools
import json
import warnings
from fractions import Fraction

import mutants
import numpy as np
import pytest

from minibnn import optim
from minibnn.equivalences import verify
from minibnn.ops.kernels import optim as kernels
from minibnn.optim import BopState, LatentSGDState

RIGHT = {
    "paper": (mutants.plain_bop, "strict", "convex"),
    "equation 6": (mutants.inclusive_bop, "inclusive", "convex"),
    "larq": (mutants.larq_bop, "larq", "lerp"),
    "authors": (mutants.authors_bop, "larq", "convex"),
    "entry by entry": (mutants.looping_bop, "strict", "convex"),
} | {
    f"{form.__module__.split('.')[1]} {rule} {average}": (
        functools.partial(form, rule=rule, average=average),
        rule,
        average,
    )
    for form in (optim.bop_step, kernels.bop_step)
    for rule in ("strict", "inclusive", "larq")
    for average in ("convex", "lerp")
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_bop_passes(name):
    step, rule, average = RIGHT[name]
    report = verify(bop_step=step, rule=rule, average=average, examples=60)
    assert report.ok, report
    ids = [row.id for row in report.rows]
    assert ids[:3] == ["bop.call", "bop.output", "bop.inputs"]
    assert {"E4", "E5", "E6", "E8", "E11", "E19"} <= set(ids)
    assert report["bop.ties"].ties > 100


@pytest.mark.parametrize(
    ("step", "average"),
    [
        (mutants.plain_sgd, "convex"),
        (mutants.coupled_sgd, "lerp"),
        (mutants.plain_sgd, "lerp"),  # beside lerp either form will do
        (mutants.framework_sgd, "lerp"),
        (optim.latent_sgd_step, "convex"),
        (kernels.latent_sgd_step, "convex"),
        (functools.partial(optim.latent_sgd_step, decay="coupled"), "lerp"),
        (functools.partial(optim.latent_sgd_step, decay="decoupled"), "lerp"),
    ],
)
def test_right_latent_sgd_passes(step, average):
    report = verify(latent_sgd_step=step, average=average, examples=60)
    assert report.ok, report
    assert {"sgd.update", "E1", "E2", "E3", "E4", "E18"} <= {row.id for row in report.rows}


def test_both_at_once_and_in_fractions():
    report = verify(
        bop_step=mutants.plain_bop, latent_sgd_step=mutants.plain_sgd, exact=True, examples=60
    )
    assert report.ok, report
    both = {row.id for row in report.rows}
    assert {"bop.ties", "sgd.update", "E1", "E4", "E11"} <= both


def test_fractions_find_what_floats_hide():
    def floats(w, g, state, *, gamma, threshold):
        """Right on float32, and a float on Fractions."""
        m = (1 - gamma) * state.m + gamma * g
        if m.dtype == object:
            m = np.array([Fraction(float(x)) for x in m.reshape(-1)], object).reshape(m.shape)
        return np.where(w * m > threshold, -w, w), BopState(m)

    assert verify(["E4"], bop_step=floats, examples=60).ok
    report = verify(["E4"], bop_step=floats, examples=60, exact=True)
    assert "E4" in report.failed


def test_only_some_entries():
    report = verify(["E4", "E15"], bop_step=mutants.plain_bop, examples=5)
    assert [row.id for row in report.rows if row.id.startswith("E")] == ["E4"]


def test_how_they_are_called():
    """Arrays and constants are float32, by the names of the contract, and nothing else."""
    seen = []

    def bop_step(w, g, state, **hyper):
        assert type(state) is BopState
        assert set(hyper) == {"gamma", "threshold"}
        assert {x.dtype for x in (w, g, state.m)} == {np.dtype(np.float32)}
        assert {type(x) for x in hyper.values()} == {np.float32}
        assert 0 < hyper["gamma"] <= 1 and hyper["threshold"] >= 0
        seen.append(w.ndim)
        return mutants.plain_bop(w, g, state, **hyper)

    def latent_sgd_step(latent, g, state, **hyper):
        assert type(state) is LatentSGDState
        assert set(hyper) == {"lr", "weight_decay"}
        assert {x.dtype for x in (latent, g, state.velocity)} == {np.dtype(np.float32)}
        assert {type(x) for x in hyper.values()} == {np.float32}
        assert 0 <= hyper["lr"] * hyper["weight_decay"] <= 1.0000001
        return mutants.plain_sgd(latent, g, state, **hyper)

    report = verify(bop_step=bop_step, latent_sgd_step=latent_sgd_step, examples=60)
    assert report.ok, report
    assert set(seen) == {1, 2, 3, 4}


# -- what a report says ----------------------------------------------------------------------------


def why(id, **arguments):
    return verify(["E4"], **arguments, examples=60)[id].why  # of a port all rules are tried


def test_larq_under_the_defaults_differs_at_ties_and_in_the_last_bit():
    report = verify(["E4"], bop_step=mutants.larq_bop)
    assert "differs in the last bit" in report["bop.average"].why
    assert 'it is what average="lerp" gives' in report["bop.average"].why
    assert "w at a tie is wrong" in report["bop.ties"].why
    assert 'it is what rule="larq" does' in report["bop.ties"].why
    assert report["bop.rule"].verdict == "holds"


def test_rows_after_a_broken_form_are_not_run():
    report = verify(bop_step=mutants.BOP["raises"], latent_sgd_step=mutants.plain_sgd, examples=5)
    verdicts = {row.id: row.verdict for row in report.rows}
    assert verdicts["bop.call"] == "FAILS"
    assert verdicts["bop.ties"] == verdicts["E4"] == "not run"
    assert verdicts["sgd.update"] == "holds"
    assert not report.ok


def test_subnormals_may_be_flushed_but_are_told():
    def flushing(w, g, state, *, gamma, threshold):
        m = (1 - gamma) * state.m + gamma * g
        m = np.where(np.abs(m) < np.finfo(np.float32).tiny, np.float32(0), m)
        return np.where(w * m > threshold, -w, w), BopState(m)

    report = verify(bop_step=flushing, examples=60)
    assert report.ok
    assert report["bop.tiny"].verdict == "note"
    assert "1.2e-38" in str(report)
    assert verify(bop_step=mutants.plain_bop, examples=5)["bop.tiny"].verdict == "holds"


def test_a_failing_step_can_be_pasted(capsys):
    row = verify(["E4"], bop_step=mutants.larq_bop)["bop.ties"]
    scope = {"bop_step": mutants.larq_bop}
    exec(row.paste, scope)
    expected = row.paste.splitlines()[-1]
    assert expected.startswith("# expected: w = ")
    assert float(scope["w"][0]) != float(expected.split()[4].rstrip(","))
    assert scope["w"].shape == (1,)  # the smallest case is one weight


def test_a_failing_entry_can_be_pasted():
    row = verify(["E4"], bop_step=mutants.larq_bop)["E4"]
    with pytest.raises(AssertionError):
        exec(row.paste, {"bop_step": mutants.larq_bop})


def test_report_of_a_port_as_plain_data():
    for step in (mutants.larq_bop, mutants.plain_bop):  # a right one is asked for its ties too
        report = verify(["E4"], bop_step=step, examples=20)
        assert json.loads(json.dumps(report.to_dict()))["ok"] is (step is mutants.plain_bop)


def test_warnings_of_a_port_are_its_own():
    def loud(w, g, state, *, gamma, threshold):
        warnings.warn("careful", stacklevel=1)
        return mutants.plain_bop(w, g, state, gamma=gamma, threshold=threshold)

    assert verify(bop_step=loud, examples=5).ok


def test_a_step_that_leaves_the_program_is_told():
    def leaves(w, g, state, *, gamma, threshold):
        raise SystemExit(3)

    assert "raised SystemExit" in verify(bop_step=leaves, examples=5)["bop.call"].why

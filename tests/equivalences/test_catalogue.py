"""The catalogue: every statement on many cases, every counterexample, and the numbers it quotes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibnn import optim
from minibnn.equivalences import CATALOGUE, explanation
from minibnn.equivalences.averages import least_spacing
from minibnn.equivalences.search import chooser
from minibnn.equivalences.second_order import flip_storm, measured_bytes, storage_table
from minibnn.equivalences.steps import library_steps

every_entry = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.id)

# Cases that once failed, by what was wrong then.
FOUND = {
    # tau = G under the inclusive rule flips: the statement now asks for tau > G there.
    "E5": {"claim": "never", "numbers": "fraction", "rule": "inclusive", "gamma": [1], "g": [[1]]},
    # A saturated -1 flips after exactly c / (lr G) steps, since sign(0) = +1.
    "E9": {"claim": "saturated", "lr": 0.5, "bits": [-1], "steps": 2, "g": [[-1], [-1]]},
    # The bound of phi' was taken at w, not on the way.
    "E10": {
        "claim": "small_rate",
        "phi": "1/(1+w^2)",
        "size": 3,
        "latent": [-0.5, -1.5, -0.25],
        "g": [[1, 0, 0]],
    },
    # gamma = 1 with lambda = tau ties under the inclusive rule: lambda < tau there.
    "E19": {"claim": "peace", "rule": "inclusive", "average": "lerp", "gamma": 1.0, "steps": 3},
    # Max pooling with gamma = 0: neither rising nor falling.
    "E16": {
        "claim": "pooled",
        "mean": [0],
        "variance": [1.0],
        "beta": [-1.0],
        "scaled": True,
        "gamma": [0.0],
        "z": [[-4], [0], [3], [1]],
    },
}


def test_the_catalogue_is_whole():
    assert list(CATALOGUE) == [f"E{k}" for k in range(1, 38)]
    for id, entry in CATALOGUE.items():
        assert entry.id == id
        assert entry.title and entry.statement and entry.claims and entry.counterexamples
        assert list(entry.fields) == ["if", "class", "why", "source"]
        assert set(entry.exactness.split(", ")) <= {"B", "B2", "Q", "T"}


def drawn(data):
    return lambda options: options[data.draw(st.integers(0, len(options) - 1))]


@every_entry
@given(data=st.data())
def test_statement_holds(entry, data):
    entry.check(choose=drawn(data))


@every_entry
@settings(max_examples=25)
@given(data=st.data())
def test_statement_holds_for_the_compiled_steps(entry, data):
    entry.check(steps=library_steps("numba"), choose=drawn(data))


@pytest.mark.parametrize("id", FOUND)
def test_cases_that_once_failed(id):
    CATALOGUE[id].check(FOUND[id])


@pytest.mark.parametrize(
    ("entry", "counterexample"),
    [(entry, c) for entry in CATALOGUE.values() for c in entry.counterexamples],
    ids=lambda x: x.id if hasattr(x, "id") else x.words[:40],
)
def test_counterexample_breaks_its_statement(entry, counterexample):
    assert entry.broken_by(counterexample)


@every_entry
def test_ties_are_met_on_purpose_and_every_claim_is_drawn(entry):
    ties, claims, choose = 0, set(), chooser(0)
    for _ in range(150):
        case = entry.check(choose=choose)
        ties += case.ties
        claims.add(case.given["claim"])
    assert ties > 0
    assert claims == set(entry.claims)


@every_entry
def test_a_case_can_be_repeated(entry):
    """The numbers that a case has drawn are all it needs."""
    case = entry.check(choose=chooser(1))
    again = entry.check(dict(case.given), choose=chooser(2))
    assert again.given == case.given
    assert again.ties == case.ties


@every_entry
def test_explanation(entry):
    words = explanation(entry)
    assert words.startswith(f"{entry.id}  {entry.title}")
    assert "None" not in words
    assert max(map(len, words.splitlines())) < 600
    assert entry.shown().rows
    for name in entry.shown().rows[0]:
        assert name in words


def test_worked_trajectory_of_e4():
    rows = CATALOGUE["E4"].shown().rows
    # w0 = 1/2, lr = lambda = 1/2, g = 1: w = 3/4 * 1/2 - 1/2 = -1/8, and m = 1/16.
    assert rows[0]["latent"] == -0.125
    assert rows[0]["m"] == 0.0625 == rows[0]["minus_lambda_latent"]
    assert [int(row["bop"][0]) for row in rows] == [-1, -1, -1, 1, 1, 1]
    assert all(row["sign"] == row["bop"] for row in rows)


# -- numbers that the statements quote -------------------------------------------------------------


@pytest.mark.parametrize(
    ("gamma", "average", "stall"),
    [
        (1e-4, "convex", 0.9997),
        (1e-6, "convex", 0.970),
        (1e-7, "convex", 0.75),
        (1e-7, "lerp", 0.7),
    ],
)
def test_m_stalls_below_a_constant_gradient(gamma, average, stall):
    """E5: the least m that a step under g = 1 leaves where it is, by bisection."""

    def stays(m):
        m = np.float32([m])
        hyper = {"gamma": gamma, "threshold": 0, "average": average}
        _, state = optim.bop_step(np.int8([1]), np.float32([1]), optim.BopState(m), **hyper)
        return state.m[0] <= m[0]

    low, high = 0.5, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if stays(middle) else (middle, high)
    assert abs(high - stall) < 0.006


def test_l2_on_signs_flips_without_end():
    """E19: lambda = 10 tau, gamma = 0.01, no gradient: 143 flips per weight in 3000 steps."""
    w, state, flips = np.int8([1, -1]), optim.BopState(np.zeros(2, np.float32)), 0
    for _ in range(3000):
        g = np.float32(1e-2) * w
        new, state = optim.bop_step(w, g, state, gamma=0.01, threshold=1e-3)
        flips, w = flips + (new != w), new
    assert list(flips) == [143, 143]


@pytest.mark.parametrize(("decay", "changes"), [("coupled", 11), ("decoupled", 0)])
def test_one_impulse_into_momentum(decay, changes):
    """E7: mu = 0.9, lr lambda = 0.01: complex poles swing, a real cascade does not."""
    latent, state = np.float64([1e-12]), optim.LatentSGDState(np.zeros(1))
    hyper = {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.9, "decay": decay}
    bits = []
    for t in range(400):
        g = np.float64([-1.0 if t == 0 else 0.0])
        latent, state = optim.latent_sgd_step(latent, g, state, **hyper)
        bits.append(latent[0] >= 0)
    assert np.count_nonzero(np.diff(bits)) >= changes
    assert np.count_nonzero(np.diff(bits)) <= changes + 1


def test_the_bit_is_no_function_of_m():
    """E8: gamma = tau = 1, gradients (2, 0) and (-2, 0): the same m, opposite bits."""
    ends = []
    for first in (2, -2):
        w, state = np.int8([1]), optim.BopState(np.zeros(1, np.float32))
        for g in (first, 0):
            w, state = optim.bop_step(w, np.float32([g]), state, gamma=1, threshold=1)
        ends.append((w[0], float(state.m[0])))
    assert ends == [(-1, 0.0), (1, 0.0)]


@given(st.integers(1, 15), st.integers(0, 15))
def test_least_spacing_is_its_closed_form(a, b):
    """E11: floor(ln((G + tau) / (G - tau)) / -ln(1 - gamma)) + 1."""
    gamma, ratio = Fraction(a, 16), Fraction(b, 16)
    n = least_spacing(gamma, ratio)
    assert (1 - gamma) ** n * (1 + ratio) < 1 - ratio
    assert n == 1 or (1 - gamma) ** (n - 1) * (1 + ratio) >= 1 - ratio


def test_bytes_of_state_are_those_of_the_objects():
    """E12, on a convolution's kernel."""
    assert measured_bytes(lambda: optim.Bop(), (3, 3, 2, 5)) == 4
    assert measured_bytes(lambda: optim.LatentSGD(momentum=0.9), (3, 3, 2, 5)) == 8
    for name, size, reals, _ in storage_table():
        assert size == 4 * reals, name


def test_flip_storm():
    """E14: Bop2ndOrder flips half of all weights at step one, whatever the gradients' size."""
    for size, second, first in flip_storm():
        assert 0.45 < second < 0.55
        if size < 1e-4:  # gamma |g| is below Bop's threshold
            assert first == 0

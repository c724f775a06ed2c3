"""What every step function keeps to, sent through one table: NumPy and compiled form."""

from fractions import Fraction

import numpy as np
import pytest
from cases import CASES
from numpy.testing import assert_array_equal

from minibnn.ops.kernels import optim as kernels

SHAPES = [(1,), (33,), (3, 5, 7), (2 * 16384 + 5,)]

COMPILED = [case for case in CASES if hasattr(kernels, f"{case.name}_update")]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
compiled_case = pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.label)


def inputs(case, shape=(40,), dtype=np.float32, seed=0):
    random = np.random.default_rng(seed)
    g = random.normal(size=shape).astype(dtype)
    return case.value(random, shape, dtype), g, case.state(random, shape, dtype)


def compiled(case):
    return getattr(kernels, f"{case.name}_step")


every_form = pytest.mark.parametrize(
    ("case", "step"),
    [pytest.param(case, case.step, id=case.label) for case in CASES]
    + [pytest.param(case, compiled(case), id=f"{case.label}-compiled") for case in COMPILED],
)


def arrays(value, state):
    return [x for x in (value, *state) if isinstance(x, np.ndarray)]


def assert_same_bits(ours, theirs):
    (value, state), (other_value, other_state) = ours, theirs
    assert type(state) is type(other_state)
    for a, b in zip((value, *state), (other_value, *other_state), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert_array_equal(a, b)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@every_form
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_stay_and_types_are_kept(case, step, dtype):
    value, g, state = inputs(case, dtype=dtype)
    before = [x.copy() for x in (g, *arrays(value, state))]
    new, new_state = step(value, g, state, **case.hyper)
    for now, was in zip((g, *arrays(value, state)), before, strict=True):
        assert_array_equal(now, was)
    assert new.dtype == value.dtype and type(new_state) is type(state)
    assert all(x.dtype == dtype and x.shape == g.shape for x in arrays(new, new_state)[1:])
    assert set(np.unique(case.bits(new))) <= {-1, 1}


@compiled_case
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_form_equals_numpy_bit_for_bit(case, shape, dtype):
    ours = theirs = inputs(case, shape, dtype)
    for step in range(3):
        g = np.random.default_rng(step).normal(size=shape).astype(dtype)
        theirs = case.step(theirs[0], g, theirs[-1], **case.hyper)
        ours = compiled(case)(ours[0], g, ours[-1], **case.hyper)
        assert_same_bits(ours, theirs)


@compiled_case
def test_updates_work_in_place_and_count_flips(case):
    value, g, state = inputs(case, (1000,))
    expected = case.step(value, g, state, **case.hyper)
    before = case.bits(value).copy()
    update = getattr(kernels, f"{case.name}_update")
    w = {"w": before.copy()} if case.kind == "latent" else {}
    flips, new_state = update(value, g, state, **w, **case.hyper)
    assert_same_bits((value, new_state), expected)
    assert all(a is b for a, b in zip(arrays(value, state), arrays(value, new_state), strict=True))
    if case.kind != "value":
        assert flips == np.count_nonzero(case.bits(value) != before) > 0
        assert_array_equal(w.get("w", value), case.bits(value))


@compiled_case
def test_number_of_threads_changes_nothing(case, use_threads):
    args = inputs(case, (5 * 16384 + 7,))
    results = []
    for threads in (1, 2):
        use_threads(threads)
        results.append(compiled(case)(*args, **case.hyper))
    assert_same_bits(*results)


@every_form
def test_zero_gradients_from_a_zero_start_flip_nothing(case, step):
    """Larq's rule at threshold 0 is the exception, the next test; Diode's 0 reads +1."""
    value, g, state = inputs(case)
    kept = ("inertia", "t", "kept") if case.name == "inertia_sgd" else ("t", "kept")
    state = state._replace(
        **{
            name: np.zeros_like(x)
            for name, x in state._asdict().items()
            if x is not None and name not in kept
        }
    )
    before = np.ones_like(value) if case.name == "diode" else case.bits(value)
    for _ in range(3):
        value, state = step(value, np.zeros_like(g), state, **case.hyper)
        assert_array_equal(case.bits(value), before)


@pytest.mark.parametrize("case", [c for c in CASES if c.exact], ids=lambda c: c.label)
def test_runs_exactly_on_fractions(case):
    """Against float64 on dyadic numbers short enough that no step of theirs rounds."""
    random = np.random.default_rng(1)
    hyper = {
        key: x if isinstance(x, str) else round(x * 4) / 4 or 0.25 for key, x in case.hyper.items()
    }
    value, g, state = inputs(case, (60,), np.float64)
    state = type(state)(*(x if x is None or np.ndim(x) == 0 else quarters(x) for x in state))
    if case.kind != "w":
        value = quarters(value)
    exact_value, exact_state = fractions(value), type(state)(*map(fractions, state))
    for _ in range(5):
        g = quarters(random.normal(size=60))
        value, state = case.step(value, g, state, **hyper)
        exact_value, exact_state = case.step(exact_value, fractions(g), exact_state, **hyper)
        for name, x in state._asdict().items():
            if isinstance(x, np.ndarray):
                assert_array_equal(fractions(x), getattr(exact_state, name))
                assert all(type(entry) is Fraction for entry in getattr(exact_state, name))
        assert_array_equal(fractions(value), exact_value)


def quarters(x):
    return np.round(x * 4) / 4


def fractions(x):
    if not isinstance(x, np.ndarray):
        return x
    return np.array([Fraction(float(entry)) for entry in x], dtype=object)


def test_wrong_words_name_the_valid_ones():
    for case in CASES:
        for key, word in case.hyper.items():
            if isinstance(word, str):
                value, g, state = inputs(case, (1,))
                for step in (case.step, compiled(case)) if case in COMPILED else (case.step,):
                    with pytest.raises(ValueError, match=f"{key} must be one of .*{word}"):
                        step(value, g, state, **(case.hyper | {key: "other"}))


def test_compiled_form_refuses_arrays_it_would_misread():
    case = CASES[0]
    w, g, state = inputs(case, (8,))
    with pytest.raises(TypeError, match="contiguous"):
        kernels.bop_update(np.ones(16, np.int8)[::2], g, state, **case.hyper)
    with pytest.raises(TypeError, match="float64"):
        kernels.bop_step(w, g.astype(np.float64), state, **case.hyper)
    with pytest.raises(TypeError, match="shape"):
        kernels.bop_step(w[:4], g, state, **case.hyper)

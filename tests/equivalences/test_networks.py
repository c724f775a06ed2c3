"""Equivalences on whole networks: no sign differs, and the controls drift."""

import numpy as np
import pytest

import minibnn as bnn
from minibnn import InputError
from minibnn.equivalences.networks import PRESETS, Preset, Side, compare_sides
from minibnn.ops.threads import compute_threads

every_preset = pytest.mark.parametrize("name", PRESETS)


@pytest.fixture(scope="module")
def digits():
    return bnn.data.load("digits")


def small_net(seed=0):
    return bnn.zoo.digits_net(filters=8, dense_units=24, seed=seed)


@every_preset
def test_no_sign_differs(name, digits):
    result = compare_sides(name, small_net(), digits, steps=25)
    first, twin, control = (side.name for side in result.sides)
    assert result.ok
    assert not result.differing[twin].any()
    assert result.reals[twin] == 0
    assert result.differing[control][-1].sum() > 0
    assert result.first_difference(twin) is None
    assert result.first_difference(control) >= 1
    assert result.flips > 100  # the network moves
    assert result.sentence(twin) == f"0 of {result.weights:,} signs differ after 25 steps"
    rounding = 1e-6 if result.sides[1].backwards else 0  # a mean over the batch, in another order
    np.testing.assert_allclose(result.losses[first], result.losses[twin], rtol=rounding)
    assert (result.losses[first] != result.losses[control]).any()


@every_preset
def test_number_of_threads_changes_nothing(name, digits):
    runs = []
    for threads in (1, 2):
        with compute_threads(threads):
            runs.append(compare_sides(name, small_net(), digits, steps=6))
    for side in runs[0].sides:
        np.testing.assert_array_equal(*(run.losses[side.name] for run in runs))
    control = runs[0].sides[-1].name
    np.testing.assert_array_equal(*(run.differing[control] for run in runs))


def test_the_network_given_is_left_alone(digits):
    net = small_net()
    before = net.state_dict()
    compare_sides("inertia", net, digits, steps=2)
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


def test_steps_go_on_over_the_end_of_an_epoch(digits):
    result = compare_sides("hysteresis", small_net(), digits, steps=4, batch_size=1000)
    assert result.steps == 4
    assert result.ok


@pytest.mark.parametrize(
    ("name", "steps", "line"),
    [("x", 1, "preset must be one of sgd-decay-is-bop, .*, found 'x'"), ("inertia", 0, "steps")],
)
def test_no_preset_and_no_steps(name, steps, line, digits):
    with pytest.raises(InputError, match=line):
        compare_sides(name, small_net(), digits, steps=steps)


def test_a_twin_that_differs_is_found(digits, monkeypatch):
    """The comparison can fail: the twin's optimizer is that of the control."""
    preset = PRESETS["loss-scale"]

    def sides(net):
        first, twin, control = preset.sides(net)
        return [first, Side("scaled", twin.words, control.optimizer, 2.0), control]

    monkeypatch.setitem(PRESETS, "loss-scale", Preset("E6", "", sides))
    result = compare_sides("loss-scale", small_net(), digits, steps=5)
    assert not result.ok
    assert result.first_difference("scaled") is not None


@pytest.mark.slow
@every_preset
@pytest.mark.parametrize("threads", [1, 2])
def test_digits_for_200_steps(name, digits, threads):
    with compute_threads(threads):
        assert compare_sides(name, bnn.zoo.digits_net(), digits, steps=200).ok


@pytest.mark.slow
@every_preset
@pytest.mark.parametrize("threads", [1, 2])
def test_cifar10_for_100_steps(name, shared_cifar, threads):
    data = bnn.data.load("cifar10", shared_cifar)
    net = bnn.zoo.binarynet(filters=32, dense_units=256)
    with compute_threads(threads):
        assert compare_sides(name, net, data, steps=100, augment="paper").ok


def test_mirror_takes_two_dense_layers_the_first_normalised(digits):
    nn, norm = bnn.nn, lambda: bnn.nn.BatchNorm(scale=True)

    def net(*layers):
        return nn.Sequential([*layers, nn.BinaryDense(10), norm()], digits.input_shape)

    good = net(nn.Flatten(), nn.BinaryDense(16), norm(), nn.Sign())
    assert compare_sides("mirror", good, digits, steps=5).ok
    convolution = nn.BinaryConv2D(4, 3), norm(), nn.Sign(), nn.Flatten()
    for layers in [nn.Flatten()], [nn.Flatten(), nn.BinaryDense(16), nn.Sign()], convolution:
        with pytest.raises(InputError, match="two binary dense layers at its end"):
            compare_sides("mirror", net(*layers), digits, steps=5)

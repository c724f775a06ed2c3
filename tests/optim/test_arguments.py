"""The optimizers' arguments: checked when they are set, and what they are checked for."""

import numpy as np
import pytest

from minibnn import optim
from minibnn.errors import InputError


def test_arguments_are_attributes_and_stay_checked():
    bop = optim.Bop(gamma=1e-3, threshold=1e-6)
    assert (bop.gamma, bop.threshold, bop.rule, bop.average) == (1e-3, 1e-6, "strict", "convex")
    bop.gamma = 0.5
    assert bop.config()["gamma"] == 0.5
    with pytest.raises(InputError, match=r"bop: gamma must be a number in \(0, 1\].*found 2"):
        bop.gamma = 2
    assert bop.gamma == 0.5
    assert repr(bop).startswith("Bop(gamma=0.5, threshold=1e-06")


@pytest.mark.parametrize(
    "make_one, message",
    [
        (lambda: optim.Bop(gamma=0), r"bop: gamma must be a number in \(0, 1\].*found 0"),
        (lambda: optim.Bop(gamma=float("nan")), "found nan"),
        (lambda: optim.Bop(gamma=True), "found True"),
        (lambda: optim.Bop(gamma=[0.1]), r"found \[0.1\]"),
        (lambda: optim.Bop(threshold=-1e-9), r"threshold must be a number in \[0, inf\)"),
        (lambda: optim.Bop(gamma=optim.linear(2.0, 0.0)), r"gamma .*found PolynomialDecay"),
        (lambda: optim.Bop(rule="eq6"), "rule must be one of strict, inclusive, larq, found 'eq6'"),
        (lambda: optim.LatentSGD(momentum=1), r"momentum must be a number in \[0, 1\)"),
        (lambda: optim.LatentSGD(lr=-1), r"lr must be a number in \(0, inf\)"),
        (lambda: optim.LatentSGD(clip=0), "clip must be .* or none; found 0"),
        (lambda: optim.LatentSGD(decay="l2"), "decay must be one of shrink, coupled, decoupled"),
        (lambda: optim.LatentSGD(initial=-1), "a number >= 0, glorot_uniform, glorot_normal or"),
        (lambda: optim.SchmittSGD(initial=np.ones(2)), "or a dict of arrays by parameter name"),
        (lambda: optim.LatentSGD(seed=1.5), "seed must be an integer"),
        (lambda: optim.LatentSGD(lr_scaling="xavier"), "lr_scaling must be one of glorot, none"),
        (lambda: optim.LatentAdam(beta_2=1.0), r"beta_2 must be a number in \[0, 1\)"),
        (lambda: optim.Bop2ndOrder(sigma=0), r"sigma must be a number in \(0, 1\]"),
        (lambda: optim.CEMA(alpha=2), r"alpha must be a number in \(0, 1\]"),
        (lambda: optim.IntegerBop(unit=0.3), "unit must be a power of two; found 0.3"),
        (lambda: optim.IntegerBop(rounding="floor"), "rounding must be one of zero, nearest, fo"),
        (lambda: optim.Adam(epsilon=0), r"epsilon must be a number in \(0, inf\)"),
        (lambda: optim.Adam(epsilon=1e-50), r"epsilon .*; found 1e-50, in float32 0\.0$"),
        (lambda: optim.Adam(beta_2=1 - 1e-9), r"found 0\.999999999, in float32 1\.0$"),
        (lambda: optim.SGD(lr=1e39), r"found 1e\+39, in float32 inf$"),
        (lambda: optim.SGD(lr=10**400), r"found 10+, in float32 inf$"),
        (lambda: optim.Adam(beta_1="linear:0.9:1"), r"beta_1 .*found 'linear:0.9:1'"),
        (lambda: optim.Adam(epsilon="linear:1e-7:0"), r"epsilon .*found 'linear:1e-7:0'"),
        (lambda: optim.Bop2ndOrder(gamma="linear:1e-2:0"), r"gamma .*found 'linear:1e-2:0'"),
    ],
)
def test_arguments_out_of_range(make_one, message):
    with pytest.raises(InputError, match=message):
        make_one()


def test_a_decay_may_come_near_what_it_must_not_reach():
    assert optim.Adam(epsilon="exp:1e-3:0.5:10%").config()["epsilon"] == "exp:0.001:0.5:10%"
    assert optim.Adam(lr="linear:1e-3:0").config()["lr"] == "linear:0.001:0.0"  # no division

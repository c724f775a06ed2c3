"""SGD and Adam for real parameters."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.rounding import adam_rate, constants
from minibnn.optim.arguments import Divisor, Positive, Share
from minibnn.optim.optimizer import StepOptimizer


class SGDState(NamedTuple):
    """What gradient descent keeps beside a real parameter or a latent weight."""

    velocity: np.ndarray | None  # like the value; None without momentum


def sgd_step(value, g, state, *, lr, momentum=0.0):
    """One step of gradient descent: returns the new (value, state), the inputs are untouched.

    value and g are floats of one shape; lr is epsilon, momentum is mu.

    >>> sgd_step(np.float32([1]), np.float32([2]), SGDState(None), lr=0.25)[0]
    array([0.5], dtype=float32)
    """
    lr, mu = constants(value.dtype, lr, momentum)
    if np.any(momentum) or state.velocity is not None:
        g = mu * state.velocity + g  # v = mu v + g
        state = state._replace(velocity=g)
    return value - lr * g, state


class AdamState(NamedTuple):
    """What Adam keeps of a parameter."""

    m: np.ndarray  # like the value: moving average of gradients
    v: np.ndarray  # like the value: moving average of their squares
    t: int = 0  # steps taken


def adam_step(value, g, state, *, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """One step of Adam: returns the new (value, state), the inputs are untouched.

    value and g are floats of one shape; beta_1 and beta_2 in [0, 1) say how much of the averages
    is kept. The form is Keras', in which epsilon stands outside the bias correction: Kingma and Ba
    (arXiv 1412.6980), section 2's faster order of computation.

    >>> state = AdamState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    >>> adam_step(np.float32([1]), np.float32([0.5]), state, lr=0.125, epsilon=0)[0]
    array([0.875], dtype=float32)
    """
    lr, beta_1, beta_2, epsilon = constants(value.dtype, lr, beta_1, beta_2, epsilon)
    t = state.t + 1
    rate = adam_rate(lr, beta_1, beta_2, t)
    m = beta_1 * state.m + (1 - beta_1) * g
    v = beta_2 * state.v + (1 - beta_2) * (g * g)
    return value - rate * m / (np.sqrt(v) + epsilon), type(state)(m, v, t)


class MomentumOptimizer(StepOptimizer):
    """An optimizer with the argument ``momentum``; its state has a velocity unless that is 0."""

    def __setattr__(self, name, value):
        if name == "momentum" and vars(self).get("_states"):
            now = self.arguments[name].check(f"{self.kind}: {name}", value)
            if bool(now) != bool(self.momentum):
                words = f"momentum, once trained with, cannot become {now} from {self.momentum}"
                raise InputError(f"{self.kind}: {words}: without momentum no velocity is kept")
        super().__setattr__(name, value)

    def kept(self):
        return tuple(f for f in super().kept() if f != "velocity" or self.momentum)


@dataclass(eq=False)
class SGD(MomentumOptimizer):
    """Gradient descent for real parameters; see ``sgd_step``."""

    lr: Positive = 0.01
    momentum: Share = 0.0

    kind = "sgd"
    trains = "real"
    state_class = SGDState
    step_function = sgd_step


@dataclass(eq=False)
class Adam(StepOptimizer):
    """Adam for real parameters; see ``adam_step``."""

    lr: Positive = 0.001
    beta_1: Share = 0.9
    beta_2: Share = 0.999
    epsilon: Divisor = 1e-7

    kind = "adam"
    trains = "real"
    state_class, counters = AdamState, ("t",)
    step_function = adam_step

"""SGD and Adam for real parameters."""

from typing import ClassVar, NamedTuple

import numpy as np

from minibnn.ops.hyperparameters import adam_rate, constant
from minibnn.optim.arguments import Number
from minibnn.optim.optimizer import Optimizer


class SGDState(NamedTuple):
    """What gradient descent keeps of a real parameter.

    Parameters
    ----------
    velocity : float array like the value, or None
        Unused without momentum.
    """

    velocity: np.ndarray | None


def sgd_step(value, g, state, *, lr, momentum=0.0):
    """One step of gradient descent, with momentum v <- mu v + g.

    Parameters
    ----------
    value, g : float arrays of one shape
    state : SGDState
    lr, momentum : float
        epsilon and mu.

    Returns
    -------
    value : of the same type
    state : SGDState

    Examples
    --------
    >>> sgd_step(np.float32([1]), np.float32([2]), SGDState(None), lr=0.25)[0]
    array([0.5], dtype=float32)
    """
    lr, mu = constant(lr, value.dtype), constant(momentum, value.dtype)
    if np.any(momentum):
        g = mu * state.velocity + g
        state = state._replace(velocity=g)
    return value - lr * g, state


class AdamState(NamedTuple):
    """What Adam keeps of a parameter.

    Parameters
    ----------
    m : float array like the value
        Moving average of gradients.
    v : float array like the value
        Moving average of their squares.
    t : int
        Steps taken.
    """

    m: np.ndarray
    v: np.ndarray
    t: int = 0


def adam_step(value, g, state, *, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """One step of Adam in Keras' form: epsilon stands outside the bias correction.

    Parameters
    ----------
    value, g : float arrays of one shape
    state : AdamState
    lr : float
    beta_1, beta_2 : float
        How much of the averages is kept, in [0, 1).
    epsilon : float

    Returns
    -------
    value : of the same type
    state : AdamState

    Notes
    -----
    Kingma and Ba (arXiv 1412.6980), section 2's faster order of computation.

    Examples
    --------
    >>> state = AdamState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    >>> adam_step(np.float32([1]), np.float32([0.5]), state, lr=0.125, epsilon=0)[0]
    array([0.875], dtype=float32)
    """
    t = state.t + 1
    rate = adam_rate(lr, beta_1, beta_2, t, value.dtype)
    beta_1, beta_2, epsilon = (constant(x, value.dtype) for x in (beta_1, beta_2, epsilon))
    m = beta_1 * state.m + (1 - beta_1) * g
    v = beta_2 * state.v + (1 - beta_2) * (g * g)
    return value - rate * m / (np.sqrt(v) + epsilon), type(state)(m, v, t)


class SGD(Optimizer):
    """Gradient descent for real parameters, with momentum v <- mu v + g.

    Parameters
    ----------
    lr, momentum : float or schedule
    """

    kind = "sgd"
    trains = "real"
    arguments: ClassVar = {"lr": Number("(0, inf)"), "momentum": Number("[0, 1)")}
    state_class = SGDState
    step_function = sgd_step
    update = "sgd_update"

    def __init__(self, lr=0.01, momentum=0.0):
        super().__init__(lr=lr, momentum=momentum)

    def _start(self, p):
        return SGDState(np.zeros(p.shape, p.value.dtype) if self.momentum else None)


class Adam(Optimizer):
    """Adam for real parameters, in Keras' form.

    Parameters
    ----------
    lr, beta_1, beta_2, epsilon : float or schedule
        See ``adam_step``.
    """

    kind = "adam"
    trains = "real"
    arguments: ClassVar = {
        "lr": Number("(0, inf)"),
        "beta_1": Number("[0, 1)"),
        "beta_2": Number("[0, 1)"),
        "epsilon": Number("(0, inf)", divides=True),
    }
    state_class, counters = AdamState, ("t",)
    step_function = adam_step
    update = "adam_update"

    def __init__(self, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        super().__init__(lr=lr, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)

    def _start(self, p):
        return AdamState(np.zeros(p.shape, p.value.dtype), np.zeros(p.shape, p.value.dtype))

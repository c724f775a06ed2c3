"""What the optimizer classes share: arguments and schedules, state per parameter, the check that
every gradient is a number. The mathematics is in the step functions of the other modules.
"""

import copy
from typing import ClassVar, NamedTuple

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.backend import backend_name
from minibnn.optim import schedules
from minibnn.optim.arguments import ARRAYS


class NonFiniteError(ArithmeticError):
    """A gradient holds NaN or infinity; nothing has been written.

    Parameters
    ----------
    parameter : str
        Name of the parameter; also an attribute.
    """

    def __init__(self, parameter):
        super().__init__(f"the gradient of {parameter} holds NaN or infinity")
        self.parameter = parameter


class Inertia(NamedTuple):
    """What keeps binary weights where they are, for telemetry."""

    values: np.ndarray  # like the parameter, >= 0
    threshold: float | None  # to be exceeded for a flip, as in force at the last step
    symbol: str  # of the values, such as "|m|"


def compiled():
    """The module of compiled step functions, or None where the NumPy ones are to run."""
    if backend_name() != "numba":
        return None
    from minibnn.ops.kernels import optim as kernels  # compiles: only when asked for

    return kernels


def check_gradients(parameters):
    """Raise unless every parameter has a finite gradient of its shape."""
    kernels = compiled()
    for p in parameters:
        if p.grad is None:
            raise InputError(f"{p.name} has no gradient yet: run backward before step")
        if p.grad.shape != p.shape:
            raise InputError(
                f"the gradient of {p.name} must have shape {p.shape}, found {p.grad.shape}"
            )
        if not (kernels.all_finite(p.grad) if kernels else np.isfinite(p.grad).all()):
            raise NonFiniteError(p.name)


def count_flips(w, new):
    """Entries of two ±1 arrays that differ, an int."""
    return int(np.count_nonzero(w != new))


class Optimizer:
    """State per parameter around a step function; each argument is a checked attribute.

    A subclass names its command-line ``kind``, its ``arguments`` with what they may be, the
    ``state_class`` of a parameter (a NamedTuple of float32 arrays like it, and ``counters``), its
    ``step_function`` and the ``update`` of ``ops.kernels.optim`` that does the same in place.
    """

    kind = ""
    trains = "binary"  # or "real": which parameters
    arguments: ClassVar[dict] = {}
    start_arguments = ("initial", "seed", "lr_scaling")  # not for the step function
    state_class: ClassVar = None
    counters = ()  # fields of the state that are whole numbers
    step_function = None
    update = ""

    def __init__(self, **arguments):
        for name, value in arguments.items():
            setattr(self, name, value)
        self.iterations = 0
        self._span = None  # (steps per epoch, steps in all)
        self._before = 0  # iterations before the run whose span that is
        self._states = {}
        self._versions = {}

    def __setattr__(self, name, value):
        if name in self.arguments:
            value = self.arguments[name].check(f"{self.kind}: {name}", value)
            if (
                name == "momentum"
                and vars(self).get("_states")
                and bool(self.momentum) != bool(value)
            ):
                raise InputError(
                    f"{self.kind}: momentum, once trained with, cannot become {value} from "
                    f"{self.momentum}: without momentum no velocity is kept"
                )
        object.__setattr__(self, name, value)

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({arguments.partition(', ')[2]})"

    # -- schedules ---------------------------------------------------------------------------

    def bind(self, steps_per_epoch, total_steps):
        """Tell the schedules that a run begins, and how long an epoch and the run are.

        Parameters
        ----------
        steps_per_epoch, total_steps : int

        Returns
        -------
        the optimizer itself
        """
        self._span, self._before = (steps_per_epoch, total_steps), self.iterations
        return self

    def hyperparameters(self, step=None):
        """Arguments of the step function as they stand at a step.

        Parameters
        ----------
        step : int, optional
            As ``iterations`` counts them; the next one if left out.

        Returns
        -------
        dict of name to value
        """
        step = self.iterations if step is None else step
        names = (name for name in self.arguments if name not in self.start_arguments)
        return {name: self._at(getattr(self, name), step) for name in names}

    def inertia(self, parameter):
        """What keeps a parameter's weights where they are.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia, or None if the optimizer knows of none
        """

    def _in_force(self, value):
        """A hyperparameter as the last step used it, in float32."""
        return float(np.float32(self._at(value, max(self.iterations - 1, 0))))

    def _at(self, value, step):
        if not isinstance(value, schedules.SCHEDULES):
            return value
        value = value.bind(*self._span) if self._span else value
        return value(max(step - self._before, 0))

    # -- steps -------------------------------------------------------------------------------

    def step(self, parameters):
        """Train each parameter by its gradient, but for those that are not trainable.

        Parameters
        ----------
        parameters : iterable of Parameter

        Returns
        -------
        dict of parameter name to number of flips
            Of the binary ones.

        Raises
        ------
        InputError
            For a parameter of the wrong kind or without a gradient.
        NonFiniteError
            For NaN or infinity in a gradient. In both cases nothing has been written.
        """
        parameters = [p for p in parameters if p.trainable]
        check_gradients(parameters)
        return self.apply(parameters)

    def apply(self, parameters):
        """``step`` for gradients that are known to be finite.

        Parameters
        ----------
        parameters : list of Parameter

        Returns
        -------
        dict of parameter name to number of flips
            Of the binary ones.
        """
        self.prepare(parameters)
        hyper = self.hyperparameters()
        flips = {p.name: self._train(p, hyper) for p in parameters}
        self.iterations += 1
        return flips if self.trains == "binary" else {}

    def prepare(self, parameters):
        """Make the state of parameters not met before, without training them.

        Parameters
        ----------
        parameters : iterable of Parameter

        Raises
        ------
        InputError
            For a parameter of the wrong kind, or one that does not fit its state.
        """
        for p in parameters:
            if (found := "binary" if p.binary else "real") != self.trains:
                raise InputError(
                    f"{self.kind} trains {self.trains} parameters, and {p.name} is {found}: "
                    f"use Split(binary=..., real=...)"
                )
            if p.name not in self._states:
                self._states[p.name] = self._start(p)
            self._check_shapes(p)
            if self._versions.get(p.name) != p.version:
                self._assigned(p)
                self._versions[p.name] = p.version

    def _start(self, p):
        """State of a parameter at its first step."""
        raise NotImplementedError

    def _assigned(self, p):
        """Adapt the state to values that somebody else has written into a parameter."""

    def _train(self, p, hyper):
        """One step of one parameter; returns the number of entries it flipped."""
        state, g = self._states[p.name], np.asarray(p.grad, np.float32)
        with p.writable() as value:
            if kernels := compiled():
                update = getattr(kernels, self.update)
                flips, self._states[p.name] = update(value, g, state, **hyper)
                return int(flips)
            new, self._states[p.name] = type(self).step_function(value, g, state, **hyper)
            flips = count_flips(value, new) if p.binary else 0
            value[...] = new
        return flips

    # -- configuration and state --------------------------------------------------------------

    def config(self):
        """The arguments as a plain dict that fits into JSON; ``from_config`` reads it.

        Returns
        -------
        dict
        """
        return {"kind": self.kind} | {name: _plain(getattr(self, name)) for name in self.arguments}

    def state_dict(self):
        """Copies of the state.

        Returns
        -------
        dict of name to array
            "iterations", "start" if there were some before this run, and "PARAMETER/FIELD" for
            every array of a parameter's state.
        """
        arrays = {"iterations": np.array(self.iterations, np.int64)}
        if self._before:
            arrays["start"] = np.array(self._before, np.int64)
        for name, state in self._states.items():
            for field, value in self._arrays(state).items():
                arrays[f"{name}/{field}"] = np.array(value)
        return arrays

    def load_state_dict(self, arrays):
        """Take over what ``state_dict`` gave.

        Parameters
        ----------
        arrays : dict of name to array

        Raises
        ------
        InputError
            If its fields are another optimizer's, or hold what no step leaves behind; nothing
            changes then.
        """
        found, counts = {}, {"start": 0}
        for key, value in arrays.items():
            name, slash, field = key.rpartition("/")
            if slash and field not in self.counters:
                found.setdefault(name, {})[field] = self._floats(key, value)
            elif slash:
                found.setdefault(name, {})[field] = self._count(key, value)
            elif key in ("iterations", "start"):
                counts[key] = self._count(key, value)
            else:
                raise InputError(f"{self.kind}: state has no entry {key!r}")
        if "iterations" not in counts:
            raise InputError(f"{self.kind}: state lacks the entry 'iterations'")
        for name, fields in found.items():
            if set(fields) != set(self._field_names()):
                raise InputError(
                    f"{self.kind}: state of {name} must be {', '.join(self._field_names())}; "
                    f"found {', '.join(sorted(fields))}"
                )
        self._states = {name: self._restore(fields) for name, fields in found.items()}
        self._versions = {}
        self.iterations, self._before = counts["iterations"], counts["start"]

    def state_bytes(self):
        """Bytes of state held, the parameters themselves not counted.

        Returns
        -------
        int
        """
        return sum(
            value.nbytes
            for state in self._states.values()
            for value in self._arrays(state).values()
            if isinstance(value, np.ndarray)
        )

    def copy(self):
        """An independent optimizer with the same arguments and state.

        Returns
        -------
        of the same class
        """
        return copy.deepcopy(self)

    def _field_names(self):
        kept = self.state_class._fields
        return kept if vars(self).get("momentum") else tuple(n for n in kept if n != "velocity")

    def _arrays(self, state):
        return {name: value for name, value in state._asdict().items() if value is not None}

    def _restore(self, fields):
        return self.state_class(**{name: fields.get(name) for name in self.state_class._fields})

    def _floats(self, key, value):
        array = np.asarray(value)
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise InputError(f"{self.kind}: state {key} must be finite numbers")
        return np.array(array, np.float32, order="C")

    def _count(self, key, value):
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.ndim or array < 0:
            raise InputError(f"{self.kind}: state {key} must be a whole number from 0 on")
        return int(array)

    def _check_shapes(self, p):
        for field, value in self._arrays(self._states[p.name]).items():
            if field not in self.counters and value.shape != p.shape:
                raise InputError(
                    f"{self.kind}: state {p.name}/{field} must have shape {p.shape}, "
                    f"found {value.shape}"
                )


def _plain(value):
    if isinstance(value, dict):
        return ARRAYS
    return str(value) if isinstance(value, schedules.SCHEDULES) else value


def start_array(optimizer, initial, p):
    """Array ``initial[p.name]`` of a start given by parameter name, checked, in float32."""
    if initial == ARRAYS:
        raise InputError(f"{optimizer.kind}: start arrays are not in a configuration: load a state")
    if p.name not in initial:
        raise InputError(f"{optimizer.kind}: initial has no array for {p.name}")
    array = np.array(initial[p.name], np.float32, order="C")
    if array.shape != p.shape or not np.isfinite(array).all():
        raise InputError(
            f"{optimizer.kind}: initial[{p.name!r}] must be finite and of shape {p.shape}, "
            f"found {array.shape}"
        )
    return array

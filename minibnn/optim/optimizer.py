"""What optimizers are built on: ``StepOptimizer`` has arguments, schedules, a state per parameter.

``Split`` sends a network's bits to one of them and its real parameters to another. The mathematics
is in the step functions of the other modules, each beside its class.
"""

import copy
import inspect
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple, get_args, get_origin

import numpy as np

from minibnn.errors import InputError, check_shape, integer, ours
from minibnn.ops.backend import ops
from minibnn.optim.arguments import ARRAYS
from minibnn.optim.schedules import Schedule


class NonFiniteError(ArithmeticError):
    """A gradient holds NaN or infinity; nothing has been written. ``parameter`` is its name."""

    def __init__(self, parameter: str):
        super().__init__(f"the gradient of {parameter} holds NaN or infinity")
        self.parameter = parameter


class Inertia(NamedTuple):
    """What keeps binary weights where they are, for telemetry."""

    values: np.ndarray  # like the parameter, >= 0
    threshold: float | None  # to pass for a flip, as in force at the last step
    symbol: str  # of the values, such as "|m|"


class Optimizer:
    """What trains parameters by their gradients: a ``StepOptimizer``, or a ``Split`` of two."""

    kind = ""

    def step(self, parameters):
        """Train each parameter, but for those that are not trainable, by its gradient.

        Returns {name: number of flips} of the binary ones. Raises InputError for a parameter of
        the wrong kind or without a gradient, and NonFiniteError for NaN or infinity in one; in
        both cases nothing has been written.
        """
        parameters = [p for p in parameters if p.trainable]
        check_gradients(parameters)
        kernels = None  # where the NumPy step functions are to run
        if ops.backend == "numba":
            from minibnn.ops.kernels import optim as kernels  # compiles: only when asked for
        steps, flips = [], {}
        for part, own in self.routes(parameters):
            part.meet(own)
            steps.append((part, own, part.hyperparameters()))
        for part, own, hyper in steps:
            flips |= part.train(own, hyper, kernels)
        return flips

    def prepare(self, parameters):
        """Make the state of new trainable parameters; InputError for the wrong kind or shape."""
        for part, own in self.routes([p for p in parameters if p.trainable]):
            part.meet(own)

    def copy(self):
        """An independent optimizer of the same class, arguments and state."""
        return copy.deepcopy(self)

    def routes(self, parameters):
        """Pairs of a StepOptimizer and the parameters that it trains."""
        raise NotImplementedError


def check_gradients(parameters):
    """Raise unless every parameter has a finite gradient of its shape."""
    for p in parameters:
        if p.grad is None:
            raise InputError(f"{p.name} has no gradient yet: run backward before step")
        if p.grad.shape != p.shape:
            check_shape(p.grad.shape, p.shape, f"the gradient of {p.name}")
        g = p.grad  # the quickest sum that tells, which may overflow
        if not (np.isfinite(np.vdot(g, g)) or np.isfinite(g).all()):
            raise NonFiniteError(p.name)


class StepOptimizer(Optimizer):
    """A step function with its hyperparameters, and a state for every parameter.

    A subclass is a dataclass whose fields are its arguments. It names its ``kind`` on the command
    line, the parameters it ``trains``, and its ``step_function`` with the ``state_class``. If
    ``ops.kernels.optim`` has NAME_update, that does in place what NAME_step does. Those arguments
    that the step function names are handed to it; the others say how a state starts.
    """

    trains = "binary"  # or "real"
    arguments: ClassVar[dict] = {}  # what each may be, by name
    handed = ()  # those that the step function gets
    state_class: ClassVar = None  # a NamedTuple of arrays like the parameter
    dtype: ClassVar = np.float32  # of these arrays
    counters = ()  # fields of the state that are integers
    starts = ""  # the field that starts at ``initial``
    inert = ()  # field that keeps a weight where it is, the threshold (or its name), a symbol
    step_function = None
    update = ""  # the compiled form's name

    def __init_subclass__(cls):
        cls.arguments = {}
        for base in cls.__mro__:  # a class's own arguments first
            for name, hint in inspect.get_annotations(base).items():
                if get_origin(hint) is Annotated:
                    cls.arguments.setdefault(name, get_args(hint)[1])
        if cls.step_function:
            named = inspect.signature(cls.step_function).parameters
            cls.handed = [name for name in cls.arguments if name in named]
            step = cls.step_function
            plain = ours(step) and not hasattr(step, "__wrapped__")
            cls.update = step.__name__.replace("_step", "_update") if plain else ""

    def __post_init__(self):
        self.iterations = 0
        self._span = None  # (steps per epoch, steps in all)
        self._before = 0  # iterations before the run whose span that is
        self._bound = None  # the step function's arguments, schedules with spans in steps
        self._states, self._versions, self._used = {}, {}, None

    def __setattr__(self, name, value):
        if name in self.arguments:
            value = self.arguments[name].check(f"{self.kind}: {name}", value)
            object.__setattr__(self, "_bound", None)
        object.__setattr__(self, name, value)

    # -- schedules ---------------------------------------------------------------------------

    def bind(self, steps_per_epoch, total_steps):
        """Tell the schedules how long an epoch and the run are; returns the optimizer itself."""
        self._span, self._bound = (steps_per_epoch, total_steps), None
        self._before = self.iterations
        return self

    def hyperparameters(self, step=None):
        """Arguments of the step function at a step, as ``iterations`` counts, or at the next."""
        if self._bound is None:
            self._bound = {name: getattr(self, name) for name in self.handed}
            for name, value in self._bound.items():
                if self._span and isinstance(value, Schedule):
                    self._bound[name] = value.bind(*self._span)
        step = max((self.iterations if step is None else step) - self._before, 0)
        return {n: x(step) if isinstance(x, Schedule) else x for n, x in self._bound.items()}

    def in_force(self, name):
        """A hyperparameter as the last step used it, in float32."""
        last = self._used or self.hyperparameters(max(self.iterations - 1, 0))
        return np.float32(last[name])

    # -- steps -------------------------------------------------------------------------------

    def routes(self, parameters):
        return [(self, parameters)]

    def meet(self, parameters):
        """Make, or check, the states of parameters and adapt them to assigned values."""
        for p in parameters:
            if (found := "binary" if p.binary else "real") != self.trains:
                words = f"{p.name} is {found}: use Split(binary=..., real=...)"
                raise InputError(f"{self.kind} trains {self.trains} parameters, and {words}")
            if p.name not in self._states:
                self._states[p.name] = self._start(p)
            for field, value in zip(self.state_class._fields, self._states[p.name], strict=True):
                if isinstance(value, np.ndarray) and value.shape != p.shape:
                    check_shape(value.shape, p.shape, f"{self.kind}: state {p.name}/{field}")
            if self._versions.get(p.name) != p.version:
                self._assigned(p)
                self._versions[p.name] = p.version

    def train(self, parameters, hyper, kernels):
        """One step of parameters that have been met; returns {name: flips} of binary ones."""
        flips = {
            p.name: self._move(p, np.asarray(p.grad, np.float32), hyper, kernels)
            for p in parameters
        }
        vars(self).update(iterations=self.iterations + 1, _used=hyper)  # nothing to be checked
        return flips if self.trains == "binary" else {}

    def _start(self, p):
        """The state at a parameter's first step: zeros, but for the field that has a start."""
        start = {f: 0 if f in self.counters else np.zeros(p.shape, self.dtype) for f in self.kept()}
        return self._state(start | ({self.starts: self.start_values(p)} if self.starts else {}))

    def _assigned(self, p):
        """Adapt the state to values that somebody else has written into a parameter."""

    def _move(self, p, g, hyper, kernels):
        """One step of one parameter by its gradient g, float32; returns its number of flips."""
        state, value = self._states[p.name], p.writable()
        if update := getattr(kernels, self.update, None):
            flips, state = update(value, g, state, **hyper)
        else:
            new, state = type(self).step_function(value, g, state, **hyper)
            flips = np.count_nonzero(value != new) if p.binary else 0
            value[...] = new
        self._states[p.name] = state
        return int(flips)

    def inertia(self, parameter):
        """What keeps the weights of a trained ``parameter`` where they are: an Inertia, or None."""
        if not self.inert:
            return None
        field, threshold, symbol = self.inert
        values = np.asarray(getattr(self._states[parameter.name], field), np.float32)
        threshold = self.in_force(threshold) if isinstance(threshold, str) else threshold
        return Inertia(np.abs(values), threshold, symbol)

    # -- configuration and state --------------------------------------------------------------

    def config(self):
        """The arguments as a plain dict that fits into JSON; ``from_config`` reads it."""
        return {"kind": self.kind} | {name: _plain(getattr(self, name)) for name in self.arguments}

    def state_dict(self):
        """Copies of the state, {name: array}.

        Names are "iterations", "start" if there were some before this run, and "PARAMETER/FIELD"
        for every array of a parameter's state.
        """
        arrays = {"iterations": np.array(self.iterations, np.int64)}
        if self._before:
            arrays["start"] = np.array(self._before, np.int64)
        for name, state in self._states.items():
            for field, value in zip(state._fields, state, strict=True):
                if value is not None:
                    arrays[f"{name}/{field}"] = np.array(value)
        return arrays

    def load_state_dict(self, arrays):
        """Take over what ``state_dict`` gave.

        InputError if its fields are another optimizer's, or not finite; then nothing changes.
        """
        found, counts = {}, {"start": 0}
        for key, value in arrays.items():
            name, slash, field = key.rpartition("/")
            what = f"{self.kind}: state {key}"
            if slash:
                counter = field in self.counters
                value = integer(value, what) if counter else finite_array(value, what, self.dtype)
                found.setdefault(name, {})[field] = value
            elif key in ("iterations", "start"):
                counts[key] = integer(value, what)
            else:
                raise InputError(f"{self.kind}: state has no entry {key!r}")
        if "iterations" not in counts:
            raise InputError(f"{self.kind}: state lacks the entry 'iterations'")
        for name, values in found.items():
            if set(values) != set(self.kept()):
                kept, given = ", ".join(self.kept()), ", ".join(sorted(values))
                raise InputError(f"{self.kind}: state of {name} must be {kept}; found {given}")
        self._states = {name: self._state(values) for name, values in found.items()}
        self._versions, self._used = {}, None
        self.iterations, self._before = counts["iterations"], counts["start"]

    def state_bytes(self):
        """Bytes of state held, the parameters themselves not counted."""
        return sum(getattr(x, "nbytes", 0) for state in self._states.values() for x in state)

    def kept(self):
        """The fields of a state that are not None."""
        return self.state_class._fields

    def _state(self, values):
        """A state from {field: value}; fields that are not kept are None."""
        return self.state_class(*map(values.get, self.state_class._fields))

    def start_values(self, p):
        """The start ``initial``, float32: a number, or an array by parameter name, checked."""
        if isinstance(self.initial, float):
            return np.full(p.shape, self.initial, np.float32)
        if self.initial == ARRAYS:
            raise InputError(f"{self.kind}: start arrays are not in a configuration: load a state")
        if p.name not in self.initial:
            raise InputError(f"{self.kind}: initial has no array for {p.name}")
        what = f"{self.kind}: initial[{p.name!r}]"
        array = finite_array(self.initial[p.name], what)
        check_shape(array.shape, p.shape, what)
        return array


def finite_array(value, what, dtype=np.float32):
    """A copy in C order; InputError, calling it ``what``, unless ``dtype`` holds its numbers."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or not (np.abs(array) <= np.finfo(np.float32).max).all():
        raise InputError(f"{what} must be finite numbers")
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if (array != np.clip(np.rint(array, dtype=np.float64), -limits.max, limits.max)).any():
            raise InputError(f"{what} must be integers of {limits.bits} bits")
    return np.array(array, dtype, order="C")


def _plain(value):
    if isinstance(value, dict):
        return ARRAYS
    return str(value) if isinstance(value, Schedule) else value


@dataclass(eq=False)
class Split(Optimizer):
    """Sends every parameter to one of two optimizers by ``p.binary``.

    Parameters of a missing one cannot be trained. InputError for an optimizer in the other's place.

    >>> from minibnn.optim import SGD, Bop
    >>> Split(binary=Bop(gamma=0.01), real=SGD(lr=0.1)).parts().keys()
    dict_keys(['binary', 'real'])
    """

    binary: StepOptimizer | None = None
    real: StepOptimizer | None = None

    kind = "split"

    def __post_init__(self):
        for name, part in self.parts().items():
            if isinstance(part, type) or getattr(part, "trains", None) != name:
                raise InputError(f"split: {name} must train {name} parameters; found {part!r}")

    def parts(self):
        """{"binary": optimizer, "real": optimizer}, without one that is missing."""
        both = {"binary": self.binary, "real": self.real}
        return {name: part for name, part in both.items() if part is not None}

    @property
    def iterations(self):
        """Steps taken."""
        return max((part.iterations for part in self.parts().values()), default=0)

    def bind(self, steps_per_epoch: int, total_steps: int):
        """Tell the schedules how long an epoch and the run are; returns the optimizer itself."""
        for part in self.parts().values():
            part.bind(steps_per_epoch, total_steps)
        return self

    def routes(self, parameters):
        """Each part with its share of the parameters; InputError for one that none trains."""
        parts, shares = self.parts(), {"binary": [], "real": []}
        for p in parameters:
            name = "binary" if p.binary else "real"
            if name not in parts:
                raise InputError(f"split: no optimizer for the {name} parameter {p.name}")
            shares[name].append(p)
        return [(part, shares[name]) for name, part in parts.items()]

    def inertia(self, parameter):
        """What keeps the weights of a binary parameter where they are, if its optimizer knows."""
        return self.binary.inertia(parameter) if self.binary else None

    def config(self):
        """The arguments of both as a plain dict; ``from_config`` reads it."""
        return {"kind": self.kind} | {name: part.config() for name, part in self.parts().items()}

    def state_dict(self):
        """The states of both, {name: array}; names begin with "binary/" and "real/"."""
        return {
            f"{name}/{key}": array
            for name, part in self.parts().items()
            for key, array in part.state_dict().items()
        }

    def load_state_dict(self, arrays):
        """Take over the arrays of ``state_dict``; InputError if they are another optimizer's."""
        parts = self.parts()
        shares = {name: {} for name in parts}
        for key, array in arrays.items():
            name, _, rest = key.partition("/")
            if name not in parts:
                raise InputError(f"split of {' and '.join(parts)}: state has no entry {key!r}")
            shares[name][rest] = array
        for name, part in parts.items():
            part.load_state_dict(shares[name])

    def state_bytes(self):
        """Bytes of state held, the parameters themselves not counted."""
        return sum(part.state_bytes() for part in self.parts().values())

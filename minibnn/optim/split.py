"""Two optimizers for one network: one for its bits, one for its real parameters."""

from minibnn.errors import InputError
from minibnn.optim.optimizer import check_gradients


class Split:
    """Sends every parameter to ``binary`` or ``real`` by ``p.binary``; either may be None."""

    kind = "split"

    def __init__(self, binary=None, real=None):
        for name, optimizer in (("binary", binary), ("real", real)):
            if optimizer is not None and getattr(optimizer, "trains", None) != name:
                raise InputError(f"split: {name} must train {name} parameters; found {optimizer!r}")
        self.binary, self.real = binary, real

    def __repr__(self):
        return f"Split(binary={self.binary!r}, real={self.real!r})"

    def parts(self):
        """Name and optimizer of the parts that are there."""
        both = {"binary": self.binary, "real": self.real}
        return {name: optimizer for name, optimizer in both.items() if optimizer is not None}

    @property
    def iterations(self):
        return max((part.iterations for part in self.parts().values()), default=0)

    def bind(self, steps_per_epoch, total_steps):
        """Tell the schedules how long an epoch and the run are; returns self."""
        for part in self.parts().values():
            part.bind(steps_per_epoch, total_steps)
        return self

    def step(self, parameters):
        """Train every parameter; returns the number of flips of each binary one by name."""
        parameters = list(parameters)
        check_gradients(parameters)
        return self.apply(parameters)

    def apply(self, parameters):
        """``step`` for gradients that are known to be finite."""
        flips = {}
        for part, mine in self._routes(parameters):
            part.prepare(mine)
        for part, mine in self._routes(parameters):
            flips |= part.apply(mine)
        return flips

    def prepare(self, parameters):
        """Make the state of parameters not met before, without training them."""
        for part, mine in self._routes(parameters):
            part.prepare(mine)

    def inertia(self, parameter):
        """``Inertia`` of a binary parameter trained before, or None."""
        return self.binary.inertia(parameter) if self.binary else None

    def _routes(self, parameters):
        for name, optimizer in (("binary", self.binary), ("real", self.real)):
            mine = [p for p in parameters if p.binary == (name == "binary")]
            if optimizer is None and mine:
                raise InputError(f"split: no optimizer for the {name} parameter {mine[0].name}")
            if optimizer is not None:
                yield optimizer, mine

    def config(self):
        """The arguments of both as a plain dict; ``from_config`` reads it."""
        return {"kind": self.kind} | {name: part.config() for name, part in self.parts().items()}

    def state_dict(self):
        """The state of both, under "binary/..." and "real/..."."""
        return {
            f"{name}/{key}": array
            for name, part in self.parts().items()
            for key, array in part.state_dict().items()
        }

    def load_state_dict(self, arrays):
        """Take over what ``state_dict`` gave; InputError if it is another optimizer's."""
        parts = self.parts()
        for key in arrays:
            if key.partition("/")[0] not in parts:
                raise InputError(f"split of {' and '.join(parts)}: state has no entry {key!r}")
        for name, part in parts.items():
            cut = f"{name}/"
            part.load_state_dict(
                {key[len(cut) :]: array for key, array in arrays.items() if key.startswith(cut)}
            )

    def state_bytes(self):
        """Bytes of state held, the parameters themselves not counted."""
        return sum(part.state_bytes() for part in self.parts().values())

    def copy(self):
        """An independent optimizer with the same arguments and state."""
        return Split(**{name: part.copy() for name, part in self.parts().items()})

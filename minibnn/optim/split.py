"""Two optimizers for one network: one for its bits, one for its real parameters."""

from dataclasses import dataclass

from minibnn.errors import InputError
from minibnn.optim.optimizer import Optimizer, StepOptimizer


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
            if getattr(part, "trains", None) != name:
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
        shares = {"binary": [], "real": []}
        for p in parameters:
            shares["binary" if p.binary else "real"].append(p)
        parts = self.parts()
        for name, share in shares.items():
            for p in share if name not in parts else ():
                raise InputError(f"split: no optimizer for the {name} parameter {p.name}")
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

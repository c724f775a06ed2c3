"""Two optimizers for one network: one for its bits, one for its real parameters."""

from minibnn.errors import InputError
from minibnn.optim.optimizer import check_gradients


class Split:
    """Sends every parameter to one of two optimizers by ``p.binary``.

    Parameters
    ----------
    binary, real : Optimizer or None
        For binary and for real parameters. Those of a missing one cannot be trained.

    Raises
    ------
    InputError
        For an optimizer in the other's place.

    Examples
    --------
    >>> from minibnn.optim import SGD, Bop
    >>> Split(binary=Bop(gamma=0.01), real=SGD(lr=0.1)).parts().keys()
    dict_keys(['binary', 'real'])
    """

    kind = "split"

    def __init__(self, binary=None, real=None):
        for name, optimizer in (("binary", binary), ("real", real)):
            if optimizer is not None and getattr(optimizer, "trains", None) != name:
                raise InputError(f"split: {name} must train {name} parameters; found {optimizer!r}")
        self.binary, self.real = binary, real

    def __repr__(self):
        return f"Split(binary={self.binary!r}, real={self.real!r})"

    def parts(self):
        """The optimizers that are there.

        Returns
        -------
        dict of "binary", "real" to Optimizer
        """
        both = {"binary": self.binary, "real": self.real}
        return {name: optimizer for name, optimizer in both.items() if optimizer is not None}

    @property
    def iterations(self):
        """Steps taken."""
        return max((part.iterations for part in self.parts().values()), default=0)

    def bind(self, steps_per_epoch, total_steps):
        """Tell the schedules how long an epoch and the run are.

        Parameters
        ----------
        steps_per_epoch, total_steps : int

        Returns
        -------
        the optimizer itself
        """
        for part in self.parts().values():
            part.bind(steps_per_epoch, total_steps)
        return self

    def step(self, parameters):
        """Train every parameter by its gradient, but for those that are not trainable.

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
            For a parameter that no part trains, or one without a gradient.
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
        """
        flips = {}
        for part, mine in self._routes(parameters):
            part.prepare(mine)
        for part, mine in self._routes(parameters):
            flips |= part.apply(mine)
        return flips

    def prepare(self, parameters):
        """Make the state of parameters not met before, without training them.

        Parameters
        ----------
        parameters : list of Parameter
        """
        for part, mine in self._routes(parameters):
            part.prepare(mine)

    def inertia(self, parameter):
        """What keeps the weights of a binary parameter where they are.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia or None
        """
        return self.binary.inertia(parameter) if self.binary else None

    def _routes(self, parameters):
        for name, optimizer in (("binary", self.binary), ("real", self.real)):
            mine = [p for p in parameters if p.binary == (name == "binary")]
            if optimizer is None and mine:
                raise InputError(f"split: no optimizer for the {name} parameter {mine[0].name}")
            if optimizer is not None:
                yield optimizer, mine

    def config(self):
        """The arguments of both as a plain dict; ``from_config`` reads it.

        Returns
        -------
        dict
        """
        return {"kind": self.kind} | {name: part.config() for name, part in self.parts().items()}

    def state_dict(self):
        """The state of both.

        Returns
        -------
        dict of name to array
            Names begin with "binary/" and "real/".
        """
        return {
            f"{name}/{key}": array
            for name, part in self.parts().items()
            for key, array in part.state_dict().items()
        }

    def load_state_dict(self, arrays):
        """Take over what ``state_dict`` gave.

        Parameters
        ----------
        arrays : dict of name to array

        Raises
        ------
        InputError
            If it is another optimizer's.
        """
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
        """Bytes of state held, the parameters themselves not counted.

        Returns
        -------
        int
        """
        return sum(part.state_bytes() for part in self.parts().values())

    def copy(self):
        """An independent optimizer with the same arguments and state.

        Returns
        -------
        Split
        """
        return Split(**{name: part.copy() for name, part in self.parts().items()})

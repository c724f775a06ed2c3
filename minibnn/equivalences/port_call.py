"""Calling a step function that somebody else wrote, and checking the form of what comes back."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.entry import Broken


class Port:
    """A step function of somebody else's; calling it checks the form of what it returns.

    It works on copies, so it can spoil nothing but its own row. Raises Broken.
    """

    def __init__(self, step, rules):
        self.step, self.rules = step, rules

    def __call__(self, value, g, state, **hyper):
        return self.copied(self.raw(value.copy(), g.copy(), self.fresh(state, g), hyper), value, g)

    def fresh(self, state, g):
        """A state with an array of its own."""
        array = getattr(state, self.rules.field)
        return self.rules.state_type(np.zeros_like(g) if array is None else array.copy())

    def raw(self, value, g, state, hyper):
        """What the step function returns, whatever it is."""
        try:
            return self.step(value, g, state, **hyper)
        except (Exception, SystemExit) as error:
            words = " ".join(str(error).split())
            constants = ", ".join(f"{name}={x!s}" for name, x in hyper.items())
            raise Broken(
                f"it raised {type(error).__name__} at {constants} and arrays of shape {g.shape}"
                + (f": {words}" if words else "")
            ) from None

    def copied(self, result, value, g):
        """Copies of (value, state) as the library has them; Broken if their form is wrong."""
        rules = self.rules
        pair = f"({rules.value_name}, state)"
        if not isinstance(result, tuple | list) or len(result) != 2:
            found = f"{len(result)} things" if isinstance(result, tuple | list) else type_of(result)
            raise Broken(f"it must return {pair}, found {found}")
        new, state = result
        if not hasattr(state, rules.field):
            raise Broken(
                f"it must return {pair} with state.{rules.field}, found a state {type_of(state)}"
            )
        self._check_array(rules.value_name, new, value)
        if rules.kind == "bop":
            odd = new[(new != 1) & (new != -1)]
            if len(odd):
                raise Broken(f"every entry of w must be +1 or -1, found {odd[0]}")
        field = getattr(state, rules.field)
        if field is None and rules.kind == "sgd":
            field = np.zeros_like(g)  # unused without momentum
        self._check_array(f"state.{rules.field}", field, g)
        return new.copy(), rules.state_type(field.copy())

    def _check_array(self, name, found, like):
        if not isinstance(found, np.ndarray):
            raise Broken(f"{name} must be a NumPy array, found {type_of(found)}")
        if found.dtype != like.dtype:
            raise Broken(f"{name} must be {like.dtype} as it came, found {found.dtype}")
        if found.shape != like.shape:
            raise Broken(f"{name} must have shape {like.shape}, found {found.shape}")
        if like.dtype == object:
            odd = [x for x in found.reshape(-1) if not isinstance(x, Fraction | int)]
            if odd:
                raise Broken(f"{name} must stay Fractions, found {type_of(odd[0])}")
        elif not np.isfinite(found).all():
            raise Broken(f"{name} must be finite, found {found[~np.isfinite(found)][0]}")


def type_of(x):
    return f"of type {type(x).__name__}"

"""What a sweep can vary, and what the values of each may be.

A key is a hyperparameter of the binary optimizer (``gamma``), one of the real optimizer
(``real.lr``), or an option of ``minibnn train`` (``batch-size``). Values are kept as text, in one
form for each number, so that 1e-3 and 0.001 are the same value.
"""

import math
import re

from minibnn.errors import InputError
from minibnn.optim import parse_optimizer
from minibnn.optim.parse import change_arguments

# The optimizer a prefix of a key means, and the option that holds its text.
PREFIXES = {"": "optimizer", "real.": "real-optimizer"}


def _whole(low):
    def check(name, text):
        if not re.fullmatch(r"\d+", text) or int(text) < low:
            raise InputError(f"{name} must be a whole number from {low} on, found {text!r}")
        return int(text)

    return check


def _share(name, text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 16:
        raise InputError(f"{name} must be a number in (0, 16], found {text!r}")
    return value


def _yes_no(name, text):
    if text.lower() not in ("yes", "no", "true", "false"):
        raise InputError(f"{name} must be yes or no, found {text!r}")
    return text.lower() in ("yes", "true")


def _word(name, text):
    return text


def _optimizer(name, text):
    parse_optimizer(text)
    return text


WHOLE = {"batch-size": 1, "dense-units": 1, "epochs": 1, "filters": 1, "validation": 0}  # from on
OPTIONS = {
    **{name: _whole(low) for name, low in WHOLE.items()},
    "augment": _yes_no,
    "dataset": _word,
    "gradients": _word,
    "model": _word,
    "optimizer": _optimizer,
    "real-optimizer": _optimizer,
    "recipe": _word,
    "width": _share,
}


def text_of(value):
    """The one text of a value: numbers as short as exact, True and False as yes and no.

    >>> text_of(1e-3), text_of("1e-3"), text_of(50), text_of(0.0)
    ('0.001', '0.001', '50', '0')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value.strip()
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return "none" if value is None else str(value)


def key_name(name):
    """The name of a key as it is shown: options with hyphens."""
    return name.replace("_", "-") if name.replace("_", "-") in OPTIONS else name


def base_value(key, options):
    """The text a key has where it is not varied, or None if the options don't say."""
    if key in OPTIONS:
        value = options.get(key)
        return None if value is None else text_of(value)
    prefix, name = _split(key)
    spec = options.get(PREFIXES[prefix])
    if spec is None:
        return None
    _check_names(prefix, [name], options)
    return text_of(getattr(parse_optimizer(spec), name))


def apply(settings, options):
    """The options of one cell.

    Parameters
    ----------
    settings : dict of str to str
        The value of each key.
    options : dict
        The options all cells share, by name (with hyphens).

    Raises
    ------
    InputError for a key nobody knows, naming those there are, or a value out of range.
    """
    options = dict(options)
    changes = {prefix: {} for prefix in PREFIXES}
    for key, text in settings.items():
        if key in OPTIONS:
            options[key] = OPTIONS[key](key, text)
        else:
            prefix, name = _split(key)
            changes[prefix][name] = text
    for prefix, changed in changes.items():
        if not changed:
            continue
        option = PREFIXES[prefix]
        if option not in options:
            raise InputError(
                f"{prefix}{next(iter(changed))} belongs to an optimizer: name it by the option "
                f"{option}"
            )
        _check_names(prefix, changed, options)
        options[option] = change_arguments(options[option], changed)
    return options


def canonical(key, value, options):
    """The text of a key's value, checked against the options it will be used with."""
    text = text_of(value)
    changed = apply({key: text}, options)
    if key in OPTIONS:
        return text_of(changed[key])
    return base_value(key, changed)


def _split(key):
    prefix = "real." if key.startswith("real.") else ""
    return prefix, key.removeprefix(prefix)


def _check_names(prefix, changed, options):
    known = parse_optimizer(options[PREFIXES[prefix]]).arguments
    for name in changed:
        if name not in known:
            raise InputError(f"{prefix}{name} is no key of a sweep; {known_keys(options)}")


def known_keys(options):
    """All keys there are with these options, in words."""
    parts = []
    for prefix, option in PREFIXES.items():
        if option in options:
            optimizer = parse_optimizer(options[option])
            names = ", ".join(f"{prefix}{name}" for name in optimizer.arguments)
            parts.append(f"of {optimizer.kind}: {names}")
    return "; ".join([*parts, f"options: {', '.join(OPTIONS)}"])

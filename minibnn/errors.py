"""The one exception for what a user can get wrong."""

import re
import sys
from contextlib import suppress
from importlib import import_module
from numbers import Real
from operator import index

LONGEST = 1000  # characters of a message: somebody's 5,000 digits are not repeated to the last


class InputError(ValueError):
    """A bad argument, file or folder; the message is one line a user can act on.

    The ``message`` names the argument or file, what was expected and what was found. The command
    line prints it without a traceback and exits with 2. Whatever a file's name or content brings
    into it, it stays one printable line: see ``one_line``.
    """

    def __init__(self, message=""):
        super().__init__(one_line(message))


def integer(value, name, low=0, high=None):
    """``value`` as an int from ``low`` to ``high``, or on; else InputError, calling it ``name``."""
    with suppress(TypeError):
        number = index(value)
        if not isinstance(value, bool) and low <= number and (high is None or number <= high):
            return number
    span = f"from {low} on" if high is None else f"from {low} to {high}"
    raise InputError(f"{name} must be an integer {span}, found {value!r:.60}")


def number(value, name, words, fits):
    """``value`` as a float that ``fits``; else InputError: ``name`` must be ``words``."""
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # of a long int
            if fits(found := float(value)):
                return found
    raise InputError(f"{name} must be {words}, found {value!r:.60}")


def one_of(value, name, known):
    """``value``, one of the ``known`` words; else InputError, calling it ``name``."""
    if isinstance(value, str) and value in known:
        return value
    raise InputError(f"{name} must be one of {', '.join(known)}, found {value!r:.60}")


def check_shape(found, wanted, name):
    """InputError, calling it ``name``, unless the shape ``found`` is the one ``wanted``."""
    if found != wanted:
        raise InputError(f"{name} must have shape {wanted}, found {found}")


def ours(it):
    """Whether a class or function is minibnn's, not one's own."""
    return getattr(it, "__module__", "").partition(".")[0] == "minibnn"


def one_line(text):
    """Text as one line that any terminal shows as it is.

    Ends of lines become spaces, what cannot be printed (control characters, text that runs the
    other way, bytes of a name that are no text) becomes its escape, and the middle of a very long
    text is left out.

    >>> print(one_line("a\\nfile\\x1b[2J"))
    a file\\x1b[2J
    """
    words = re.sub(r"\s*[^\S ]\s*", " ", str(text))  # white space other than spaces
    words = printable(words.strip())
    if len(words) > LONGEST:
        words = f"{words[: LONGEST * 2 // 3]} [...] {words[-LONGEST // 4 :]}"
    return words


def import_extra(module, extra, words):
    """A ``module`` that an ``extra`` installs; else InputError, by ``words`` of what needs it."""
    try:
        return import_module(module)
    except ImportError:
        raise InputError(f'{words}: pip install "minibnn[{extra}]"') from None


def say(text):
    """One line on standard error; a closed terminal, or a log on a full disk, loses it."""
    with suppress(OSError):
        print(f"minibnn: {one_line(text)}\n", end="", file=sys.stderr, flush=True)


def printable(text):
    """A text that any terminal shows as it is: what cannot be printed becomes its escape.

    >>> print(printable("  two\\nlines\\x1b[2J"))
      two\\nlines\\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

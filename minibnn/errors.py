"""The one exception for what a user can get wrong."""


class InputError(ValueError):
    """A bad argument, file or folder; the message is one line a user can act on.

    It names the argument or file, what was expected and what was found. The command line
    prints it without a traceback and exits with 2.
    """

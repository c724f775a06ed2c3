"""JSON files, read without trusting them."""

import json

from minibnn.errors import InputError

MOST_JSON = 1 << 26  # bytes; no description of a run or a sweep comes near


def read_json(path):
    """The value in a JSON file, a Path; else InputError."""
    try:
        if path.stat().st_size > MOST_JSON or path.is_char_device():  # which may never end
            raise InputError(f"{path} is damaged: it is no file of up to {MOST_JSON >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is damaged: it is not JSON") from None

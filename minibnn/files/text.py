"""JSON files, read without trusting them."""

import json

from minibnn.errors import InputError

MOST_JSON = 1 << 26  # bytes; no description of a run or a sweep comes near


def read_json(path):
    """The value in a JSON file, a Path; else InputError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_JSON + 1)  # a device tells no size, and may not end
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > MOST_JSON:
        raise InputError(f"{path} is damaged: it has more than {MOST_JSON >> 20} MiB")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is damaged: it is not JSON") from None

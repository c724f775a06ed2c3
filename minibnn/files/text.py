"""JSON files, read without trusting them."""

import json
from pathlib import Path

MOST_JSON = 1 << 26  # bytes; no description of a run or a sweep comes near


def read_json(path):
    """The value in a JSON file.

    Raises OSError if the file cannot be read, and ValueError with a short reason for all that is
    wrong with its content: no text, no JSON, too deep for the interpreter, too large.
    """
    with Path(path).open("rb") as file:
        content = file.read(MOST_JSON + 1)
    if len(content) > MOST_JSON:
        raise ValueError(f"it has more than {MOST_JSON >> 20} MiB")
    return parse_json(content)


def parse_json(content):
    """The value in bytes that should be JSON in UTF-8; ValueError for anything else."""
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None

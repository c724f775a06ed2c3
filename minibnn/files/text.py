"""JSON files, read without trusting them."""

import json
import os
from pathlib import Path

MOST_JSON = 1 << 26  # bytes; no description of a run or a sweep comes near


def read_json(path):
    """The value in a JSON file.

    Raises OSError if the file cannot be read, and ValueError with a short reason for all that is
    wrong with its content: no text, no JSON, too deep for the interpreter, too large.
    """
    with Path(path).open("rb") as file:
        if os.fstat(file.fileno()).st_size > MOST_JSON:
            raise ValueError(f"it has more than {MOST_JSON >> 20} MiB")
        content = file.read()
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None

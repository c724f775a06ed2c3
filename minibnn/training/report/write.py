"""A report's file: there as a whole, or not at all."""

from pathlib import Path

from minibnn.errors import InputError
from minibnn.files.atomic import write_atomic
from minibnn.training.report.page import page


def check_report_path(path):
    """``path`` as a Path; InputError unless it can be the file of a page."""
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"a report must end in .html or .htm, found {path}")
    if path.is_dir():
        raise InputError(f"a report must be a file, and {path} is a folder")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    return path


def write_report(path, title, subjects, sweeps=(), commands=()):
    """Write ``page``, of the same arguments, to ``path``, which ends in .html or .htm."""
    path = check_report_path(path)
    write_atomic(path, page(title, subjects, sweeps, commands).encode())

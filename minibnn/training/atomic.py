"""``minibnn.files.atomic``, under the name it had while only training wrote files."""

import os

from minibnn.files.atomic import commit, stage, staged, write_atomic

__all__ = ["commit", "os", "stage", "staged", "write_atomic"]

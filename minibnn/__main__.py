"""``python -m minibnn`` is the command ``minibnn``."""

import sys

from minibnn.cli import main

if __name__ == "__main__":
    sys.exit(main())

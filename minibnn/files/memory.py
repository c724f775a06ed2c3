"""How much memory there is, to refuse at once what can never fit."""

import os


def machine_memory():
    """Bytes of memory of this machine; a large number where it cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 40

"""One archive into the user's cache, with checksum and progress, by pooch."""

import logging
import sys

from minibnn.errors import InputError


def fetch(url, sha256, name, download, progress):
    """Path of the file ``name`` in the user's cache, downloaded from ``url`` if it isn't there.

    InputError if that fails, or its checksum is wrong (the file is not kept). For ``progress`` and
    ``download`` see ``minibnn.data.load``.
    """
    import pooch  # only a download needs it

    folder = pooch.os_cache("minibnn")
    path = folder / name
    if path.is_file() and pooch.file_hash(str(path), "sha256") == sha256:
        return path
    advice = f"fetch {url} yourself and name its folder with --data-dir or MINIBNN_DATA"
    if not download:
        raise InputError(f"{path}: not in the cache (or damaged), and download is off; {advice}")
    bar = _Bar(name)
    downloader = pooch.HTTPDownloader(progressbar=progress is not False and bar, chunk_size=1 << 20)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        pooch.retrieve(url, f"sha256:{sha256}", name, folder, downloader=downloader)
    except OSError as error:  # requests' errors are OSErrors, some ValueErrors too
        why = error.strerror or getattr(error.__cause__, "strerror", None)  # pooch says some anew
        reason = f"{folder}: {why}" if why else f"no network? {type(error).__name__}"
        if (response := getattr(error, "response", None)) is not None:
            response.close()
            reason = f"the server says {response.status_code} {response.reason}"
        raise InputError(f"{url}: could not be downloaded ({reason}); {advice}") from error
    except ValueError as error:
        text = f"{url}: expected SHA-256 {sha256[:16]}..., found another (checksum mismatch)"
        raise InputError(f"{text}; the download was thrown away; {advice}") from error
    finally:
        logger.setLevel(level)
        bar.close()
    return path


class _Bar:
    """The progress bar pooch talks to; on a terminal one line that is written again and again."""

    def __init__(self, name):
        self.name, self.total, self.done = name, 0, 0

    def update(self, count):
        begun, self.done = self.done > 0, self.done + count
        size = f"{self.total / 1e6:.0f} MB"
        if sys.stderr.isatty():
            text = f"\rdownloading {self.name}: {min(self.done, self.total) / 1e6:.0f} of {size}"
            print(text, end="", file=sys.stderr, flush=True)
        elif not begun:
            print(f"downloading {self.name} ({size})", file=sys.stderr, flush=True)

    def reset(self):
        """Pooch resets and updates once more at the end."""

    def close(self):
        if self.done and sys.stderr.isatty():
            print(file=sys.stderr)
        self.done = 0

"""One archive into the user's cache, with checksum and progress, by pooch."""

import logging
import sys
from pathlib import Path

from minibnn.errors import InputError


def fetch(url, sha256, name, download=True, progress=None):
    """Path of the file ``name`` in the user's cache, downloaded from ``url`` if it isn't there.

    ``progress`` is None (a line on standard error), False (nothing) or a callable
    ``progress(bytes_so_far, bytes_in_all)``. InputError without network, for a wrong checksum (the
    file is not kept), or if the file is not there and ``download`` is False.
    """
    import pooch  # only a download needs it

    folder = Path(pooch.os_cache("minibnn"))
    path = folder / name
    if path.is_file() and pooch.file_hash(str(path), "sha256") == sha256:
        return path
    advice = f"fetch {url} yourself and name its folder with --data-dir or MINIBNN_DATA"
    if not download:
        raise InputError(f"{path}: not in the cache (or damaged), and download is off; {advice}")
    bar = _Bar(name, progress)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        pooch.retrieve(
            url,
            f"sha256:{sha256}",
            fname=name,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 20),
        )
    except ValueError as error:
        raise InputError(
            f"{url}: expected SHA-256 {sha256[:16]}..., found another (checksum mismatch); "
            f"the download was thrown away; {advice}"
        ) from error
    except OSError as error:  # requests' errors are OSErrors, and so is a full disk
        reason = error.strerror or f"no network? {type(error).__name__}"
        if (response := getattr(error, "response", None)) is not None:
            response.close()
            reason = f"the server says {response.status_code} {response.reason}"
        raise InputError(f"{url}: could not be downloaded ({reason}); {advice}") from error
    finally:
        logger.setLevel(level)
        bar.close()
    return path


class _Bar:
    """The progress bar pooch talks to: attributes total, update, reset, close."""

    def __init__(self, name, progress):
        self.name, self.report = name, self._line if progress is None else progress
        self.total = self.done = self.told = 0

    def update(self, count):
        self.done += count
        if self.report:
            self.report(min(self.done, self.total), self.total)

    def reset(self):  # pooch resets and updates once more at the end
        self.done = 0

    def close(self):
        if self.told and sys.stderr.isatty():
            print(file=sys.stderr)
        self.told = 0

    def _line(self, done, total):
        """Rewrite one line on a terminal; elsewhere say once that a download has begun."""
        if sys.stderr.isatty():
            text = f"\rdownloading {self.name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
            print(text, end="", file=sys.stderr, flush=True)
        elif not self.told:
            print(f"downloading {self.name} ({total / 1e6:.0f} MB)", file=sys.stderr, flush=True)
        self.told += 1

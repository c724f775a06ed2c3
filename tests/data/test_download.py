"""Downloads from a server on this machine; no test goes further."""

import hashlib
import http.server
import socket
import threading
from functools import partial
from unittest.mock import Mock

import pytest
from cifar_files import binary_contents, random_images, write_archive
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import cifar10, load

ARCHIVE = "cifar-10-binary.tar.gz"


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A running server of the folder ``served``; ``.asked`` lists what was asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.asked, running.folder = [], folder
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", 20)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MINIBNN_DATA", raising=False)
    import pooch

    folder = pooch.os_cache("minibnn")
    if tmp_path not in folder.parents:
        pytest.skip(f"the user's cache is not below XDG_CACHE_HOME here but {folder}")
    return folder


@pytest.fixture
def offered(server, cache, monkeypatch):
    """The archive on the server, its address and checksum in place of the official ones."""
    path = write_archive(
        server.folder / ARCHIVE, "cifar-10-batches-bin", binary_contents(*random_images())
    )
    monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{server.server_port}/{ARCHIVE}")
    official = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(cifar10.SHA256, ARCHIVE, official)
    return path


def refused(match, **arguments):
    with pytest.raises(InputError, match=match) as caught:
        load("cifar10", **arguments)
    assert "\n" not in str(caught.value)


def test_the_archive_is_downloaded_once(offered, server, cache, capsys):
    images, labels = random_images()
    data = load("cifar10")
    assert_array_equal(data.train_images, images[:100])
    assert_array_equal(data.test_labels, labels[100:])
    assert capsys.readouterr().err == f"downloading {ARCHIVE} (0 MB)\n"
    load("cifar10")
    assert server.asked == [f"/{ARCHIVE}"]
    assert capsys.readouterr().err == ""
    assert [path.name for path in cache.iterdir()] == [ARCHIVE]
    assert_array_equal(load("cifar10", download=False).train_labels, labels[:100])


def test_a_checksum_mismatch_is_refused_and_leaves_nothing(offered, cache, monkeypatch):
    offered.write_bytes(offered.read_bytes() + b"\0")
    refused("expected SHA-256 .*checksum mismatch", progress=False)
    assert list(cache.iterdir()) == []


def test_what_is_not_there_or_damaged_is_fetched_unless_download_is_off(
    offered, server, cache, capsys
):
    refused("not in the cache .or damaged., and download is off", download=False)
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ARCHIVE).write_bytes(b"half a downl")
    refused("not in the cache .or damaged., and download is off", download=False)
    assert server.asked == []
    load("cifar10", progress=False)
    assert server.asked == [f"/{ARCHIVE}"]
    assert capsys.readouterr().err == ""  # nor is progress told


def test_a_missing_page_is_named(offered, cache):
    offered.unlink()
    refused("could not be downloaded .the server says 404.*MINIBNN_DATA", progress=False)
    assert list(cache.iterdir()) == []


def test_no_network_is_one_clear_line(offered, cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as nobody:  # then nothing listens
        port = nobody.getsockname()[1]
    monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{port}/{ARCHIVE}")
    refused("could not be downloaded .no network.*--data-dir or MINIBNN_DATA", progress=False)


def test_a_cache_that_may_not_be_written_is_named(cache, monkeypatch):
    denied = PermissionError(13, "Permission denied")
    monkeypatch.setattr("pooch.utils.os.makedirs", Mock(side_effect=denied))
    refused(f"could not be downloaded .{cache}: Permission denied", progress=False)


def test_a_connection_that_breaks_off_leaves_nothing(offered, server, cache, monkeypatch):
    def half(handler):
        content = offered.read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])

    monkeypatch.setattr(Handler, "do_GET", half)
    refused("could not be downloaded|checksum mismatch", progress=False)
    assert list(cache.iterdir()) == []


def test_the_official_archive_is_what_is_fetched():
    assert cifar10.URL == "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    assert [len(digest) for digest in cifar10.SHA256.values()] == [64, 64]

"""Networks in files: what comes back, what is refused, and that a failed write loses nothing."""

import errno
import os
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import nn
from minibnn.errors import InputError
from minibnn.files import checkpoint

pytestmark = pytest.mark.usefixtures("reference_backend")


def small(seed=0):
    sign = nn.Sign({"name": "ste_sign", "clip_value": np.float32(0.5)})  # which JSON does not hold
    layers = [nn.BinaryConv2D(5, 3), nn.BatchNorm(), sign, nn.Flatten(), nn.BinaryDense(3)]
    return nn.Sequential([*layers, nn.BatchNorm(scale=True)], (4, 5, 1), seed=seed)


@pytest.fixture
def saved(tmp_path):
    net = small()
    net.forward(np.random.default_rng(0).integers(0, 256, (8, 4, 5, 1), dtype=np.uint8), True)
    path = tmp_path / "net.npz"
    net.save(path)
    return net, path


def test_a_network_comes_back(saved):
    net, path = saved
    again = nn.load_network(path)
    assert again.config() == net.config()
    for name, value in net.state_dict().items():
        assert_array_equal(again.state_dict()[name], value)
        assert again.state_dict()[name].dtype == value.dtype


def test_the_file_holds_bits_and_is_the_same_every_time(saved, tmp_path):
    net, path = saved
    with np.load(path, allow_pickle=False) as file:
        assert file["network/dense1/kernel"].size == -(-100 * 3 // 8)
        first = net.layers[0].kernel.value.ravel()[:8]
        assert file["network/conv1/kernel"][0] == sum(2**k for k in range(8) if first[k] < 0)
    net.save(str(tmp_path / "again"))  # the name is kept as it is
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["again", "net.npz"]


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_file_that_is_cut_off(saved, keep):
    _, path = saved
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(InputError, match=r"net\.npz is"):
        nn.load_network(path)


def rewrite(path, arrays=None, **meta):
    """Another file with a right checksum."""
    old, content = checkpoint.read(path)
    path.write_bytes(checkpoint.encode(old | meta, content | (arrays or {})))


def test_other_content_under_the_old_checksum(saved):
    _, path = saved
    with np.load(path) as file:
        content = dict(file)
    content["network/batch_norm1/beta"] += 1
    np.savez(path, **content)
    with pytest.raises(InputError, match="its checksum is not that of its content"):
        nn.load_network(path)


def test_what_is_no_network(saved, tmp_path):
    net, path = saved
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(InputError, match=r"other\.npz .*no network or checkpoint"):
        nn.load_network(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(InputError, match=r"array\.npy is cut off or damaged"):
        nn.load_network(tmp_path / "array.npy")
    rewrite(path, network=net.config() | {"kind": "else"})
    with pytest.raises(InputError, match="network must be one of Sequential, found 'else'"):
        nn.load_network(path)


def test_arrays_that_do_not_fit_the_configuration(saved):
    _, path = saved
    for name, array, found in (
        ("dense1/kernel", np.zeros((100, 3)), "is binary: every entry must be"),
        ("else", np.zeros(2), r"array else must have shape none, found \(2,\)"),
    ):
        rewrite(path, {f"network/{name}": array})
        with pytest.raises(InputError, match=f"does not fit its own configuration: .*{found}"):
            nn.load_network(path)


def test_a_file_that_asks_for_more_than_it_holds_is_refused_before(saved):
    net, path = saved
    config = net.config()
    config["layers"][4].update(units=10**8)
    rewrite(path, network=config)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"net.npz does not fit .* shape \(100, 100000000\)"):
        nn.load_network(path)
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


def test_nothing_in_a_file_is_executed(tmp_path):
    path, canary = tmp_path / "evil.npz", tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return canary.touch, ()

    np.savez(path, meta=np.array([Evil()], object))
    with pytest.raises(InputError, match="pickled objects: refused"):
        nn.load_network(path)
    assert not canary.exists()


def test_a_full_disk_keeps_the_old_file(saved, monkeypatch):
    _, path = saved
    before = path.read_bytes()

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)  # what was written before is beside
    with pytest.raises(InputError, match=r"cannot write .*net\.npz: No space left on device"):
        small(seed=1).save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["net.npz"]


def test_where_no_file_can_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="Is a directory"):
        small().save("")
    assert not os.listdir()
    with pytest.raises(InputError, match=r"cannot write .*: Is a directory"):
        small().save(tmp_path)
    assert not tmp_path.with_name(f"{tmp_path.name}.new").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"cannot write .*pipe: File exists"):
        small().save(tmp_path / "pipe")

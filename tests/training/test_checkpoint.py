"""Checkpoints: the same bytes for the same state, read back exactly, and nothing else accepted."""

import shutil

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal
from small_runs import fit, small_net

import minibnn as bnn
from minibnn.files import checkpoint

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9)


@given(hnp.arrays(np.int8, SHAPES, elements=st.sampled_from([-1, 1])) | hnp.arrays(np.int8, SHAPES))
def test_what_goes_in_comes_out(tmp_path_factory, array):
    """Other types of arrays: test_archive."""
    path = tmp_path_factory.mktemp("c") / "c.npz"
    path.write_bytes(checkpoint.encode({"epoch": 3}, {"a": array, "b": np.int64(7)}))
    meta, found = checkpoint.read(path)
    assert meta["epoch"] == 3
    assert (found["b"], found["b"].dtype) == (7, np.int64)
    assert found["a"].dtype == np.int8
    assert_array_equal(found["a"], array, strict=True)


def test_equal_states_give_equal_bytes_in_any_order():
    one, other = np.ones((3, 5), np.int8), np.float32([0.5, -0.0, 3e-39])
    bytes_ = checkpoint.encode({"a": 1, "b": 2}, {"c": one, "d": other})
    assert bytes_ == checkpoint.encode({"b": 2, "a": 1}, {"d": other, "c": one})


@pytest.fixture
def saved(a_run):
    return a_run / "checkpoint.npz"


def test_it_knows_no_paths(finished_run):
    path = finished_run / "checkpoint.npz"
    meta, _ = checkpoint.read(path)
    assert set(meta) == {
        "epoch", "format", "network", "signs", "step", "stopped", "sums", "version",
    }  # fmt: skip
    assert str(finished_run).encode() not in path.read_bytes()


def test_cut_off_anywhere(saved):
    data = saved.read_bytes()
    for keep in (0, 1, 100, len(data) // 2, len(data) - 1):
        saved.write_bytes(data[:keep])
        with pytest.raises(bnn.InputError, match=r"checkpoint.npz is cut off or damaged"):
            checkpoint.read(saved)


def test_one_flipped_bit_anywhere(saved):
    data = saved.read_bytes()
    meta, arrays = checkpoint.read(saved)
    for at in range(0, len(data), 97):
        damaged = bytearray(data)
        damaged[at] ^= 4
        saved.write_bytes(damaged)
        try:
            again, found = checkpoint.read(saved)
        except bnn.InputError:
            continue
        # Some bytes of a zip mean nothing (its attributes): then nothing may have changed.
        assert again == meta
        for name, array in arrays.items():
            assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (checkpoint.VERSION + 1, r"newer minibnn \(format version 2, .* upgrade"),
        (0, "has no version"),
        (-1, "has no version"),
        (True, "has no version"),
    ],
)
def test_another_version(saved, monkeypatch, version, message):
    meta, arrays = checkpoint.read(saved)
    monkeypatch.setattr(checkpoint, "VERSION", version)
    saved.write_bytes(checkpoint.encode(meta, arrays))
    monkeypatch.undo()
    with pytest.raises(bnn.InputError, match=message):
        fit(saved.parent, resume=True)


def test_other_files(tmp_path):
    path = tmp_path / "other.npz"
    path.write_text("epoch,name")
    with pytest.raises(bnn.InputError, match="cut off or damaged"):
        checkpoint.read(path)
    np.savez(path, a=np.ones(3))
    with pytest.raises(bnn.InputError, match="no network or checkpoint of minibnn"):
        checkpoint.read(path)
    np.savez(path, meta=np.frombuffer(b'{"format": "else"}', np.uint8))
    with pytest.raises(bnn.InputError, match="no network or checkpoint of minibnn"):
        checkpoint.read(path)
    np.savez(path, meta=np.array({"a": print}, dtype=object))  # a pickle
    with pytest.raises(bnn.InputError, match="pickled objects"):
        checkpoint.read(path)


@pytest.mark.parametrize("other", [{"net": small_net(filters=5)}, {"spec": "latent-sgd"}])
def test_from_another_model_or_optimizer(saved, tmp_path, other):
    fit(tmp_path / "other", epochs=1, **other)
    shutil.copy(tmp_path / "other/checkpoint.npz", saved)
    with pytest.raises(bnn.InputError, match="is from another model or optimizer: "):
        fit(saved.parent, epochs=4, resume=True)

"""Checkpoints: the same bytes for the same state, read back exactly, and nothing else accepted."""

import io
import json
import zipfile

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from numpy.testing import assert_array_equal
from small_runs import fit, small_net

import minibnn as bnn
from minibnn.files import checkpoint

ARRAYS = {
    "network/a/kernel": np.where(np.arange(3 * 5) % 3, 1, -1).astype(np.int8).reshape(3, 5),
    "network/a/beta": np.float32([0.5, -0.0, 3e-39]),
    "optimizer/iterations": np.int64(7),
    "optimizer/empty": np.zeros((0, 4), np.float32),
}


@given(
    arrays=st.dictionaries(
        st.text(st.sampled_from("abc/_1"), min_size=1),
        hnp.arrays(
            st.sampled_from([np.int8, np.float32, np.float64, np.int64, np.uint8]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
        )
        | hnp.arrays(np.int8, hnp.array_shapes(max_side=9), elements=st.sampled_from([-1, 1])),
        max_size=4,
    )
)
@example(arrays=ARRAYS)
def test_what_goes_in_comes_out(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("c") / "c.npz"
    path.write_bytes(checkpoint.encode({"epoch": 3}, arrays))
    meta, found = checkpoint.read(path)
    assert meta["epoch"] == 3
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_signs_take_a_bit_each():
    signs = np.where(np.random.default_rng(0).integers(0, 2, (128, 999)), 1, -1).astype(np.int8)
    assert len(checkpoint.encode({}, {"w": signs})) < signs.size / 8 + 1500


def test_equal_states_give_equal_bytes_in_any_order():
    backwards = dict(reversed(ARRAYS.items()))
    assert checkpoint.encode({"a": 1, "b": 2}, ARRAYS) == checkpoint.encode(
        {"b": 2, "a": 1}, backwards
    )


def test_it_is_a_plain_npz_without_pickles_paths_or_clocks(tmp_path):
    fit(tmp_path / "run")
    path = tmp_path / "run/checkpoint.npz"
    with np.load(path, allow_pickle=False) as file:
        meta = json.loads(file["meta"].tobytes())
        assert all(file[name].dtype != object for name in file.files)
    assert set(meta) == {
        "epoch", "format", "network", "signs", "step", "stopped", "sums", "version",
    }  # fmt: skip
    assert {e.date_time for e in zipfile.ZipFile(path).infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert str(tmp_path).encode() not in path.read_bytes()


@pytest.fixture
def saved(tmp_path):
    fit(tmp_path / "run", epochs=1)
    return tmp_path / "run/checkpoint.npz"


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


def test_a_changed_array_with_a_right_zip(saved):
    with np.load(saved) as file:
        members = {name: file[name] for name in file.files}
    name = next(name for name in members if name.endswith("/m"))
    members[name] = members[name] + 1
    with saved.open("wb") as file:
        np.savez(file, **members)
    with pytest.raises(bnn.InputError, match="damaged"):
        checkpoint.read(saved)


def test_newer_version(saved, monkeypatch):
    meta, arrays = checkpoint.read(saved)
    monkeypatch.setattr(checkpoint, "VERSION", checkpoint.VERSION + 1)
    saved.write_bytes(checkpoint.encode(meta, arrays))
    monkeypatch.undo()
    with pytest.raises(bnn.InputError, match=r"newer minibnn \(format version 2, .* upgrade"):
        checkpoint.read(saved)
    with pytest.raises(bnn.InputError, match="newer minibnn"):
        fit(saved.parent, resume=True)


@pytest.mark.parametrize("version", [0, -1, True])
def test_a_version_that_never_was(saved, monkeypatch, version):
    meta, arrays = checkpoint.read(saved)
    monkeypatch.setattr(checkpoint, "VERSION", version)
    saved.write_bytes(checkpoint.encode(meta, arrays))
    monkeypatch.undo()
    with pytest.raises(bnn.InputError, match="has no version"):
        checkpoint.read(saved)


def test_other_files(tmp_path):
    path = tmp_path / "other.npz"
    with pytest.raises(bnn.InputError, match=r"other.npz does not exist"):
        checkpoint.read(path)
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


def test_from_another_model_or_optimizer(tmp_path):
    fit(tmp_path / "run")
    for other in ({"net": small_net(filters=5)}, {"spec": "latent-sgd"}):
        fit(tmp_path / "other", force=True, **other)
        stolen = (tmp_path / "other/checkpoint.npz").read_bytes()
        (tmp_path / "run/checkpoint.npz").write_bytes(stolen)
        with pytest.raises(bnn.InputError, match="is from another model or optimizer: "):
            fit(tmp_path / "run", epochs=4, resume=True)


def test_a_pickle_inside_is_not_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / "executed").write_text, ("boom",)

    file = io.BytesIO()
    np.savez(file, meta=np.array([Bomb()], dtype=object))
    (tmp_path / "checkpoint.npz").write_bytes(file.getvalue())
    with pytest.raises(bnn.InputError):
        bnn.load(tmp_path / "checkpoint.npz")
    assert not (tmp_path / "executed").exists()

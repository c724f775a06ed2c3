"""What the fuzzers have found, one case each."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from damaged import array_bytes

from minibnn import data, nn
from minibnn.cli import main
from minibnn.errors import InputError
from minibnn.files import archive, checkpoint
from minibnn.training import load
from minibnn.training.about import settings_of
from minibnn.training.metrics import COLUMNS, read_rows
from minibnn.training.run_folder import read_config
from minibnn.training.telemetry import Telemetry, read_telemetry


@pytest.mark.parametrize(
    "text",
    [
        *("[1]", '{"data": []}', '{"epochs": null}', '{"epochs": true}', '{"epochs": -1}'),
        *('{"optimizers": {"a": 1}}', '{"options": {"dataset": 5}}', '{"mpi": [2]}'),
        '{"options": {"test_share": [0.2]}}',
        "[" * 3000,  # RecursionError
    ],
)
def test_config(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_config(tmp_path)
    why = "it does not describe a run" if len(text) < 3000 else "it is not JSON"
    assert str(caught.value) == f"{tmp_path}/config.json is damaged: {why}"


def test_reading_json_takes_no_more_memory_than_it_has_text(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    tracemalloc.start()
    read_config(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("row", [",a,1,1,,,3,0,1", "1,a,,1,,,3,0,1", "1,a,1,1,,,,0,1"])
def test_metrics_without_what_every_epoch_has(tmp_path, row):
    (tmp_path / "metrics.csv").write_text(f"{','.join(COLUMNS)}\n{row}\n")
    with pytest.raises(InputError, match="line 2: not a row of 9 values"):
        read_rows(tmp_path / "metrics.csv")


def test_a_cell_too_long_for_csv(tmp_path):
    cell = '"' + "9" * 200_000 + '"'
    (tmp_path / "metrics.csv").write_text(f"{','.join(COLUMNS)}\n{cell}\n")
    with pytest.raises(InputError, match=r"is no metrics.csv: field larger"):
        read_rows(tmp_path / "metrics.csv")


def test_telemetry_between_infinite_edges(tmp_path):
    arrays = Telemetry().arrays()
    np.savez(tmp_path / "telemetry.npz", **arrays | {"edges": np.full(147, np.inf)})
    with pytest.raises(InputError, match="edges must be ascending"):
        read_telemetry(tmp_path / "telemetry.npz")


def test_class_names_that_are_numbers_take_no_memory_of_theirs():
    images, labels, names = np.zeros((2, 2, 2), np.uint8), [0, 1], np.zeros(3_000_000, np.uint8)
    tracemalloc.start()
    with pytest.raises(InputError, match="classes must be a sequence of names"):
        data.from_arrays(images, labels, images, labels, names)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_recipe_and_names_that_are_numbers():
    found = settings_of({"options": {"recipe": 3}, "network": {"name": 4}, "minibnn": 5})
    assert found == {"recipe": "3", "network": "4", "minibnn": "5"}


def test_telemetry_compressed_by_what_takes_memory_of_its_own(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as zipped:
        for name, array in Telemetry().arrays().items():
            zipped.writestr(f"{name}.npy", array_bytes(array))
    (tmp_path / "telemetry.npz").write_bytes(file.getvalue())
    with pytest.raises(InputError, match="is compressed"):
        read_telemetry(tmp_path / "telemetry.npz")


@pytest.mark.parametrize("version", [None, "1", [], 1.5])
def test_checkpoint_of_an_odd_version(tmp_path, version):
    text = json.dumps({"format": checkpoint.FORMAT, "version": version, "signs": {}})
    members = {"meta": np.frombuffer(text.encode(), np.uint8)}
    (tmp_path / "checkpoint.npz").write_bytes(archive.encode(members))
    with pytest.raises(InputError, match="cut off or damaged"):
        load(tmp_path / "checkpoint.npz")


@pytest.mark.parametrize(
    "layer",
    [
        {"kind": "Sign", "quantizer": {"name": []}},
        {"kind": "BatchNorm", "momentum": None},
        {"kind": "Dense", "units": 3, "kernel_initializer": {}},
        {"kind": "Residual", "body": 5},
        {"kind": []},
        {"kind": "Dense", "units": 1 << 70},
        {"kind": "AvgPool2D", "pool_size": 1 << 70, "padding": "same"},
    ],
)
def test_layers_that_cannot_be(layer):
    config = {"kind": "Sequential", "input_shape": [4], "layers": [layer]}
    with pytest.raises(InputError):
        nn.Sequential.from_config(config)


@pytest.mark.parametrize(
    ("option", "value"),
    [("tensorboard", 5), ("augment", "x"), ("batch_size", []), ("seed", {}), ("filters", "a")],
)
def test_options_of_a_run_that_are_none(tmp_path, capsys, option, value):
    """A number where click expects a text or a flag was an AttributeError."""
    config = {"epochs": 1, "options": {"command": "train", option: value}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert main(["train", "--resume", "--out", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert "config.json is damaged: " in line and line.count("\n") == 1

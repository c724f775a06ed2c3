"""What ``minibnn bench`` counts and how it reports; how fast anything is, no test asks."""

import json
import math
import time

import pytest

from minibnn import zoo
from minibnn.bench import SECTIONS, clock, networks, run, scaling
from minibnn.bench.clock import GRADIENTS
from minibnn.bench.run import SCHEMA
from minibnn.cli import main
from minibnn.errors import InputError
from minibnn.ops.kernels import simd

FILTERS, BATCH = 8, 2
PRODUCTS = ("forward", "input gradient", "kernel gradient")
RATES = ("training float32", "training int8", "inference", "packed")


@pytest.fixture(scope="module")
def measured():
    """A report and the text that was told meanwhile."""
    told = []
    setting = clock.Setting(filters=FILTERS, batch_size=BATCH, effort=clock.ONCE)
    found = run(setting, SECTIONS, told.append)
    return found, "\n".join(told)


@pytest.fixture(scope="module")
def report(measured):
    return measured[0]


def test_report_is_plain_and_complete(report):
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    expected = {"schema", "settings", "machine", *SECTIONS}
    assert report.keys() == expected | {"compile_seconds", "seconds"}
    assert report["schema"] == SCHEMA == 5
    assert report["settings"]["filters"] == FILTERS
    assert report["settings"]["gradients"] == ["float32", "int8"]
    about = report["machine"]
    assert about["threads"] >= 1
    assert about["vector_path"] in simd.LANES
    assert about["versions"].keys() >= {"minibnn", "Python", "NumPy", "Numba", "BLAS"}


def test_every_number_measured_is_positive(report):
    rows = [*report["products"]["layers"], *report["products"]["totals"]]
    rows += report["scaling"]["threads"]
    rows += [row[job] for row in report["rates"] for job in RATES]
    for row in rows:
        numbers = [v for k, v in row.items() if k.endswith(("_per_s", "seconds", "low", "high"))]
        assert numbers
        assert all(v is None or v > 0 for v in numbers), row
        if "runs" in row:
            assert row["runs"] >= 1
            assert row["low"] <= row["seconds"] <= row["high"]


def test_every_product_is_there_once_and_gradients_with_each_type(report):
    rows = report["products"]["layers"]
    found = [(row["layer"], row["product"], row["gradients"]) for row in rows]
    layers = [f"conv{k}" for k in range(1, 7)] + [f"dense{k}" for k in range(1, 4)]
    expected = [
        (layer, product, kind)
        for layer in layers
        for product in PRODUCTS
        for kind in ([""] if product == "forward" else GRADIENTS)
        if (layer, product) != ("conv1", "input gradient")  # nobody wants that of an image
    ]
    assert found == expected


@pytest.mark.parametrize("part", ["layers", "totals"])
def test_speedups_are_of_the_same_run(report, part):
    rows = report["products"][part]
    seconds = {(r["layer"], r["product"], r["gradients"]): r["seconds"] for r in rows}
    for row in rows:
        if row["gradients"] == "int8":
            before = seconds[row["layer"], row["product"], "float32"]
            assert row["speedup"] == pytest.approx(before / row["seconds"])
        else:
            assert "speedup" not in row


def test_multiply_adds_are_those_of_the_plain_layers(report):
    net = zoo.binarynet(filters=FILTERS, dense_units=8 * FILTERS)
    costs = {row["layer"]: row["binary_macs"] + row["real_macs"] for row in net.summary()}
    for row in report["products"]["layers"]:
        assert row["macs"] == BATCH * costs[row["layer"]]
        assert row["macs"] == math.prod(row["shape"])
        assert row["gmacs_per_s"] == pytest.approx(row["macs"] / row["seconds"] / 1e9)
    pooled = {row["layer"] for row in report["products"]["layers"] if row["pooled"]}
    assert pooled == {"conv2", "conv4", "conv6"}


def test_totals_leave_the_first_layer_out(report):
    rows = report["products"]["layers"]
    for total in report["products"]["totals"]:
        kind = total["product"], total["gradients"]
        mine = [r for r in rows if (r["product"], r["gradients"]) == kind and r["layer"] != "conv1"]
        if total["layer"] == "binary convolutions":
            mine = [r for r in mine if r["layer"].startswith("conv")]
        assert total["macs"] == sum(r["macs"] for r in mine)
        assert total["seconds"] == pytest.approx(sum(r["seconds"] for r in mine))
    assert len(report["products"]["totals"]) == 2 * (1 + 2 * 2)


def test_rates_for_one_thread_and_all(report):
    threads = report["machine"]["threads"]
    assert [row["threads"] for row in report["rates"]] == sorted({1, threads})
    for row in report["rates"]:
        assert (row["filters"], row["batch"]) == (FILTERS, BATCH)
        for job in RATES:
            assert row[job]["images_per_s"] == pytest.approx(BATCH / row[job]["seconds"])


def test_startup_and_memory_come_from_other_processes(report):
    assert report["startup"].keys() == {*GRADIENTS}
    for found in report["startup"].values():
        warm, memory = found["warm"], found["memory"]
        parts = ("import_seconds", "build_seconds", "first_step_seconds")
        assert 0 < sum(warm[part] for part in parts) < warm["seconds"]
        if memory["peak_bytes"] is not None:
            assert 30e6 < memory["peak_bytes"] < 2e9
        assert "cold" not in found


def test_a_first_step_takes_the_gradients_it_is_told(monkeypatch):
    from minibnn.bench.startup import first_steps

    made = []
    train = networks.Training.step
    monkeypatch.setattr(
        networks.Training, "step", lambda self: made.append(self.net.gradients) or train(self)
    )
    for kind in GRADIENTS:
        first_steps(kind, FILTERS, BATCH, 1)
    assert made == ["float32"] * 3 + ["int8"] * 3


def test_only_what_is_asked_for():
    told = []
    setting = clock.Setting(1, 4, 1, ("int8",), clock.ONCE)
    found = run(setting, ("products",), told.append)
    assert found.keys() & {*SECTIONS} == {"products"}
    assert len(told) == 3  # the head, the section, the foot
    assert found["machine"]["threads"] == 1
    assert {row["gradients"] for row in found["products"]["layers"]} == {"", "int8"}
    assert not any("speedup" in row for row in found["products"]["layers"])
    with pytest.raises(InputError, match=r"a section must be one of products.*found 'speed'"):
        run(clock.Setting(), ("speed",))
    with pytest.raises(InputError, match=r"gradients must be one of float32, int8, found 'int7'"):
        run(clock.Setting(gradients=("int7",)))


@pytest.mark.slow
def test_a_cold_start_compiles():
    from minibnn.bench.startup import measure_startup

    setting = clock.Setting(1, FILTERS, BATCH, ("int8",), clock.ONCE, cold=True)
    found = measure_startup(setting)["int8"]["cold"]
    assert 0 < found["compile_seconds"] < found["first_step_seconds"] < found["seconds"]


# -- its parts -----------------------------------------------------------------------------------


def test_rates_are_of_the_batch_asked_for(monkeypatch):
    monkeypatch.setattr(networks, "rate", lambda *_: {})
    setting = clock.Setting(threads=1, filters=2)
    for size, expected in (20, [20]), (50, [*networks.BATCHES]):
        rows = networks.measure_rates(setting._replace(batch_size=size))
        assert [row["batch"] for row in rows] == expected


def test_measure_counts_only_what_is_warm():
    calls = []
    timing = clock.measure(lambda: calls.append(time.sleep(0.001)), 1e-9)
    assert len(calls) == 1 + 3
    assert timing["runs"] == 3
    assert 0.001 <= timing["low"] <= timing["seconds"] <= timing["high"]
    assert clock.measure(lambda: None, 60.0)["runs"] == 50
    assert clock.measure(lambda: None, clock.ONCE)["runs"] == 1


def test_compiling_counts_compilation_and_nothing_else():
    import numba

    function = numba.njit(lambda x: x + 1)
    with clock.compiling() as spent:
        function(1)
    assert spent["seconds"] > 0
    with clock.compiling() as spent:
        function(1)
    assert spent["seconds"] == 0


# -- scaling --------------------------------------------------------------------------------------


def test_scaling_counts_threads_up_to_all(report):
    rows, threads = report["scaling"]["threads"], report["machine"]["threads"]
    assert [row["threads"] for row in rows] == sorted(
        {1, *(2**k for k in range(9)), threads} & {*range(1, threads + 1)}
    )
    assert rows[0]["times"] == rows[0]["efficiency"] == 1
    for row in rows:
        assert row["times"] == row["images_per_s"] / rows[0]["images_per_s"]
        assert row["efficiency"] == row["times"] / row["threads"]
    names = [row["pass"] for row in report["scaling"]["passes"]]
    assert {"forward of first layer", "kernel gradient of convolutions"} <= set(names)
    assert len(names) == len(set(names))


def test_the_serial_share_is_amdahls():
    def passes(*seconds):
        return dict(zip("abcd", seconds, strict=True))

    rows = scaling._passes(passes(8.0, 4.0, 2.0, 1.0), passes(2.0, 4.0, 1.25, 0.2), 4)
    shares = {row["pass"]: row["serial_share"] for row in rows}
    assert shares == {"a": 0.0, "b": 1.0, "c": pytest.approx(0.5), "d": 0.0}
    assert [row["pass"] for row in rows] == ["a", "b", "c", "d"]
    assert scaling._passes(passes(1, 1, 1, 1), passes(1, 1, 1, 1), 1)[0]["serial_share"] is None


def test_scaling_is_drawn(report, tmp_path):
    scaling.draw_scaling(tmp_path / "a.png", report)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


# -- what a person sees --------------------------------------------------------------------------


def test_tables(measured):
    for word in ("conv2*", "dense3", "all binary layers", "peak memory", "speedup", "inference",
                 "efficiency", "serial share", "threads", "s in all, of which"):  # fmt: skip
        assert word in measured[1]


def test_json_is_all_that_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(clock, "QUICK", clock.ONCE)
    small = ["--quick", "--only", "products", "--filters", "4", "--batch-size", "1"]
    assert main(["bench", "--json", *small]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["settings"]["sections"] == ["products"]
    assert main(["bench", *small]) == 0
    out = capsys.readouterr().out
    assert "; threads " in out
    assert "kernel gradient" in out
    assert "s in all, of which" in out

"""``examples/benchmarks/roofline.py``: limits of passes, and a training step taken apart."""

import json

import pytest
from scripts import load

from minibnn.bench import clock, networks, run, trace
from minibnn.bench import products as product_room
from minibnn.bench.clock import GRADIENTS

FILTERS, BATCH = 8, 2
SETTING = clock.Setting(filters=FILTERS, batch_size=BATCH, effort=clock.ONCE)
PRODUCTS = ("forward", "input gradient", "kernel gradient")
roofline = load("benchmarks/roofline.py")
peaks = roofline.peaks


@pytest.fixture(scope="module", params=GRADIENTS)
def passes(request):
    return roofline.measure_roofline(SETTING._replace(gradients=(request.param,)))


# -- the report ----------------------------------------------------------------------------------


def test_limits_of_pooled_products():
    # If every look-up took the same time, a window's would stand for 4 pixels, and 4 look-ups
    # would do the 9 multiply-adds of a pixel.
    rates = {"sgemm": 0.5, "popcount": 20.0, "table": 1.0, "select 2": 2.0, "select 4": 4.0}
    assert peaks.limits(rates) == rates | {
        "select windows": 4.0,
        "select pixels": pytest.approx(9 / 4),
        "bytes": 1 / 8,
    }


def test_limits_of_a_matrix_unit():
    limits = peaks.limits({"sgemm": 0.5, "popcount": 20.0, "matrix": 8.0})
    assert (limits["table"], limits["select windows"], limits["bytes"]) == (8, 8, 1)
    limits = peaks.limits({"sgemm": 0.5, "popcount": 20.0, "matrix": 8.0, "gather": 24.0})
    assert (limits["table"], limits["select windows"], limits["select pixels"]) == (8, 24, 24)


@pytest.mark.slow
@pytest.mark.parametrize("kind", GRADIENTS)
def test_peaks_of_a_path_without_tables_of_floats(kind, use_simd):
    use_simd("generic")
    rates = peaks.peak_rates(1, kind, clock.ONCE)
    able = kind == "int8"
    assert {tile: rate is not None for tile, rate in rates.items()} == {
        "sgemm": True,
        "popcount": True,
        **dict.fromkeys(("table", "select 2", "select 4"), able),
    }
    assert "select pixels" in peaks.limits(rates) or not able


@pytest.mark.parametrize("product", PRODUCTS)
def test_blas_takes_any_product(product):
    assert product_room.blas_seconds(product, 3, 5, 2, 1, clock.ONCE) > 0


@pytest.mark.parametrize("kind", GRADIENTS)
def test_a_step_taken_apart_trains_the_same(kind):
    one, other = (networks.Training(FILTERS, BATCH, kind, seed=3) for _ in range(2))
    for _ in range(2):
        one.step()
        trace.one_step(other)
    assert one.net.digest() == other.net.digest()


@pytest.mark.ci
def test_roofline_has_every_product_and_pass(passes):
    rows = passes["rows"]
    found = {(r["layer"], r["product"]): r["macs"] for r in rows if r["product"]}
    layers = run(SETTING, ("products",))["products"]["layers"]
    expected = {(r["layer"], r["product"]): r["macs"] for r in layers}
    assert found == expected
    operations, kind = [r["operation"] for r in rows], passes["gradients"]
    assert operations.count("optimizer_steps") == 1
    assert {"batch_norm_sign", "batch_norm_sign_grad", "batch_statistics"} <= {*operations}
    limits = {(r["layer"], r["product"]): roofline.limit_of(r, kind) for r in rows if r["product"]}
    integers = kind == "int8"
    assert limits["conv1", "kernel gradient"] == ("bytes" if integers else "sgemm")
    assert limits["conv2", "forward"] == "popcount"
    assert limits["conv2", "kernel gradient"] == "select windows"
    assert limits["dense1", "input gradient"] == "table"
    for row in rows:
        assert min(row["seconds"], row["bytes"], row["limit_seconds"]) > 0
    summed = trace.summed(rows, ["pass"], roofline.FIELDS)
    assert sum(r["seconds"] for r in summed) == pytest.approx(sum(r["seconds"] for r in rows))
    assert sum(r["macs"] for r in summed) == sum(expected.values())


@pytest.mark.ci
def test_roofline_in_markdown(passes):
    text = roofline.roofline_markdown(passes)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {7, 9}
    assert "| forward of first layer |" in text
    assert f", {passes['gradients']} gradients: " in text
    assert "| kernel gradient | conv6 |" in text
    json.dumps(passes, allow_nan=False)

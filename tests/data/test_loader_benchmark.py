"""examples/benchmarks/loader.py, small."""

import json
import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "benchmarks" / "loader.py"
SIZES = ("--images", "4", "--batch-size", "2", "--rounds", "1")


def printed(*options):
    command = [sys.executable, SCRIPT, *SIZES, *options]
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=300, check=True
    ).stdout


def test_it_prints_a_rate_for_each_number_of_threads():
    text = printed("--workers", "1", "2")
    assert "4 + 4 images 224x224x3 float32, 2 classes" in text
    rows = re.findall(r"^ +(\d) +(\d+) +(\d+)$", text, re.M)
    assert [row[0] for row in rows] == ["1", "2"]
    assert all(int(rate) > 0 for row in rows for rate in row[1:])


def test_it_compares_itself_with_training():
    train = ("--train", "birealnet", "--width", "0.0625", "--steps", "1")
    report = json.loads(printed("--workers", "1", *train, "--json"))
    trained, loader = report["trained"], report["loader"]["1"]
    assert trained["network"] == "birealnet" and trained["loader_threads"] == 1
    assert min(trained["in_memory"], trained["fed"]) > 0
    times = loader["training"] / trained["in_memory"]  # medians of a single round
    assert abs(trained["loader_times"] / times - 1) < 1e-6

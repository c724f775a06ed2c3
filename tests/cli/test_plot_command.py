"""``minibnn plot`` as a person meets it."""

import shutil
from pathlib import Path


def test_a_run_and_several(works, trained):
    shutil.copytree(trained / "run", "a")
    assert works("plot", "a") == "figure: a/plot.png\n"
    assert Path("a/plot.png").read_bytes().startswith(b"\x89PNG")
    Path("a/telemetry.npz").unlink()
    out = works("plot", "a", trained / "both/bop", "--title", "Both", "--out", "c.pdf")
    assert out.splitlines()[1:] == ["a has no telemetry: only its metrics are drawn"]
    assert Path("c.pdf").read_bytes().startswith(b"%PDF")
    assert not Path("plot.png").exists()

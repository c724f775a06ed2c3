"""Every example runs at smoke size, says something true, and is told in examples/README.md."""

import ast
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from scripts import EXAMPLES, load

pytestmark = pytest.mark.ci

EVERYTHING, *SCRIPTS = sorted(EXAMPLES.glob("[0-9][0-9]_*.py"))  # see test_everything.py


@pytest.fixture
def example(monkeypatch, tmp_path):
    """The module of the example with a number, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def load_number(number):
        (path,) = (p for p in SCRIPTS if p.name.startswith(f"{number:02}_"))
        return load(path)

    return load_number


def is_figure(path):
    data = Path(path).read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    return data[:4] == b"\x89PNG" and min(width, height) >= 200 and len(data) > 5000


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_is_short_and_says_how_to_run_it(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 80
    words = ast.get_docstring(ast.parse(text))
    assert f"python examples/{path.name}" in words
    assert ("--dataset cifar10 --data-dir" in words) == ("--data-dir" in text.partition(words)[2])


def test_the_page_tells_every_example():
    page = (EXAMPLES / "README.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if "`python examples/" in line or "`mpiexec" in line]
    told = [re.search(r"examples/(\d\d_\w+\.py)`", row)[1] for row in rows if row[0] == "|"]
    assert told == [path.name for path in (EVERYTHING, *SCRIPTS)]
    for name in re.findall(r"src=\"([^\"]+)\"", page):
        assert (EXAMPLES / name).stat().st_size < 40_000
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", page):
        assert (EXAMPLES / name).is_file(), name


def test_signs_and_popcount(example, capsys):
    products, right = example(1).main(out="a.png", images=300)
    assert products
    assert right > 0.8  # chance is 0.1
    assert "90,000 products of bits, all equal to those of floats: True" in capsys.readouterr().out
    assert is_figure("a.png")


def test_dense_layer_by_hand(example):
    module = example(2)
    differing, stopped = module.main(out="a.png", seed=1)
    assert differing == {"sign(x)": 0, "y": 0, "dw": 0, "dx": 0}
    assert 0 < stopped < module.BATCH * module.INPUTS
    assert is_figure("a.png")


def test_why_sign_needs_an_estimator(example, capsys):
    found, histories = example(3).main(out="a.png", epochs=1)
    assert found.size == 320
    assert not found.any()
    hidden = {name: sum(h["flips:dense1/kernel"]) for name, h in histories.items()}
    assert hidden.pop("none") == 0
    assert min(hidden.values()) > 1000
    # 110 lie beyond 1; a 111th sum cancels, on some backends but for its last bit.
    zeros = r"zeros among 320: 320 finite differences, 11[01] straight-through"
    assert re.match(zeros, capsys.readouterr().out)
    assert is_figure("a.png")


def test_bop_on_one_weight(example):
    flips = example(4).main(out="a.png", steps=600)
    assert flips[0.02, 0.15] == 1  # the one that the change of the mean asks for
    assert flips[0.2, 0.15] > 10  # noise
    assert flips[0.02, 0.0] > 1
    assert flips[0.02, 0.5] == 0
    assert is_figure("a.png")


def test_latent_weights_as_inertia(example):
    equal, groups = example(5).main(out="a.png", epochs=1)
    assert equal
    inertia, flipped = np.array(groups).T
    assert (np.diff(inertia) > 0).all()
    assert (np.diff(flipped) <= 0).all()
    assert flipped[0] > 0.1 > 0.01 > flipped[-1]
    assert is_figure("a.png")


def test_two_optimizers_one_algorithm(example, capsys):
    assert example(6).main(out="a.png", steps=12).ok
    assert "0 of 93,728 signs differ after 12 steps" in capsys.readouterr().out
    assert is_figure("a.png")


def test_check_your_port(example, capsys):
    right, mislabelled, wrong = example(7).main(cases=20)
    assert right.ok
    assert {"bop.average", "bop.ties"} <= set(mislabelled.failed)
    assert "bop.rule" in wrong.failed
    assert "it looks at the m before the step" in capsys.readouterr().out


def test_lockstep(example):
    result = example(8).main(out="a.png", epochs=2)
    assert result.agreement("bop", "bop-as-latent") == [1, 1]
    assert result["bop"]["train_loss"] == result["bop-as-latent"]["train_loss"]
    assert max(result.agreement("bop", "latent-sgd")) < 0.9
    assert is_figure("a.png")


def test_packing(example, use_backend, capsys):
    use_backend("numba")  # and back to what it was after it
    differing, smaller = example(9).main(out="a.png", epochs=1, repeats=1)
    assert differing == 0
    assert 28 < smaller < 32
    assert "0 of 3,600 logits differ" in capsys.readouterr().out
    assert is_figure("a.png")


def test_gamma_and_threshold(example):
    result = example(10).main(out="a.png", epochs=2)
    flips = {name: sum(history["flips"]) for name, history in result.histories.items()}
    assert flips["gamma-0.01"] > flips["gamma-0.001"] > flips["gamma-0.0001"]
    assert flips["threshold-0"] > flips["threshold-1e-06"] > flips["threshold-1e-05"]
    assert result["gamma-0.001"]["flips"] == result["threshold-1e-06"]["flips"]  # one setting
    assert is_figure("a.png")


def test_sweep_in_processes(example, capsys):
    grid = {"gamma": ["1e-2", "1e-4"], "threshold": ["0", "1e-5"]}
    result = example(11).main(out="s", epochs=1, grid=grid)
    assert [row["status"] for row in result.rows] == ["done"] * 4
    flips = {(row["gamma"], row["threshold"]): row["flips"] for row in result.rows}
    assert flips[0.01, 0] > flips[0.0001, 1e-05]
    assert is_figure("s/heatmap.png")
    assert "figure: s/heatmap.png" in capsys.readouterr().out


def test_data_parallel_alone(example):
    """Without mpiexec there is one rank, which is what it compares with."""
    states, lines = example(12).main(out="a.png", epochs=1)
    assert states == 1
    assert [line[2:] for line in lines[1:]] == [["100.00 %", "100.00 %"]] * 2
    assert is_figure("a.png")


@pytest.mark.slow
def test_data_parallel_on_two_ranks(monkeypatch, tmp_path):
    """As its docstring says to start it."""
    monkeypatch.syspath_prepend(EXAMPLES.parent / "tests" / "training")
    import mpi_start

    monkeypatch.chdir(tmp_path)
    code, out, err = mpi_start.run(EXAMPLES / "12_data_parallel.py", "--epochs", 1)
    assert code == 0, err
    assert "ranks: 2, different networks among them: 1" in out
    equal = [float(line.split()[-2]) for line in out.splitlines() if line.endswith(" %")]
    sync, own = equal[-2:]
    assert sync > 99 > 90 > own
    assert is_figure("data_parallel.png")


def test_descent(example, capsys):
    found = example(13).main(out="a.png", steps=120)
    for share, (losses, flips) in found.items():
        rises = np.diff(losses) > 0
        assert rises.any() == (share < 1)
        assert (flips[-20:] == 0).all() or share < 1
        assert losses[-1] < losses[0]
        if share >= 1:
            assert (np.diff(losses)[flips > 0] < 0).all()
    assert is_figure("a.png")


def test_tiny_networks(example, capsys):
    found, optima = example(14).main(out="a.png", tasks=2, seeds=3, steps=60)
    assert set(found) == {"Bop", "latent SGD", "Bop2ndOrder"}
    assert min(optima) > 0  # 24 random labels are too many for 18 weights
    for gaps in found.values():
        assert gaps.shape == (2, 3) and gaps.min() >= 0
    assert "tasks solved" in capsys.readouterr().out
    assert is_figure("a.png")

"""examples/00_everything.py says what it prints, and minibnn ends its runs with the same bits."""

import ast
import re
import runpy

import pytest
from scripts import EXAMPLES

import minibnn as bnn
from minibnn.ops.threads import one_blas_thread

PATH = EXAMPLES / "00_everything.py"
TEXT = PATH.read_text("utf-8")
PRINTED = re.findall(r"^# (\w+: accuracy .+)$", TEXT, re.MULTILINE)


def test_it_is_short_and_of_minibnn_it_takes_the_images():
    assert len(TEXT.splitlines()) <= 200
    nodes = list(ast.walk(ast.parse(TEXT)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name for name in names if name.startswith("minibnn")} == {"minibnn.data"}
    assert set(re.findall(r"minibnn\.data\b.*", TEXT)) == {
        "minibnn.data",
        'minibnn.data.load("digits")',
    }


def test_every_cell_of_the_notebook_is_whole():
    markdown, *cells = re.split(r"^# %%.*\n", TEXT, flags=re.MULTILINE)[1:]
    assert all(line.startswith("#") for line in markdown.splitlines() if line)
    assert len(cells) >= 8
    for cell in cells:
        compile(cell, PATH.name, "exec")


@pytest.mark.ci
def test_it_prints_what_its_comments_say(capsys):
    with one_blas_thread():
        runpy.run_path(str(PATH))
    assert capsys.readouterr().out.splitlines() == PRINTED
    digests = [line.split()[-1] for line in PRINTED]
    assert len(set(digests[:2])) == 2
    assert digests[2] == digests[3]  # Theorem 1
    assert digests[4] == digests[5]  # SGD with weight decay is Bop


@pytest.mark.parametrize(
    "number, text",
    [
        (0, "bop:gamma=linear:1e-2:1e-3,threshold=1e-6"),
        (1, "latent-sgd:lr=linear:30:0,initial=0.1,clip=none"),
    ],
    ids=["bop", "latent-sgd"],
)
def test_the_library_ends_its_runs_with_the_same_bits(number, text):
    """Signs, betas and moving statistics after 280 steps, and the accuracy."""
    data = bnn.data.load("digits")
    net = bnn.zoo.digits_net(filters=16, dense_units=64, seed=0, gradients="int8")
    optimizer = bnn.optim.Split(bnn.optim.parse_optimizer(text), bnn.optim.SGD(lr=0.1))
    history = bnn.fit(net, optimizer, data, epochs=10, batch_size=50, seed=0, progress=False)
    accuracy = f"{history.last['test_accuracy']:.2%}"
    assert PRINTED[number].endswith(f": accuracy {accuracy}, digest {net.digest()}")

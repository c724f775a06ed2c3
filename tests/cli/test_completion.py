"""What the shell completes, asked as a shell asks it; and that --help answers without weight."""

import os
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from minibnn.cli import commands

HEAVY = "numba llvmlite scipy matplotlib rich pooch threadpoolctl PIL minibnn.training"


def complete(*words):
    """Values (and kinds of paths) offered for the last of ``words``."""
    shell = ShellComplete(commands, {}, "minibnn", "_MINIBNN_COMPLETE")
    found = shell.get_completions(list(words[:-1]), words[-1])
    return [item.value if item.type == "plain" else item.type for item in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("re", ["recipes", "report"]),
        ("train --recipe bop-sec5", ["bop-sec51", "bop-sec52", "bop-sec53-alexnet",
                                     "bop-sec53-xnornet", "bop-sec53-birealnet"]),
        ("sweep --recipe cem", ["cema"]),
        ("compare --preset lo", ["loss-scale"]),
        ("compare --optimizer latent", ["latent-sgd", "latent-adam", "latent-direction"]),
        ("train --real-optimizer a", ["adam"]),
        ("train --model bi", ["binarynet", "binary_alexnet", "birealnet", "birealnet_magnitude"]),
        ("evaluate runs/a --dataset ci", ["cifar10"]),
        ("recipes latent-s", ["latent-sgd"]),
        ("verify E1 E1", ["E1", *(f"E{k}" for k in range(10, 20))]),
        ("verify --backend n", ["numba"]),
        ("export runs/a b.npz --to o", ["onnx"]),
        ("report ru", ["file"]),
        ("info ru", ["file"]),
        ("train --data-dir p", ["file"]),
        ("train --checkpoint-e", ["--checkpoint-every"]),
        ("bench --only sta", ["startup"]),
    ],
)  # fmt: skip
def test_completions(words, found):
    assert complete(*words.split()) == found


def test_in_bash(tmp_path):
    """The line of the README, then Tab, as far as that goes without a keyboard."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    command = tmp_path / "minibnn"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m minibnn "$@"\n')
    command.chmod(0o755)
    program = """
eval "$(_MINIBNN_COMPLETE=bash_source minibnn)"
complete -p minibnn
COMP_WORDS=(minibnn train --model bin) COMP_CWORD=3
_minibnn_completion minibnn
echo "${COMPREPLY[@]}"
"""
    paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "-c", program], env=os.environ | paths, capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    registered, offered = done.stdout.splitlines()
    assert "_minibnn_completion minibnn" in registered
    assert offered.split() == ["binarynet", "binary_alexnet"]


def test_help_and_completion_load_nothing_heavy():
    from minibnn.zoo import RECIPES

    look = f"""
import os, sys
from minibnn.cli import main
try:
    main(["train", "--help"])
except SystemExit:
    pass
sys.stdout.flush()
heavy = {HEAVY.split()} + ["numpy"] * ("_MINIBNN_COMPLETE" not in os.environ)
print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""

    def ask(**variables):
        command, environment = [sys.executable, "-c", look], os.environ | variables
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.stderr == "[]\n"
        return done.stdout

    assert ask().startswith("Usage: minibnn train")
    words = {"COMP_WORDS": "minibnn train --recipe ", "COMP_CWORD": "3"}
    found = ask(_MINIBNN_COMPLETE="bash_complete", **words)
    assert found.split() == [f"plain,{name}" for name in RECIPES]

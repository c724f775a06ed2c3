"""Hold your own Bop against the catalogue (Algorithm 2): a right port, a mislabelled, a wrong one.

Prints a report, row by row, and for the wrong one a case to paste: the smallest that shows it.

    python examples/07_check_your_port.py
"""

import argparse

import numpy as np

from minibnn.equivalences import verify
from minibnn.optim import BopState


def larq_bop(w, g, state, *, gamma, threshold):
    """Larq's formulas (larq/optimizers.py): right, in its own dialect."""
    m = state.m + gamma * (g - state.m)
    return np.where(-np.sign(w * m - threshold) * w < 0, -1, 1).astype(w.dtype), BopState(m)


def late_bop(w, g, state, *, gamma, threshold):
    """Wrong: looks at the average from before the step."""
    m = (1 - gamma) * state.m + gamma * g
    return np.where(w * state.m > threshold, -w, w), BopState(m)


def main(cases=200):
    print("Larq's Bop, as what it is:\n")
    right = verify(bop_step=larq_bop, rule="larq", average="lerp", examples=cases)
    print(right)
    print("\nThe same, claimed as the paper's Algorithm 2 (the defaults):\n")
    mislabelled = verify(bop_step=larq_bop, examples=cases)
    for id in ("bop.average", "bop.ties"):
        print(f"{id}: {mislabelled[id].why}")
    print("\nA Bop that is one step late:\n")
    wrong = verify(bop_step=late_bop, examples=cases)
    print(f"rows that fail: {', '.join(wrong.failed)}")
    print(f"bop.rule: {wrong['bop.rule'].why}\n\n{wrong['bop.rule'].paste}")
    return right, mislabelled, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=200, help="for each row of the report")
    main(**vars(parser.parse_args()))

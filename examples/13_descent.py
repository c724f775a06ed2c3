"""Above the curvature Bop is a descent method: loss against step on a quadratic (E20, E21, E23).

    L(b) = b'Qb / 2 + c'b        threshold above, at and below the largest eigenvalue of Q

The page descent.md says why. Prints how often the loss rises and whether anything still flips.

    python examples/13_descent.py --out descent.png --steps 400
"""

import argparse

import numpy as np

from minibnn.optim import BopState, bop_step
from minibnn.training.plots.style import COLOURS, new_figure, save

SHARES = (2.0, 1.0, 0.25, 0.03125)  # of the curvature


def quadratic(n=64, seed=0):
    """Q (n, n) = A'A and c of integers, so that all sums are exact."""
    random = np.random.default_rng(seed)
    a = random.integers(-1, 2, (n, n))
    return a.T @ a, random.integers(-500, 501, n)


def descend(q, c, threshold, gamma=0.25, steps=400):
    """Losses before the first step and after each, and how many weights each step flips."""
    b, state = np.ones(len(c)), BopState(np.zeros(len(c)))
    losses, flips = [b @ q @ b / 2 + c @ b], []
    for _ in range(steps):
        before = b
        b, state = bop_step(b, q @ b + c, state, gamma=gamma, threshold=threshold)
        losses.append(b @ q @ b / 2 + c @ b)
        flips.append(np.count_nonzero(before != b))
    return np.array(losses), np.array(flips)


def main(out="descent.png", steps=400, seed=0):
    q, c = quadratic(seed=seed)
    top = np.ceil(np.linalg.eigvalsh(q)[-1])
    found = {}
    print("threshold / curvature  steps that rise  flips in all  in the last 50 steps  last loss")
    for share in SHARES:
        losses, flips = descend(q, c, share * top, steps=steps)
        found[share] = losses, flips
        rises = np.count_nonzero(np.diff(losses) > 1e-9)
        print(
            f"{share:>21}  {rises:>15}  {flips.sum():>12}  {flips[-50:].sum():>20}  "
            f"{losses[-1]:>9.0f}"
        )
    figure = new_figure(9, 4.5)
    axes = figure.subplots()
    for share, colour in zip(SHARES, COLOURS, strict=False):
        axes.plot(found[share][0], color=colour, label=f"threshold {share:g} times the curvature")
    axes.set(xlabel="step", ylabel="loss", title="Bop on a quadratic, gamma = 0.25")
    axes.set_xlim(0, min(steps, 100))
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    save(figure, out)
    print(f"\nfigure: {out}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="descent.png", help="figure to write")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))

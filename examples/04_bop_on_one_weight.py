"""Bop on one weight: the average m against the threshold over time (section 4, Algorithm 2).

    m <- (1 - gamma) m + gamma g       Eq. 5
    flip w where |m| > threshold and m has the sign of w

The gradient is noise around a mean that changes its sign halfway. A larger gamma remembers less, so
more noise reaches the threshold; without a threshold any sign of m is enough. Prints how often each
setting flips, and draws m, the threshold and the bit.

    python examples/04_bop_on_one_weight.py --out bop.png --steps 2000 --noise 2
"""

import argparse

import numpy as np

from minibnn.optim import BopState, bop_step
from minibnn.training.plots.style import COLOURS, new_figure, save

SETTINGS = ((0.02, 0.15), (0.2, 0.15), (0.02, 0.0), (0.02, 0.5))  # gamma, threshold
MEAN = 0.3  # of the gradient in the second half, in the first it is -MEAN


def trace(gradients, gamma, threshold):
    """m and w after every step, two arrays as long as the gradients."""
    w, state = np.ones(1, np.float32), BopState(np.zeros(1, np.float32))
    steps = []
    for g in gradients:
        w, state = bop_step(w, g[None], state, gamma=gamma, threshold=threshold)
        steps.append((state.m[0], w[0]))
    return np.array(steps).T


def main(out="bop_on_one_weight.png", steps=1000, noise=1.0, seed=0):
    mean = np.where(np.arange(steps) < steps // 2, -MEAN, MEAN)
    rng = np.random.default_rng(seed)
    gradients = (mean + noise * rng.standard_normal(steps)).astype(np.float32)

    print(f"{'gamma':>6}  {'threshold':>9}  {'flips':>6}  {'downhill':>8}")
    traces, flips = [], {}
    for gamma, threshold in SETTINGS:
        m, w = trace(gradients, gamma, threshold)
        flips[gamma, threshold] = int((np.diff(w, prepend=1) != 0).sum())
        downhill = 100 * np.mean(w * mean < 0)  # the bit that lowers the loss
        traces.append((gamma, threshold, m, w))
        print(f"{gamma:>6}  {threshold:>9}  {flips[gamma, threshold]:>6}  {downhill:>6.1f} %")
    draw(out, gradients, traces, flips)
    print(f"\nfigure: {out}")
    return flips


def draw(path, gradients, traces, flips):
    figure = new_figure(11, 1.8 * len(traces) + 1.6)
    first, *rest = figure.subplots(1 + len(traces), sharex=True)
    first.plot(gradients, color="0.6", linewidth=0.6)
    first.axhline(0, color="0.3", linewidth=0.8)
    first.set(title="gradient of one weight", ylabel="g")
    for axes, (gamma, threshold, m, w) in zip(rest, traces, strict=True):
        step = np.arange(len(m))
        axes.plot(step, m, color=COLOURS[0], linewidth=1, label="m")
        for side in {threshold, -threshold}:
            axes.axhline(side, color=COLOURS[1], linestyle="--", linewidth=1, label="threshold")
        axes.fill_between(
            step, 0, 1, where=w > 0, step="post", color=COLOURS[5], alpha=0.25, linewidth=0,
            transform=axes.get_xaxis_transform(), label="w = +1",
        )  # fmt: skip
        words = f"gamma {gamma}, threshold {threshold}, flips: {flips[gamma, threshold]}"
        axes.set(title=words, ylabel="m")
    rest[2].legend(loc="upper left", ncols=3, fontsize=9)  # at threshold 0 the two lines are one
    rest[-1].set(xlabel="step", xlim=(0, len(gradients)))
    save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="bop_on_one_weight.png", help="the figure's file")
    parser.add_argument("--steps", type=int, default=1000, help="gradients")
    parser.add_argument("--noise", type=float, default=1.0, help="their standard deviation")
    main(**vars(parser.parse_args()))

"""Latent weights as inertia: how hard a bit is to flip, and no more (section 3, Eq. 4).

Sends the same gradients through latent SGD and through a bit and its inertia: they stay equal, bit
for bit. Then trains a network on latent weights, notes every |latent|, and counts which bits are
others after one more epoch: those with little inertia.

    python examples/05_latent_weights_as_inertia.py --dataset cifar10 --data-dir FOLDER --epochs 1
"""

import argparse

import numpy as np

import minibnn as bnn
from minibnn.optim import InertiaSGDState, inertia_sgd_step, latent_sgd_step
from minibnn.tables import Table
from minibnn.training.plots.style import COLOURS, label, new_figure, save


def one_weight(steps=200, lr=0.1, seed=0):
    """latent, and the bit and the inertia of its twin, after every step: arrays (steps,)."""
    rng = np.random.default_rng(seed)
    latent, w, state = np.float32([0.5]), np.float32([1]), InertiaSGDState(np.float32([0.5]))
    rows = []
    for step in range(steps):
        g = np.float32([np.sin(2 * np.pi * step / 100) + rng.standard_normal()])
        latent, _ = latent_sgd_step(latent, g, None, lr=lr)
        w, state = inertia_sgd_step(w, g, state, lr=lr)
        rows.append((latent[0], w[0], state.inertia[0]))
    return np.array(rows).T


def flipped_by_inertia(data, epochs):
    """Weights of the largest layer in tenths by |latent|: its mean, and the share of other bits."""
    net = bnn.zoo.digits_net(data.input_shape, filters=32, dense_units=128)
    latent = bnn.optim.LatentSGD(lr=1.0, clip=None, initial=0.0)  # so lr is but a unit (Theorem 1)
    optimizer = bnn.optim.Split(binary=latent, real=bnn.optim.Adam(lr=0.01))
    bnn.fit(net, optimizer, data, epochs=epochs, batch_size=50)
    kernel = max((p for p in net.parameters() if p.binary), key=lambda p: p.size)
    inertia, before = latent.inertia(kernel).values.ravel().copy(), kernel.value.copy()
    bnn.fit(net, optimizer, data, epochs=1, batch_size=50, seed=1)
    flipped = (kernel.value != before).ravel()
    groups = np.array_split(np.argsort(inertia), 10)
    return [(float(inertia[g].mean()), float(flipped[g].mean())) for g in groups]


def main(out="inertia.png", dataset="digits", data_dir=None, epochs=3):
    latent, w, inertia = one_weight()
    equal = bool((latent == w * inertia).all())
    print(f"latent weight = bit * inertia after each of {len(w)} steps, bit for bit: {equal}")
    groups = flipped_by_inertia(bnn.data.load(dataset, data_dir), epochs)
    lines = [[f"{k}", f"{m:.1e}", f"{100 * share:.2f} %"] for k, (m, share) in enumerate(groups, 1)]
    print(f"\n{Table(['tenth', 'mean |latent|', 'other bit an epoch later'], lines)}")
    draw(out, latent, w, inertia, groups)
    print(f"\nfigure: {out}")
    return equal, groups


def draw(path, latent, w, inertia, groups):
    figure = new_figure(11, 4)
    left, right = figure.subplots(1, 2)
    left.plot(latent, color=COLOURS[0], label="latent weight")
    left.plot(inertia, color=COLOURS[1], linestyle="--", label="inertia |latent|")
    left.step(range(len(w)), w, color="0.6", linewidth=1, where="post", label="bit")
    label(left, "One weight: latent = bit * inertia", "", x="step")
    left.legend(frameon=False)
    right.bar(range(1, 11), [100 * share for _, share in groups], color=COLOURS[0])
    label(right, "Largest layer, an epoch later", "other bit (%)", x="tenth, by |latent|")
    right.set_xticks(range(1, 11))
    save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="inertia.png", help="the figure's file")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--epochs", type=int, default=3, help="before the look at the inertia")
    main(**vars(parser.parse_args()))

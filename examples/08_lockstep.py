"""Lockstep: three optimizers from one start, on the same batches, compared weight by weight.

Algorithm 1 (latent SGD) and Algorithm 2 (Bop) meet the same images in the same order, so what
differs is the optimizer alone. The third is latent SGD with a dead band, which is Bop in other
clothes (E8): it must agree with Bop in every bit, and its curve covers Bop's. Draws accuracy, loss,
flips and the share of equal weights, as minibnn compare does.

    python examples/08_lockstep.py
    python examples/08_lockstep.py --dataset cifar10 --data-dir FOLDER --epochs 1
"""

import argparse

import minibnn as bnn
from minibnn.training.plots import draw_curves

GAMMA, THRESHOLD, DECAY = 2**-9, 2**-19, 2**-4  # powers of two: the twin then rounds alike
BINARY = {
    "bop": bnn.optim.Bop(gamma=GAMMA, threshold=THRESHOLD),
    "bop-as-latent": bnn.optim.SchmittSGD(
        lr=GAMMA / DECAY, weight_decay=DECAY, deadband=THRESHOLD / DECAY
    ),
    "latent-sgd": bnn.optim.LatentSGD(lr=3.0, momentum=0.9),
}


def main(out="lockstep.png", dataset="digits", data_dir=None, epochs=8):
    data = bnn.data.load(dataset, data_dir)
    net = bnn.zoo.digits_net(data.input_shape, filters=32, dense_units=128, seed=0)
    optimizers = {
        name: bnn.optim.Split(binary=binary, real=bnn.optim.Adam(lr=0.01))
        for name, binary in BINARY.items()
    }
    result = bnn.lockstep(net, optimizers, data, epochs=epochs, batch_size=50, seed=0)
    print(f"\n{result}")
    draw_curves(out, result.histories, f"{dataset}: one start, the same batches")
    print(f"\nfigure: {out}")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="lockstep.png", help="the figure's file")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--epochs", type=int, default=8, help="of each training")
    main(**vars(parser.parse_args()))

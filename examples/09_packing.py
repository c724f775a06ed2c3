"""Pack a trained network: what its kernels look like as bits, and what bits cost and gain.

Trains a small network with Bop, packs it into signs and integer thresholds, checks that no logit
changed, and compares memory and speed of three ways to compute the same scores. Prints a table and
draws the bits of the first kernels and of one other.

    python examples/09_packing.py
    python examples/09_packing.py --dataset cifar10 --data-dir FOLDER --epochs 1
"""

import argparse
import timeit

import numpy as np

import minibnn as bnn
from minibnn.training.plots.style import new_figure, save

FILTERS = 32  # of the first convolution, so a kernel of the second is 9 words of 32 bits


def main(out="packing.png", dataset="digits", data_dir=None, epochs=10, repeats=20):
    data = bnn.data.load(dataset, data_dir)
    net = bnn.zoo.digits_net(data.input_shape, filters=FILTERS, seed=0)
    bop = bnn.optim.Bop(gamma=1e-3, threshold=1e-6)
    optimizer = bnn.optim.Split(binary=bop, real=bnn.optim.Adam(lr=0.01))
    bnn.fit(net, optimizer, data, epochs=epochs, batch_size=50, seed=0)
    packed = bnn.deploy.pack(net, data.classes)

    images = data.test_images[:1000]
    logits = net.predict(images)
    differing = int((packed.predict(images) != logits).sum())
    accuracy = np.mean(logits.argmax(1) == data.test_labels[: len(images)])
    print(f"\naccuracy {100 * accuracy:.2f} %; {differing} of {logits.size:,} logits differ")

    ways = {
        "evaluation": (net, sum(p.value.nbytes for p in net.parameters()), repeats),
        "packed": (packed, packed.summary().total("packed"), repeats),
        "float32": (net, net.summary().total("float32"), max(1, repeats // 10)),
    }
    print(f"\n{'':12}{'bytes':>10}{'images/s':>12}")
    for name, (network, size, times) in ways.items():
        bnn.use_backend("reference" if name == "float32" else "numba")  # NumPy, ±1 as floats
        print(f"{name:12}{size:>10,}{rate(network.predict, images, times):>12,.0f}")
    bnn.use_backend("numba")
    draw(out, *(net.layers[k].kernel for k in (0, 3)))
    print(f"\nfigure: {out}")
    return differing, ways["float32"][1] / ways["packed"][1]


def rate(predict, images, times):
    """Images per second: the median of some passes, after one that compiles."""
    seconds = timeit.repeat(lambda: predict(images), number=1, repeat=times + 1)
    return len(images) / np.median(seconds[1:])


def draw(path, first, second):
    """All first kernels as images; one kernel of the second layer, a word to a line."""
    figure = new_figure(11, 3)
    left, right = figure.subplots(1, 2)
    tiles = np.pad(first.value[:, :, 0], ((0, 1), (0, 1), (0, 0)))  # 0 between the kernels
    left.imshow(tiles.reshape(4, 4, 4, -1).transpose(2, 0, 3, 1).reshape(16, -1), cmap="gray")
    left.set(title=f"{first.name}: {first.shape[3]} kernels of 3x3", xticks=[], yticks=[])
    words = second.signs.words[:, :, 0, 0].ravel()  # one word per pixel of the kernel
    right.imshow(1 - (words[:, None] >> np.arange(32, dtype=np.uint32) & 1), cmap="gray")
    right.set(title=f"{second.name}, output 0: black is -1, bit 1", xlabel="input channel = bit")
    right.invert_xaxis()  # as a number is written: the highest bit first
    right.set_yticks(range(9), [f"{k // 3},{k % 3}  {word:08x}" for k, word in enumerate(words)])
    save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="packing.png", help="the figure's file")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--epochs", type=int, default=10, help="of training")
    main(**vars(parser.parse_args()))

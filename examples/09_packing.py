"""Pack a trained network: what one kernel looks like as bits, and what bits cost and gain.

Trains a small network on the digits with Bop, packs it into signs and integer thresholds, checks
that no logit changed, and compares memory and speed of three ways to compute the same scores.
Prints a table and draws the bits of the first and of one other kernel.

    python examples/09_packing.py [EPOCHS] [FOLDER]
"""

import sys
import timeit
from pathlib import Path

import matplotlib
import numpy as np

import minibnn as bnn

EPOCHS = 10
FILTERS = 32  # of the first convolution, so a kernel of the second is 9 words of 32 bits


def main(epochs=EPOCHS, folder=".", repeats=20):
    data = bnn.data.load("digits")
    net = bnn.zoo.digits_net(data.input_shape, filters=FILTERS, seed=0)
    bop = bnn.optim.Bop(gamma=1e-3, threshold=1e-6)
    optimizer = bnn.optim.Split(binary=bop, real=bnn.optim.Adam(lr=0.01))
    bnn.fit(net, optimizer, data, epochs=epochs, batch_size=50, seed=0)
    packed = bnn.deploy.pack(net, data.classes)

    images = data.test_images
    logits = net.predict(images)
    differing = int((packed.predict(images) != logits).sum())
    accuracy = np.mean(logits.argmax(1) == data.test_labels)
    print(f"\naccuracy {100 * accuracy:.2f} %; {differing} of {logits.size:,} logits differ")

    ways = {
        "evaluation": (net, sum(p.value.nbytes for p in net.parameters()), repeats),
        "packed": (packed, packed.nbytes, repeats),
        "float32": (net, net.summary().total("float32"), max(1, repeats // 10)),
    }
    print(f"\n{'':12}{'bytes':>10}{'images/s':>12}")
    for name, (network, size, times) in ways.items():
        bnn.use_backend("reference" if name == "float32" else "numba")  # NumPy, ±1 as floats
        print(f"{name:12}{size:>10,}{rate(network.predict, images, times):>12,.0f}")
    bnn.use_backend("numba")
    picture = Path(folder) / "packing.png"
    draw(picture, *(net.layers[k].kernel for k in (0, 3)))
    print(f"\npicture: {picture}")
    return differing, ways["float32"][1] / packed.nbytes


def rate(predict, images, times):
    """Images per second: the median of some passes, after one that compiles."""
    seconds = timeit.repeat(lambda: predict(images), number=1, repeat=times + 1)
    return len(images) / np.median(seconds[1:])


def draw(path, first, second):
    """All first kernels as pictures; one kernel of the second layer, a word to a line."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3), layout="constrained")
    tiles = np.pad(first.value[:, :, 0], ((0, 1), (0, 1), (0, 0)))  # 0 between the kernels
    left.imshow(tiles.reshape(4, 4, 4, -1).transpose(2, 0, 3, 1).reshape(16, -1), cmap="gray")
    left.set(title=f"{first.name}: {first.shape[3]} kernels of 3x3", xticks=[], yticks=[])
    words = second.signs.words[:, :, 0, 0].ravel()  # one word per pixel of the kernel
    right.imshow(1 - (words[:, None] >> np.arange(32, dtype=np.uint32) & 1), cmap="gray")
    right.set(title=f"{second.name}, output 0: black is -1, bit 1", xlabel="input channel = bit")
    right.invert_xaxis()  # as a number is written: the highest bit first
    right.set_yticks(range(9), [f"{k // 3},{k % 3}  {word:08x}" for k, word in enumerate(words)])
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*([int(arguments[0])] if arguments else []), *arguments[1:2])

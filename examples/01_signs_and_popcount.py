"""Signs as bits: a sum of products is a count of the bits that differ (section 2, Eq. 2).

Every pixel of a digit becomes a sign, every image 64 bits. The product of two sign vectors is
n - 2 * (bits that differ), so comparing images is an exclusive or and a count, and the image
that is most alike names the class. Prints a table and draws some pairs.

    python examples/01_signs_and_popcount.py
    python examples/01_signs_and_popcount.py --out pairs.png --dataset cifar10 --data-dir FOLDER
"""

import argparse

import numpy as np

import minibnn as bnn
from minibnn.ops.backend import ops
from minibnn.ops.bits import binarize, pack_signs
from minibnn.training.plots.style import new_figure, save

PAIRS = 6  # drawn, the last two of them wrong


def signs(images):
    """Each pixel against the mean of its image: (N, pixels) of ±1."""
    flat = images.reshape(len(images), -1).astype(np.int64)
    return binarize(flat * flat.shape[1] - flat.sum(axis=1, keepdims=True))  # a tie is +1


def main(out="signs_and_popcount.png", dataset="digits", data_dir=None, images=1500):
    data = bnn.data.load(dataset, data_dir)
    known, new = signs(data.train_images[:images]), signs(data.test_images[:images])
    n = known.shape[1]

    # by hand, for one pair: 32 signs to a word, bit 1 means -1, unused bits are 0 and cancel
    a, b = pack_signs(known[0], axis=0), pack_signs(new[0], axis=0)
    differ = int(np.bitwise_count(a.words ^ b.words).sum())
    product = int(known[0].astype(int) @ new[0])
    print(f"{n} signs are {a.words.nbytes} bytes; in float32 they would be {4 * n}")
    print(f"{differ} bits differ, {n} - 2 * {differ} = {n - 2 * differ}; the product is {product}")

    # the same for all pairs at once: new (N, n) times known.T (n, K), packed along n
    products = ops.binary_dense(pack_signs(new, axis=1), pack_signs(known.T, axis=0))
    exact = bool((products == new.astype(np.float32) @ known.T.astype(np.float32)).all())
    print(f"{products.size:,} products of bits, all equal to those of floats: {exact}")
    nearest = products.argmax(axis=1)
    right = data.train_labels[nearest] == data.test_labels[: len(new)]
    print(f"the class of the image with the largest product is right: {100 * right.mean():.1f} %")

    shown = np.r_[np.flatnonzero(right)[: PAIRS - 2], np.flatnonzero(~right)[:2]]
    print(f"\n{'test image':>12}  {'most alike':>10}  {'bits that differ':>16}  {'product':>7}")
    for k in shown:
        count = (n - int(products[k, nearest[k]])) // 2
        print(f"{k:>12}  {nearest[k]:>10}  {count:>16}  {products[k, nearest[k]]:>7}")
    draw(out, data, new, known, [(k, nearest[k], right[k]) for k in shown])
    print(f"\nfigure: {out}")
    return n - 2 * differ == product and exact, right.mean()


def draw(path, data, new, known, pairs):
    shape = data.input_shape
    figure = new_figure(1.6 * len(pairs) + 1.2, 5.2)
    grid = figure.subplots(3, len(pairs)).T
    for column, (axes, (i, j, right)) in enumerate(zip(grid, pairs, strict=True)):
        rows = {"its signs": new[i], "most alike": known[j], "bits that differ": new[i] != known[j]}
        for one, (name, values) in zip(axes, rows.items(), strict=True):
            one.imshow(np.float32(values.reshape(shape)).mean(axis=2), cmap="gray")
            one.set(xticks=[], yticks=[], ylabel="" if column else name)
        axes[0].set_title(f"test {i}: {data.classes[data.test_labels[i]]}")
        axes[1].set_title(f"{data.classes[data.train_labels[j]]}, {'right' if right else 'wrong'}")
        axes[2].set_title(f"{int((new[i] != known[j]).sum())} of {new.shape[1]}")
    save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="signs_and_popcount.png", help="the figure's file")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    main(**vars(parser.parse_args()))

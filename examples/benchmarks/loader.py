"""How many images/s the loader of image-folder decodes, by number of threads.

Its batches are thrown away: this is the most that training can be fed with while it computes
nothing itself. With ``--train birealnet`` that network is trained too, in turns with the loader:
on a batch that stays in memory, and fed by the loader, which shares the cores with it then.

    python loader.py --data-dir FOLDER       (with train/CLASS/* and val/CLASS/*)
    python loader.py --train birealnet       (on images it makes: 500x375, about 100 kB each)
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import minibnn as bnn

SIZE, SIDES, QUALITY = 224, (500, 375), 90  # images as ImageNet has them
CLASSES = 1000  # of the network that is trained, whatever the folder has
NETWORKS = ("binary_alexnet", "xnornet", "birealnet")


def make_folder(root, count, seed=0):
    """``count`` training and as many test JPEGs of two classes: smooth colours with some grain."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    for part in ("train", "val"):
        for k in range(count):
            sides = SIDES if k % 4 else SIDES[::-1]
            small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
            smooth = np.asarray(small.resize(sides, Image.Resampling.BICUBIC), np.int16)
            grain = rng.normal(0, 12, smooth.shape)
            pixels = (smooth + grain).clip(0, 255).astype(np.uint8)
            path = Path(root) / part / f"class{k % 2}" / f"{k}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, quality=QUALITY)


def rates(data, batch_size, epoch):
    """Images a second: training's crops, and the middles that evaluation sees."""
    batches = bnn.data.Batches(data.train_images, data.train_labels, batch_size, 0, "paper")
    found = []
    for stream in (batches.epoch(epoch), data.test_images.batches(batch_size)):
        start = time.perf_counter()
        count = sum(len(images) for images, _ in stream)
        found.append(count / (time.perf_counter() - start))
    return found


class Training:
    """A network and Bop, as in the recipes of section 5.3; on all cores."""

    def __init__(self, name, width):
        recipe = next(r for r in bnn.zoo.RECIPES.values() if r.model == name)
        self.net, self.optimizer = recipe.build(classes=CLASSES, width=width)
        self.optimizer.bind(1000, 1000)

    def step(self, images, labels):
        logits = self.net.forward(images, training=True)
        _, dlogits = bnn.nn.softmax_cross_entropy(logits, labels)
        self.net.backward(dlogits)
        self.optimizer.step(self.net.parameters())

    def rates(self, data, batch_size, steps, epoch):
        """Images a second: the same batch again and again, and fed by the loader."""
        batches = bnn.data.Batches(data.train_images, data.train_labels, batch_size, 0, "paper")
        stream = batches.epoch(epoch)
        images, labels = next(stream)
        self.step(images, labels)
        start = time.perf_counter()
        for _ in range(steps):
            self.step(images, labels)
        alone = steps * batch_size / (time.perf_counter() - start)
        stream.close()
        stream, count = batches.epoch(epoch), 0
        start = time.perf_counter()  # the first batch waits for its images: an epoch does once
        for images, labels in stream:
            self.step(images, labels)
            count += len(images)
            if count >= steps * batch_size:
                break
        stream.close()
        return alone, count / (time.perf_counter() - start)


def measure(options, folder):
    """A dict: medians over the rounds, in which everything takes its turn."""
    found = {workers: [] for workers in options.workers}
    training = Training(options.train, options.width) if options.train else None
    trained = []
    for turn in range(options.rounds + 1):  # the first warms the disk's cache, and compiles
        for workers, measured in found.items():
            data = bnn.data.load("image-folder", folder, image_size=SIZE, workers=workers)
            rate = rates(data, options.batch_size, turn)
            if turn:
                measured.append(rate)
        if training:
            data = bnn.data.load("image-folder", folder, image_size=SIZE)
            rate = training.rates(data, options.batch_size, options.steps if turn else 1, turn)
            if turn:
                trained.append(rate)
    columns = ("training", "evaluation")
    loader = {
        str(workers): dict(zip(columns, map(median, zip(*measured, strict=True)), strict=True))
        for workers, measured in found.items()
    }
    report = {"data": repr(data), "cores": os.cpu_count(), "batch": options.batch_size}
    report |= {"loader": loader}
    if training:
        alone, fed = map(median, zip(*trained, strict=True))
        cores = str(os.cpu_count() if os.cpu_count() in found else max(found))
        mine = [rate for rate, _ in found[int(cores)]]
        times = median(a / b for a, (b, _) in zip(mine, trained, strict=True))
        report["trained"] = {
            "network": options.train,
            "width": options.width,
            "in_memory": alone,
            "fed": fed,
            "loader_threads": int(cores),
            "loader_times": times,
        }
    return report


def text(report):
    """The report in lines."""
    lines = [f"{report['data']}, {report['cores']} cores; images/s"]
    lines.append("threads  training  evaluation")
    for workers, one in report["loader"].items():
        lines.append(f"{workers:>7}  {one['training']:8.0f}  {one['evaluation']:10.0f}")
    if one := report.get("trained"):
        lines += [
            f"{one['network']} (width {one['width']:g}, {CLASSES} classes, batch "
            f"{report['batch']}) trains {one['in_memory']:.1f} images/s from memory, "
            f"{one['fed']:.1f} fed by the loader.",
            f"The loader alone, with {one['loader_threads']} threads, delivers "
            f"{one['loader_times']:.1f} times what it trains from memory.",
        ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="default: images made for the purpose")
    parser.add_argument("--images", type=int, default=400, help="to make, for each part")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3, help="passes; the median is printed")
    parser.add_argument("--train", choices=NETWORKS, help="compare with training this network")
    parser.add_argument("--width", type=float, default=1.0, help="of that network")
    parser.add_argument("--steps", type=int, default=4, help="of training in each round")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if options.data_dir is None:
            make_folder(made, options.images)
        report = measure(options, options.data_dir or made)
    print(json.dumps(report, indent=2) if options.json else text(report))


if __name__ == "__main__":
    main()

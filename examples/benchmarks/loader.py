"""How many pictures a second the loader of image-folder decodes, by number of threads.

Nothing is trained: the batches are thrown away. So this is the most that training can be fed with
while it computes nothing itself; with training on the same cores the two share them.

    python loader.py --data-dir FOLDER     (with train/CLASS/* and val/CLASS/*)
    python loader.py                       (on pictures it makes: 500x375, about 100 kB each)
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import minibnn as bnn

SIZE, SIDES, QUALITY = 224, (500, 375), 90  # pictures as ImageNet has them


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
    """Pictures a second: training's crops, and the middles that evaluation sees."""
    batches = bnn.data.Batches(data.train_images, data.train_labels, batch_size, 0, "paper")
    found = []
    for stream in (batches.epoch(epoch), data.test_images.batches(batch_size)):
        start = time.perf_counter()
        count = sum(len(images) for images, _ in stream)
        found.append(count / (time.perf_counter() - start))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="default: pictures made for the purpose")
    parser.add_argument("--pictures", type=int, default=400, help="to make, for each part")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3, help="passes; the median is printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if options.data_dir is None:
            make_folder(made, options.pictures)
        folder = options.data_dir or made
        found = {workers: [] for workers in options.workers}
        for turn in range(options.rounds + 1):  # in turns; the first one warms the disk's cache
            for workers, measured in found.items():
                data = bnn.data.load("image-folder", folder, image_size=SIZE, workers=workers)
                rate = rates(data, options.batch_size, turn)
                if turn:
                    measured.append(rate)
    print(f"{data!r}, {os.cpu_count()} cores; pictures a second")
    print("threads  training  evaluation")
    for workers, measured in found.items():
        training, evaluation = (median(rate) for rate in zip(*measured, strict=True))
        print(f"{workers:7}  {training:8.0f}  {evaluation:10.0f}")


if __name__ == "__main__":
    main()

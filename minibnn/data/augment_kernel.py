"""The compiled twin of ``augment.pad_crop_flip_reference``, kept on disk with all other kernels."""

import numpy as np

from minibnn.ops.kernels.compile import kernel


@kernel(counts=True)
def pad_crop_flip(images, offsets, flips, pad, rows):
    _, height, width, channels = images.shape
    out = np.empty((len(rows), height, width, channels), np.uint8)
    for i in range(len(rows)):
        row, down, right = rows[i], offsets[i, 0] - pad, offsets[i, 1] - pad
        first, last = max(0, -right), min(width, width - right)  # columns of the crop with data
        for y in range(height):
            if y + down < 0 or y + down >= height or first >= last:
                out[i, y] = 0
                continue
            line, target = images[row, y + down], out[i, y]
            if flips[i]:
                for x in range(first):
                    target[width - 1 - x] = 0
                for x in range(first, last):
                    for c in range(channels):
                        target[width - 1 - x, c] = line[x + right, c]
                for x in range(last, width):
                    target[width - 1 - x] = 0
            else:
                target[:first] = 0
                target[first:last] = line[first + right : last + right]
                target[last:] = 0
    return out

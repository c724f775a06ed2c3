"""PyTorch with bfloat16 autocast, channels last, compiled.

bfloat16 keeps 8 bits of a number: sums of signs above 256 are rounded, so its losses only come
near those of the others.
"""

from functools import partial

import step
from networks import NETWORKS
from pytorch_net import PyTorch

if __name__ == "__main__":
    step.main(partial(PyTorch, low_precision=True), ("binarynet", *NETWORKS))

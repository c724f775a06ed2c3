"""PyTorch in float32, channels last, eager."""

import step
from networks import NETWORKS
from pytorch_net import PyTorch

if __name__ == "__main__":
    step.main(PyTorch, ("binarynet", *NETWORKS))

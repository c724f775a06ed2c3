"""minibnn: the same networks and steps with gradients of 8-bit integers."""

import step
from minibnn_bop import Minibnn
from networks import NETWORKS


class Int8(Minibnn):
    gradients = "int8"
    jobs = ("train",)  # inference is the same


if __name__ == "__main__":
    step.main(Int8, ("binarynet", *NETWORKS))

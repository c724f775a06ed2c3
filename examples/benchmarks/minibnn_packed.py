"""minibnn: the same network after training, packed into bits and integer thresholds."""

import step
from minibnn_bop import Minibnn, bnn


class Packed(Minibnn):
    jobs = ("infer",)
    packed = None

    def infer(self):
        if self.packed is None:  # after the first training steps
            self.packed = bnn.deploy.pack(self.net)
        return self.packed.forward(self.x)


if __name__ == "__main__":
    step.main(Packed)

"""minibnn: BinaryNet trained by Bop on packed bits."""

import sys
from pathlib import Path

import step

try:
    import minibnn as bnn
except ModuleNotFoundError:  # run from a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import minibnn as bnn


class Minibnn:
    def __init__(self, filters, dense_units, batch_size, threads):
        import numba
        import numpy
        from numba.core import event

        self.compiling = event.TimingListener()
        event.register("numba:compile", self.compiling)
        numba.set_num_threads(threads)
        self.versions = {
            "minibnn": bnn.__version__, "NumPy": numpy.__version__, "Numba": numba.__version__
        }  # fmt: skip
        self.net = bnn.zoo.binarynet(step.PICTURE, step.CLASSES, filters, dense_units)
        self.binary = [p for p in self.net.parameters() if p.binary]
        for p, kernel in zip(self.binary, step.first_kernels(filters, dense_units), strict=True):
            p.assign(kernel)
        self.optimizer = bnn.optim.Split(
            binary=bnn.optim.Bop(gamma=step.GAMMA, threshold=step.THRESHOLD),
            real=bnn.optim.Adam(lr=step.LR),
        )
        self.x, self.labels = step.batch(batch_size)

    @property
    def compiled(self):
        """Whether it had to compile, instead of finding everything on disk."""
        return self.compiling.done

    def train(self):
        logits = self.net.forward(self.x, training=True)
        loss, dlogits = bnn.nn.softmax_cross_entropy(logits, self.labels)
        self.net.backward(dlogits)
        self.optimizer.step(self.net.parameters())
        return loss

    def infer(self):
        return self.net.forward(self.x)

    def kernels(self):
        return [p.value for p in self.binary]


if __name__ == "__main__":
    step.main(Minibnn)

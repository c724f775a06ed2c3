"""minibnn: BinaryNet, or an ImageNet network of its zoo, trained by Bop on packed bits."""

import sys
from pathlib import Path

import step
from networks import NETWORKS

try:
    import minibnn as bnn
except ModuleNotFoundError:  # run from a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import minibnn as bnn


class Minibnn:
    gradients = "float32"

    def __init__(self, filters, dense_units, batch_size, threads, network="binarynet"):
        import numba
        import numpy
        from numba.core import event

        from minibnn.ops.threads import use_threads

        self.compiling = event.TimingListener()
        event.register("numba:compile", self.compiling)
        use_threads(threads)
        self.versions = {
            "minibnn": bnn.__version__, "NumPy": numpy.__version__, "Numba": numba.__version__
        }  # fmt: skip
        known = NETWORKS.get(network)
        shape, classes = (known.image, known.classes) if known else (step.IMAGE, step.CLASSES)
        sizes = {"filters": filters, "dense_units": dense_units, "gradients": self.gradients}
        if network == "birealnet":
            del sizes["dense_units"]
        self.net = bnn.zoo.MODELS[network](shape, classes, **sizes)
        self.binary = [p for p in self.net.parameters() if p.binary]
        kernels = [p for p in self.net.parameters() if p.name.endswith("/kernel")]
        first = step.kernels_of(network, filters, dense_units)
        for p, kernel in zip(kernels, first, strict=True):
            p.assign(kernel)
        self.optimizer = bnn.optim.Split(
            binary=bnn.optim.Bop(gamma=step.GAMMA, threshold=step.THRESHOLD),
            real=bnn.optim.Adam(lr=known.lr if known else step.LR),
        )
        self.x, self.labels = step.batch(batch_size, network)

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

    def counts(self):
        trained = sum(p.size for p in self.net.parameters())
        return {"trained": trained, "logits": self.net.output_shape[0]}


if __name__ == "__main__":
    step.main(Minibnn, ("binarynet", *NETWORKS))

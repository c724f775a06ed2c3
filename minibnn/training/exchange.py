"""What the ranks of a run exchange in a step: gradients and moving statistics."""

import numpy as np

from minibnn.nn import BatchNorm
from minibnn.ops.fixed import Fixed


class Exchange:
    """All gradients and, unless batch normalisation is synchronised, its moving statistics.

    Averaged at every step, these never depend on when somebody saves or measures. Within it, a
    context manager, layers know of the ranks. ``exact`` says whether gradients are integers, whose
    sums over ranks are those of one process.
    """

    def __init__(self, net, ranks, sync_batch_norm=False):
        self.ranks, self.sync_batch_norm = ranks, bool(sync_batch_norm)
        self.exact = net.gradients != "float32"
        self.parameters = net.parameters()
        self.synced, self.layers, self.moving = set(), [], []
        for layer in net.chain.walk():
            if sync_batch_norm or (self.exact and not isinstance(layer, BatchNorm)):
                self.layers.append(layer)
            if isinstance(layer, BatchNorm) and not sync_batch_norm:
                self.moving += [layer.moving_mean, layer.moving_variance]
            elif isinstance(layer, BatchNorm) and self.exact:
                # Their gradients come from the whole batch's sums, on every rank.
                self.synced |= {id(p) for p in layer.parameters()}

    def __enter__(self):
        if self.ranks.size > 1:
            for layer in self.layers:
                layer.across = self.ranks
        return self

    def __exit__(self, *_):
        for layer in self.layers:
            layer.across = None

    def of_whole_batch(self, dlogits):
        """dL/dlogits (B, C) of the whole batch's mean, from those of this rank's piece.

        Halving is exact, so on 2, 4, 8, ... ranks this is one process' gradient bit for bit; on
        others but for the last bit of a double, which rounding to integers almost always removes.
        """
        return dlogits / self.ranks.size if self.exact else dlogits  # else gradients are averaged

    def join(self):
        """Every ``grad`` becomes that of the whole batch, every moving statistic its mean."""
        mean = 1 / self.ranks.size
        mine = [p for p in self.parameters if id(p) not in self.synced]
        whole = [p for p in mine if isinstance(p.grad, Fixed)]
        real = [p for p in mine if not isinstance(p.grad, Fixed)]
        # Apart: the large sums over bytes, so that all others travel in fewer.
        for divisor in sorted({p.grad.divisor for p in whole}):
            some = [p for p in whole if getattr(p.grad, "divisor", None) == divisor]
            for p, integers in zip(some, self._sums([p.grad.integers for p in some]), strict=True):
                p.grad = p.grad.like(integers).floats()
        gradients = self._sums([p.grad for p in real], 1 if self.exact else mean)
        for p, gradient in zip(real, gradients, strict=True):
            p.grad = gradient
        for array, new in zip(self.moving, self._sums(self.moving, mean), strict=True):
            array[...] = new

    def _sums(self, arrays, factor=1):
        """The sum over the ranks of each array, times ``factor``: one message for all of them."""
        if not arrays:
            return []
        real = arrays[0].dtype.kind == "f"
        dtype = np.float32 if real else self.ranks.narrowest(arrays)
        ends = np.cumsum([array.size for array in arrays])
        flat = np.zeros(-(-ends[-1] // self.ranks.size) * self.ranks.size, dtype)
        np.concatenate(
            [array.reshape(-1) for array in arrays], out=flat[: ends[-1]], casting="unsafe"
        )
        sums = np.split(self.ranks.join(flat, factor)[: ends[-1]], ends[:-1])
        return [one.reshape(array.shape) for one, array in zip(sums, arrays, strict=True)]

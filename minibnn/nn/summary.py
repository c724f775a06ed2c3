"""What a network costs: parameters, memory and multiply-adds, layer by layer."""

from dataclasses import dataclass

from minibnn.tables import Rows, Table


@dataclass(frozen=True)
class Summary(Rows):
    """What each layer costs, a dict for each: iterate over them, print it, or let Jupyter show it.

    ``bits`` and ``floats`` are the 1-bit and 32-bit numbers kept for inference; ``packed`` and
    ``float32`` are bytes, with 8 binary weights to a byte or 4 bytes for every number.
    Multiply-adds (``binary_macs``, ``real_macs``) are per sample, binary where the kernel and its
    input are signs. ``trained`` is how many numbers an optimizer trains.
    """

    name: str
    rows: tuple
    trained: int

    def tables(self):
        """One table, the totals at its foot."""
        head = ["layer", "kind", "output", "1-bit", "32-bit", "packed", "float32"]
        head += ["1-bit MACs", "32-bit MACs"]
        lines = [
            [row["layer"], row["kind"], "x".join(map(str, row["output"])), *_costs(row.get)]
            for row in self.rows
        ]
        count = self.total("bits") + self.total("floats")
        note = f"{self.trained:,} of {count:,} parameters are trained. "
        note += "Packed and float32 are bytes, MACs multiply-adds per sample."
        foot = [["total", "", "", *_costs(self.total)]]
        return [Table(head, lines, left=3, title=self.name, foot=foot, notes=[note])]


def summarize(network):
    """The Summary of a Sequential network."""
    rows, own = [], network.parameters()
    _collect(network.chain, network.input_shape, False, rows)
    return Summary(network.name, tuple(rows), sum(p.size for p in own if p.trainable))


def _collect(chain, shape, signs, rows):
    """Append a row per layer of ``chain``, inner layers first; ``signs``: are inputs signs?"""
    for layer in chain.layers:
        inner = layer.inner_chains()
        for one in inner:
            _collect(one, shape, signs, rows)
        own = [] if inner else layer.parameters()
        bits = sum(p.size for p in own if p.binary)
        floats = sum(p.size for p in own) - bits + sum(a.size for a in layer.state().values())
        macs = layer.macs(shape)
        binary = macs if signs and bits else 0
        shape, signs = layer.output_shape(shape), layer.gives_signs(signs)
        row = {"layer": layer.name, "kind": type(layer).__name__, "output": shape}
        row |= {"bits": bits, "floats": floats, "packed": -(-bits // 8) + 4 * floats}
        row |= {"float32": 4 * (bits + floats), "binary_macs": binary, "real_macs": macs - binary}
        rows.append(row)


def _costs(value):
    """Cells of what ``value`` gives for each cost."""
    costs = "bits", "floats", "packed", "float32", "binary_macs", "real_macs"
    return [f"{value(cost):,}" if value(cost) else "-" for cost in costs]

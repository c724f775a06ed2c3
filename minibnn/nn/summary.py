"""What a network costs: parameters, memory and multiply-adds, layer by layer."""

from dataclasses import dataclass

from minibnn.tables import Shown, Table, columns_of

NUMBERS = ("bits", "floats", "packed", "float32", "binary_macs", "real_macs")


@dataclass(frozen=True)
class LayerCosts:
    """What a layer costs.

    ``bits`` and ``floats`` are the 1-bit and 32-bit numbers kept for inference, moving statistics
    included; ``packed`` and ``float32`` are bytes, with 8 binary weights to a byte or 4 bytes for
    every number. Multiply-adds are per sample, binary where the kernel and its input are signs.
    """

    layer: str
    kind: str
    output: tuple
    bits: int = 0
    floats: int = 0
    binary_macs: int = 0
    real_macs: int = 0

    @property
    def packed(self):
        return -(-self.bits // 8) + 4 * self.floats

    @property
    def float32(self):
        return 4 * (self.bits + self.floats)


@dataclass(frozen=True)
class Rows(Shown):
    """A row per part and their totals: iterate over the rows, print it, or let Jupyter show it."""

    name: str
    rows: tuple
    fields = ()  # of a row

    def total(self, field):
        """Sum of a field that is a number."""
        return sum(getattr(row, field) for row in self.rows)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def to_dict(self):
        """The fields as columns: a dict of lists."""
        return columns_of([{name: getattr(row, name) for name in self.fields} for row in self.rows])


@dataclass(frozen=True)
class Summary(Rows):
    """What each layer costs, and all of them."""

    trained: int
    fields = ("layer", "kind", "output", *NUMBERS)

    def tables(self):
        """One table, the totals at its foot."""
        head = ["layer", "kind", "output", "1-bit", "32-bit", "packed", "float32"]
        head += ["1-bit MACs", "32-bit MACs"]
        lines = []
        for row in self.rows:
            output = "x".join(map(str, row.output))
            lines.append([row.layer, row.kind, output, *_costs(lambda f, row=row: getattr(row, f))])
        count = self.total("bits") + self.total("floats")
        note = f"{self.trained:,} of {count:,} parameters are trained. MACs are multiply-adds "
        note += "per sample."
        foot = [["total", "", "", *_costs(self.total)]]
        return [Table(head, lines, left=3, title=self.name, foot=foot, notes=[note])]


def summarize(network):
    """The Summary of a Sequential network."""
    rows = []
    _collect(network.chain, network.input_shape, False, rows)
    return Summary(network.name, tuple(rows), sum(p.size for p in network.parameters()))


def _collect(chain, shape, signs, rows):
    """Append a row per layer of ``chain``, inner layers before the one that holds them.

    ``signs`` says whether the inputs are signs. Returns shape and kind of the outputs.
    """
    for layer in chain.layers:
        inner = layer.inner_chains()
        for one in inner:
            _collect(one, shape, signs, rows)
        own = [] if inner else layer.parameters()
        bits = sum(p.size for p in own if p.binary)
        others = sum(p.size for p in own) - bits + sum(a.size for a in layer.state().values())
        macs = layer.macs(shape)
        binary = macs if signs and bits else 0
        shape, signs = layer.output_shape(shape), layer.gives_signs(signs)
        rows.append(
            LayerCosts(layer.name, type(layer).__name__, shape, bits, others, binary, macs - binary)
        )


def _costs(value):
    bits, floats, packed, float32, binary, real = map(value, NUMBERS)
    counts = [f"{n:,}" if n else "-" for n in (bits, floats)]
    sizes = [_scaled(n, 1024, (" B", " KiB", " MiB")) for n in (packed, float32)]
    return counts + sizes + [_scaled(n, 1000, ("", " k", " M", " G")) for n in (binary, real)]


def _scaled(n, factor, units):
    """Four digits of a number and the unit that suits it."""
    for unit in units:
        if n < factor or unit == units[-1]:
            return f"{n:.4g}{unit}" if n else "-"
        n /= factor

"""The summary's numbers, counted by hand."""

from minibnn import nn


def test_costs_by_hand():
    net = nn.Sequential(
        [
            nn.BinaryConv2D(8, 3, padding="valid"),  # on real input: 32-bit multiply-adds
            nn.BatchNorm(scale=True),
            nn.Residual([nn.Sign(), nn.BinaryConv2D(8, 3), nn.BatchNorm()]),
            *(nn.Sign(), nn.MaxPool2D(2), nn.Flatten(), nn.BinaryDense(5), nn.Dense(2)),
        ],
        (8, 8, 1),
    )
    summary = net.summary()
    found = {
        row["layer"]: tuple(
            row[key] for key in ("output", "bits", "floats", "binary_macs", "real_macs")
        )
        for row in summary
    }
    assert found == {
        "conv1": ((6, 6, 8), 72, 0, 0, 36 * 72),
        "batch_norm1": ((6, 6, 8), 0, 4 * 8, 0, 0),
        "sign1": ((6, 6, 8), 0, 0, 0, 0),
        "conv2": ((6, 6, 8), 576, 0, 36 * 576, 0),
        "batch_norm2": ((6, 6, 8), 0, 3 * 8, 0, 0),
        "residual1": ((6, 6, 8), 0, 0, 0, 0),
        "sign2": ((6, 6, 8), 0, 0, 0, 0),
        "max_pool1": ((3, 3, 8), 0, 0, 0, 0),
        "flatten1": ((72,), 0, 0, 0, 0),
        "dense1": ((5,), 360, 0, 360, 0),
        "dense2": ((2,), 0, 12, 0, 10),
    }
    assert summary.total("bits") == 72 + 576 + 360
    assert summary.total("packed") == 9 + 72 + 45 + 4 * (32 + 24 + 12)
    assert summary.total("float32") == 4 * (1008 + 68)
    assert summary.trained == 1008 + 16 + 8 + 12


def test_the_table():
    net = nn.Sequential([nn.BinaryConv2D(4, 3), nn.BatchNorm()], (4, 4, 1))
    lines = str(net.summary()).splitlines()
    head = "layer kind output 1-bit 32-bit packed float32 1-bit MACs 32-bit MACs"
    assert lines[1].split() == head.split()
    assert lines[3].split() == "conv1 BinaryConv2D 4x4x4 36 - 5 144 - 576".split()
    assert lines[6].split() == "total 36 12 53 192 - 576".split()
    assert lines[-1].startswith("40 of 48 parameters are trained.")
    frozen = nn.Sequential(net.config()["layers"], (4, 4, 1), name=5, frozen=["conv1/kernel"])
    assert "4 of 48 parameters are trained." in str(frozen.summary())

"""SGD with weight decay is Bop: on a small network, sign by sign, beside what breaks it.

Trains three copies of one network on the same batches of digits: latent SGD with weight decay,
Bop with gamma = lr * decay and threshold 0, and latent SGD without decay. Prints how many signs
differ after some steps, and draws it. The page equivalences.md beside this file has the reasoning.

    python examples/06_two_optimizers_one_algorithm.py [STEPS] [FOLDER]
"""

import sys
from pathlib import Path

import minibnn as bnn
from minibnn.cli.presets import draw, table, verdict
from minibnn.equivalences.networks import compare_sides

STEPS = 200
PRESET = "sgd-decay-is-bop"  # or latent-scale, loss-scale, hysteresis, inertia


def main(steps=STEPS, folder="."):
    data = bnn.data.load("digits")
    net = bnn.zoo.digits_net(filters=32, dense_units=128, seed=0)
    result = compare_sides(PRESET, net, data, steps=steps, batch_size=50, seed=0)

    twin, control = (side.name for side in result.sides[1:])
    print(f"{'step':>6}  {twin + ' differs in':>22}  {control + ' differs in':>22}")
    for step in sorted({1, 2, 5, 10, 20, 50, 100, 200, steps} & set(range(1, steps + 1))):
        counts = [int(result.differing[name][step - 1].sum()) for name in (twin, control)]
        print(f"{step:>6}  {counts[0]:>16,} signs  {counts[1]:>16,} signs")
    print(f"\n{table(result)}\n\n{verdict(result)}")
    picture = Path(folder) / "two_optimizers_one_algorithm.png"
    draw(picture, result)
    print(f"picture: {picture}")
    return result


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*([int(arguments[0])] if arguments else []), *arguments[1:2])

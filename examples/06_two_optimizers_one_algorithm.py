"""SGD with weight decay is Bop, sign by sign, beside what breaks it (section 6; E4).

Trains three copies of one network on the same batches of digits: latent SGD with weight decay,
Bop with gamma = lr * decay and threshold 0, and latent SGD without decay. Prints how many signs
differ after some steps, and draws it. The page equivalences.md beside this file has the reasoning.

    python examples/06_two_optimizers_one_algorithm.py
    python examples/06_two_optimizers_one_algorithm.py --dataset cifar10 --data-dir FOLDER --steps 9
"""

import argparse

import minibnn as bnn
from minibnn.cli.presets import draw, table, verdict
from minibnn.equivalences.networks import compare_sides

PRESET = "sgd-decay-is-bop"  # or latent-scale, loss-scale, hysteresis, inertia


def main(out="two_optimizers_one_algorithm.png", dataset="digits", data_dir=None, steps=200):
    data = bnn.data.load(dataset, data_dir)
    net = bnn.zoo.digits_net(data.input_shape, filters=32, dense_units=128, seed=0)
    result = compare_sides(PRESET, net, data, steps=steps, batch_size=50, seed=0)

    twin, control = (side.name for side in result.sides[1:])
    print(f"{'step':>6}  {twin + ' differs in':>22}  {control + ' differs in':>22}")
    for step in sorted({1, 2, 5, 10, 20, 50, 100, 200, steps} & set(range(1, steps + 1))):
        counts = [int(result.differing[name][step - 1].sum()) for name in (twin, control)]
        print(f"{step:>6}  {counts[0]:>16,} signs  {counts[1]:>16,} signs")
    print(f"\n{table(result)}\n\n{verdict(result)}")
    draw(out, result)
    print(f"figure: {out}")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="two_optimizers_one_algorithm.png", help="the figure")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--steps", type=int, default=200, help="of each training")
    main(**vars(parser.parse_args()))

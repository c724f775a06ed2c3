"""A sweep in processes: gamma and threshold on a grid (section 5.1), each cell a run of its own.

Every cell is a child process with a run folder; one that dies is started again from its checkpoint,
and the same command goes on with what is missing. Prints the table, and a heat map of the best
accuracies is in the folder.

    python examples/11_sweep_in_processes.py
    python examples/11_sweep_in_processes.py --dataset cifar10 --data-dir FOLDER --epochs 1
"""

import argparse
from pathlib import Path

from minibnn.training import sweep

GRID = {"gamma": ["1e-2", "1e-3", "1e-4"], "threshold": ["0", "1e-6", "1e-5"]}


def main(out="sweep", dataset="digits", data_dir=None, epochs=5, grid=None):
    options = {"dataset": dataset, "data-dir": data_dir, "epochs": epochs}
    options |= {"model": "digits", "filters": 16, "dense-units": 64, "optimizer": "bop"}
    options = {name: value for name, value in options.items() if value is not None}
    result = sweep(grid or GRID, out, options=options)
    best = result.best()
    print(f"\n{result}\n\nbest: gamma {best['gamma']}, threshold {best['threshold']}, ", end="")
    print(f"{100 * best['best_accuracy']:.1f} % in epoch {best['best_epoch']}")
    print(f"figure: {Path(out) / 'heatmap.png'}")
    return result


if __name__ == "__main__":  # the children import nothing from here, but spawned ones would
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="sweep", help="a folder")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--epochs", type=int, default=5, help="of each training")
    main(**vars(parser.parse_args()))

"""The thumbnails of examples/README.md: run the examples, scale what they draw.

    python examples/thumbnails/make.py          # all, some minutes
    python examples/thumbnails/make.py 04 10    # these

12_data_parallel is started by mpiexec, and left out where there is none.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
WIDTH, COLOURS = 360, 256
NO_FIGURE = {"00", "07"}


def command(script, out):
    """How to run an example so that its figure comes to ``out``; None if it cannot be."""
    words = [sys.executable, script, "--out", out]
    if script.name.startswith("12"):
        beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
        found = beside or shutil.which("mpiexec")
        return found and [found, "-n", "2", *words]
    return words


def shrink(source, target):
    """A PNG WIDTH pixels wide with a palette, in which thin lines keep their colours."""
    figure = Image.open(source).convert("RGB")
    height = round(figure.height * WIDTH / figure.width)
    small = figure.resize((WIDTH, height), Image.Resampling.LANCZOS)
    palette = small.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.save(target, optimize=True)


def main(numbers):
    for script in sorted(HERE.parent.glob("[0-9][0-9]_*.py")):
        number = script.name[:2]
        if number in NO_FIGURE or (numbers and number not in numbers):
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / ("sweep" if number == "11" else "figure.png")
            words = command(script, out)
            if words is None:
                print(f"{script.name}: there is no mpiexec")
                continue
            subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            target = HERE / f"{script.stem}.png"
            shrink(out / "heatmap.png" if number == "11" else out, target)
            print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])

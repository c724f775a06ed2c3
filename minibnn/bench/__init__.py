"""How fast it is here: products, whole networks, the way to the first step, and more threads.

``run`` measures. Numbers are medians of several runs; compiling is part of none and told by itself.
``examples/benchmarks/roofline.py`` says where the milliseconds of a training step go.
"""

from minibnn.bench.clock import Setting
from minibnn.bench.run import SECTIONS, run

__all__ = ["SECTIONS", "Setting", "run"]

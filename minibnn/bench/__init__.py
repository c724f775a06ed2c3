"""How fast it is here: products, whole networks, the way to the first step, and more threads.

It calls what lies below as a user would, and nothing below knows of it. ``run`` measures,
``roofline`` says where the milliseconds of a training step go. Every number is a median of several
runs; compiling is never part of one and is told by itself.
"""

from minibnn.bench.clock import Setting
from minibnn.bench.run import SECTIONS, run

__all__ = ["SECTIONS", "Setting", "run"]

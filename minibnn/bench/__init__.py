"""How fast it is here: products, optimizer steps, whole networks, and the way to the first step.

Stands on the fourth floor, beside ``equivalences``: it calls what lies below as a user would, and
nothing below knows of it. ``run`` measures, ``tables`` shows what it found, ``roofline`` says where
the milliseconds of a training step go. Every number is a median of several runs; compiling is
never part of one and is told by itself.
"""

from minibnn.bench.run import SECTIONS, run

__all__ = ["SECTIONS", "run"]

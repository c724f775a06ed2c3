"""Where the cases of a statement come from: a string of bytes, read as choices.

Whatever makes the bytes makes the case: a seeded generator, or Hypothesis where it is installed.
Zero is always the simplest choice, so a case shrinks by setting bytes to zero.
"""

SIZE = 256  # bytes of a case; past the end they are zero


def zigzag(k):
    """0, 1, -1, 2, -2, ... for k = 0, 1, 2, ..."""
    return (k + 1) // 2 * (1 if k % 2 else -1)


class Draw:
    """Reads choices off ``data``."""

    def __init__(self, data):
        self._bytes = iter(data)

    def choice(self, options):
        """One of up to 256 options, the simplest first."""
        return options[next(self._bytes, 0) % len(options)]

    def whole(self, low, high):
        return low + next(self._bytes, 0) % (high - low + 1)

    def flag(self):
        return self.choice((False, True))

    def values(self, options, *shape):
        """A list (of lists) of choices, of ``shape``."""
        if not shape:
            return self.choice(options)
        return [self.values(options, *shape[1:]) for _ in range(shape[0])]


def shrink(data, fails, budget=800):
    """A simpler string of bytes that still fails; ``fails(bytes)`` is asked ``budget`` times.

    >>> shrink(bytes([7, 9, 200, 4]), lambda data: data[2] > 30)
    b'\\x00\\x00\\x1f\\x00'
    """
    best = bytearray(data)

    def try_instead(attempt):
        nonlocal best, budget
        if budget <= 0 or attempt == best:
            return
        budget -= 1
        if fails(bytes(attempt)):
            best = attempt

    before = None
    while before != best and budget > 0:
        before = bytearray(best)
        width = len(best)
        while width:
            for start in range(0, len(best), width):
                end = min(start + width, len(best))
                try_instead(best[:start] + bytes(end - start) + best[end:])
                if best[start:end].strip(b"\0"):
                    try_instead(best[:start] + best[end:] + bytes(end - start))
            width //= 2
        for k in range(len(best)):
            step = best[k]
            while step := step // 2:
                while best[k] >= step and budget > 0:
                    attempt = bytearray(best)
                    attempt[k] -= step
                    try_instead(attempt)
                    if best != attempt:
                        break
    return bytes(best)


def seeded(seed, count):
    """``count`` strings of bytes, a function of ``seed``."""
    import numpy as np

    random = np.random.default_rng(seed)
    for _ in range(count):
        yield random.bytes(SIZE)


def hypothesis_installed():
    try:
        import hypothesis  # noqa: F401
    except ImportError:
        return False
    return True


def strategy(make):
    """Hypothesis' strategy of the cases ``make(Draw)``."""
    from hypothesis import strategies as st

    return st.binary(min_size=SIZE, max_size=SIZE).map(lambda data: make(Draw(data)))

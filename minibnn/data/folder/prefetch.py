"""``map`` on threads: results come in order, and only so many of them are made ahead."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice


def prefetch(function, items, workers, ahead):
    """Yield ``function(item)`` of each item, in order, computed by ``workers`` threads.

    Up to ``ahead`` items are begun or done that nobody has taken yet. What ``function`` raises is
    raised when its turn comes. The generator ends its threads, also when it is closed.
    """
    items = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="minibnn-loader")
    try:
        waiting = deque(pool.submit(function, item) for item in islice(items, ahead))
        while waiting:
            result = waiting.popleft().result()
            with suppress(StopIteration):  # the threads go on while the consumer works
                waiting.append(pool.submit(function, next(items)))
            yield result
            del result  # or what was handed out would stay until the next one is done
    finally:
        pool.shutdown(cancel_futures=True)

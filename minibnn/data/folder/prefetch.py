"""Work done ahead by threads: batches come in order, and only so many of them wait."""

import threading


def prefetch(count, begin, workers, ahead):
    """Yield ``begin(0).result()``, ``begin(1).result()``, ... in this order.

    Parameters
    ----------
    count : int
        How many batches.
    begin : callable k -> batch
        Makes an empty batch k. It has ``tasks``, how many pieces of work fill it, ``run(i)``,
        called once for each i in range(tasks) from any of the threads, and ``result()``, called
        from the consumer's thread when all are done.
    workers : int
        Threads. They live until the generator is exhausted or closed, and then are gone.
    ahead : int
        Batches that may be begun or wait, beside those already handed out.

    Raises
    ------
    What ``run`` raised; of several in a batch the one of the lowest i, so that it does not
    depend on the threads. Batches before that one are handed out first.
    """
    queue = _Queue(count, begin, ahead)
    threads = [
        threading.Thread(target=queue.work, name=f"minibnn-loader-{n}", daemon=True)
        for n in range(workers)
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in range(count):
            yield queue.take()
    finally:
        queue.close()
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()


class _Filling:
    """A batch on its way: tasks handed to threads, tasks not yet done, and the first error."""

    def __init__(self, batch):
        self.batch, self.tasks = batch, batch.tasks
        self.given, self.left = 0, batch.tasks
        self.error = None  # (i, exception)


class _Queue:
    """The state that consumer and threads share, under one lock."""

    def __init__(self, count, begin, ahead):
        self.count, self.begin, self.ahead = count, begin, ahead
        self.waiting = []  # of _Filling, oldest first: at most ``ahead`` of them
        self.begun = 0
        self.closed = False
        self.changed = threading.Condition()

    def take(self):
        """The result of the oldest batch, when it is full."""
        with self.changed:
            self._fill_up()
            while self.waiting[0].left:
                self.changed.wait()
            full = self.waiting.pop(0)
            self._fill_up()  # the threads go on while the consumer works
        if full.error is not None:
            raise full.error[1]
        return full.batch.result()

    def close(self):
        """Let the threads end after what they are at."""
        with self.changed:
            self.closed = True
            self.waiting.clear()
            self.changed.notify_all()

    def work(self):
        """What a thread does."""
        while True:
            with self.changed:
                while not self.closed and (task := self._task()) is None:
                    self.changed.wait()
                if self.closed:
                    return
            filling, i = task
            error = None
            try:
                filling.batch.run(i)
            except BaseException as caught:
                error = caught
            with self.changed:
                if error is not None and (filling.error is None or i < filling.error[0]):
                    filling.error = i, error
                filling.left -= 1
                if filling.left == 0:
                    self.changed.notify_all()
            del filling, task, error  # a waiting thread must not keep a batch alive

    def _task(self):
        """(filling, i) of the next piece of work of the oldest batch that has one, or None."""
        for filling in self.waiting:
            if filling.given < filling.tasks:
                filling.given += 1
                return filling, filling.given - 1
        return None

    def _fill_up(self):
        """Begin batches while there is room."""
        while self.begun < self.count and len(self.waiting) < self.ahead:
            self.waiting.append(_Filling(self.begin(self.begun)))
            self.begun += 1
            self.changed.notify_all()

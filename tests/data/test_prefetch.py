"""Batches filled by threads: order, bound, errors, and that nobody stays behind."""

import threading
from contextlib import closing

import pytest

from minibnn.data.folder.prefetch import prefetch

PATIENCE = 60  # seconds until a test that hangs fails


class Numbers:
    """Batch k of ``tasks`` numbers; ``before(k, i)`` is called in the thread that fills i."""

    def __init__(self, k, tasks=3, before=lambda k, i: None):
        self.k, self.tasks, self.before = k, tasks, before
        self.filled = [None] * tasks

    def run(self, i):
        self.before(self.k, i)
        self.filled[i] = self.k * self.tasks + i

    def result(self):
        return self.filled


def loaders():
    return [t for t in threading.enumerate() if t.name.startswith("minibnn-loader")]


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("ahead", [1, 3])
def test_batches_come_whole_and_in_order(workers, ahead):
    got = list(prefetch(5, Numbers, workers, ahead))
    assert got == [[3 * k, 3 * k + 1, 3 * k + 2] for k in range(5)]
    assert not loaders()


def test_nothing_to_do_is_done_at_once():
    assert list(prefetch(0, Numbers, 2, 2)) == []
    assert not loaders()


def test_a_slow_piece_of_work_does_not_let_a_later_batch_past():
    late = threading.Event()

    def before(k, i):
        if (k, i) == (0, 1):
            assert late.wait(PATIENCE)  # until the whole next batch is done
        elif (k, i) == (1, 2):
            late.set()

    with closing(prefetch(3, lambda k: Numbers(k, before=before), 2, 2)) as stream:
        assert [batch[0] for batch in stream] == [0, 3, 6]


@pytest.mark.parametrize("ahead", [1, 2, 4])
def test_never_more_than_ahead_batches_wait(ahead):
    begun, all_done = [], threading.Event()

    def begin(k):
        begun.append(k)
        return Numbers(k, before=lambda k, i: all_done.set() if (k, i) == (19, 2) else None)

    with closing(prefetch(20, begin, 3, ahead)) as stream:
        for taken, _ in enumerate(stream, start=1):
            # The consumer has ``taken`` and is slow: the threads may fill ``ahead`` more, and
            # that many are begun when a batch is handed out.
            assert len(begun) == min(20, taken + ahead)
    assert all_done.is_set() and begun == list(range(20))


def test_threads_work_while_the_consumer_does():
    second = threading.Event()

    def before(k, i):
        if k == 1:
            second.set()

    with closing(prefetch(3, lambda k: Numbers(k, before=before), 1, 1)) as stream:
        next(stream)
        assert second.wait(PATIENCE)  # without anybody asking for it


@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_comes_in_its_batchs_turn_the_first_of_several(workers):
    def before(k, i):
        if k == 2 and i > 0:
            raise ValueError(f"no {i}")

    got = []
    with pytest.raises(ValueError, match=r"^no 1$"):
        for batch in prefetch(5, lambda k: Numbers(k, before=before), workers, 3):
            got.append(batch[0])
    assert got == [0, 3]
    assert not loaders()


def test_an_error_while_a_batch_is_made_ends_it_too():
    def begin(k):
        if k == 2:
            raise MemoryError
        return Numbers(k)

    with pytest.raises(MemoryError):
        list(prefetch(5, begin, 2, 1))
    assert not loaders()


@pytest.mark.parametrize("left", ["closed", "broken off", "dropped"])
def test_no_thread_stays_when_the_stream_is_left_early(left):
    stream = prefetch(1000, Numbers, 3, 2)
    next(stream)
    assert len(loaders()) == 3
    if left == "closed":
        stream.close()
    elif left == "dropped":
        del stream
    else:
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt)
    assert not loaders()


def test_closing_waits_for_what_is_being_done_and_starts_nothing_more():
    started, go, done = threading.Event(), threading.Event(), []

    def before(k, i):
        if k == 1:
            started.set()
            assert go.wait(PATIENCE)
        done.append((k, i))

    stream = prefetch(100, lambda k: Numbers(k, tasks=1, before=before), 1, 1)
    next(stream)
    assert started.wait(PATIENCE)
    closer = threading.Thread(target=stream.close)
    closer.start()
    go.set()
    closer.join(PATIENCE)
    assert not closer.is_alive() and not loaders()
    assert done == [(0, 0), (1, 0)]


def test_a_stream_never_started_has_no_threads():
    stream = prefetch(3, Numbers, 2, 2)
    assert not loaders()
    stream.close()
    assert not loaders()

"""Results made by threads: order, bound, errors, and that nobody stays behind."""

import threading
from contextlib import closing

import pytest

from minibnn.data.folder.prefetch import prefetch

PATIENCE = 60  # seconds until a test that hangs fails


def square(n):
    return n * n


def loaders():
    return [t for t in threading.enumerate() if t.name.startswith("minibnn-loader")]


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("ahead", [1, 3, 40])
def test_results_come_in_order(workers, ahead):
    assert list(prefetch(square, range(15), workers, ahead)) == [n * n for n in range(15)]
    assert list(prefetch(square, [], workers, ahead)) == []
    assert not loaders()


@pytest.mark.parametrize("ahead", [1, 2, 4])
def test_never_more_than_ahead_items_are_begun(ahead):
    begun = []

    def items():
        for n in range(20):
            begun.append(n)
            yield n

    with closing(prefetch(square, items(), 3, ahead)) as stream:
        for taken, _ in enumerate(stream, start=1):
            assert len(begun) == min(20, taken + ahead)
    assert begun == list(range(20))


def test_threads_work_while_the_consumer_does():
    second = threading.Event()
    with closing(prefetch(lambda n: n == 1 and second.set(), range(3), 1, 1)) as stream:
        next(stream)
        assert second.wait(PATIENCE)  # without anybody asking for it


@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_comes_in_its_turn_the_first_of_several(workers):
    def work(n):
        if n >= 7:
            raise ValueError(f"no {n}")
        return n

    got = []
    with pytest.raises(ValueError, match=r"^no 7$"):
        for n in prefetch(work, range(15), workers, 9):
            got.append(n)
    assert got == list(range(7))
    assert not loaders()


@pytest.mark.parametrize("left", ["closed", "broken off", "dropped"])
def test_no_thread_stays_when_the_stream_is_left_early(left):
    stream = prefetch(square, range(1000), 3, 6)
    next(stream)
    assert 1 <= len(loaders()) <= 3
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

    def work(n):
        if n == 1:
            started.set()
            assert go.wait(PATIENCE)
        done.append(n)

    stream = prefetch(work, range(100), 1, 5)
    next(stream)
    assert started.wait(PATIENCE)
    closer = threading.Thread(target=stream.close)
    closer.start()
    go.set()
    closer.join(PATIENCE)
    assert not closer.is_alive() and not loaders()
    assert done in ([0, 1], [0, 1, 2])  # one may have begun as the stream was being closed

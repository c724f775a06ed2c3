"""How many cores a process may use, and how threads share tasks."""

import os

import numpy as np
import pytest

from minibnn.ops.threads import compute_threads, cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not bind")
def test_a_process_counts_the_cores_it_is_bound_to(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5, 3})
    assert cores() == [3, 5]


def test_where_processes_are_not_bound_all_cores_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores() == [0, 1, 2]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == [0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("tasks", [0, 1, 1000])
def test_each_task_is_taken_once(use_backend, threads, tasks):
    use_backend("numba")
    from numba import get_num_threads, njit, prange

    from minibnn.ops.kernels.tasks import taken

    @njit(parallel=True)
    def count(queue, done):
        for _ in prange(len(queue)):
            for task in taken(queue, len(done)):
                done[task] += 1

    with compute_threads(min(threads, get_num_threads())):
        done = np.zeros(tasks, int)
        count(np.zeros(get_num_threads(), np.int64), done)
    assert (done == 1).all()

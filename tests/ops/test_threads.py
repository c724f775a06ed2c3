"""How many cores a process may use."""

import os

import pytest

from minibnn.ops.threads import cores


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

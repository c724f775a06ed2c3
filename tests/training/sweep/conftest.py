"""Sweeps whose cells take a second, and executors that need no process."""

import shutil
from concurrent.futures import Executor, Future

import pytest
from small_runs import fit

SMALL = {
    "dataset": "digits",
    "optimizer": "bop:gamma=1e-2,threshold=1e-6",
    "real-optimizer": "adam:lr=0.01",
    "filters": 2,
    "dense-units": 8,
    "batch-size": 300,
    "epochs": 2,
}


@pytest.fixture
def small():
    """The options of a small sweep."""
    return dict(SMALL)


class AtOnce(Executor):
    """Calls ``act(task, number)`` in place of the function submitted, number counting from 0."""

    def __init__(self, act):
        self.act, self.tasks = act, []

    def submit(self, fn, /, task):
        future = Future()
        self.tasks.append(task)
        try:
            future.set_result(self.act(task, len(self.tasks) - 1))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def at_once():
    return AtOnce


@pytest.fixture(scope="session")
def after(tmp_path_factory):
    """A function that makes a folder that of a run after so many of its epochs (1, 2 or 3)."""
    runs = tmp_path_factory.mktemp("runs")
    for epochs in (1, 2, 3):
        fit(runs / str(epochs), epochs=epochs, threads=1)

    def make(folder, epochs):
        shutil.copytree(runs / str(epochs), folder, dirs_exist_ok=True)

    return make

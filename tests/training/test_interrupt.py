"""Signals while a run is on, and a terminal that is closed."""

import errno
import os
import signal

import pytest

from minibnn.training.interrupt import StopRequest, terminal


def test_a_second_signal_acts_at_once():
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signum == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_closed_terminal_may_send_its_signal_twice():
    """The shell sends one, the system another when the shell ends: the run is still saving."""
    before = signal.getsignal(signal.SIGHUP)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.signum == signal.SIGHUP
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGHUP) == before


def test_only_a_closed_terminal_loses_words():
    with terminal():
        raise OSError(errno.EIO, "Input/output error")
    with pytest.raises(BrokenPipeError), terminal():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

"""The command line: one module per command, and how errors end it.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

import contextlib
import errno
import os
import shlex
import sys
import warnings

import click

from minibnn._version import __version__
from minibnn.cli.bench import bench
from minibnn.cli.compare import compare
from minibnn.cli.compile import compile
from minibnn.cli.discover import discover
from minibnn.cli.evaluate import evaluate
from minibnn.cli.export import export
from minibnn.cli.info import info
from minibnn.cli.plot import plot
from minibnn.cli.predict import predict
from minibnn.cli.recipes import recipes
from minibnn.cli.report import report
from minibnn.cli.sweep import sweep
from minibnn.cli.train import train
from minibnn.cli.verify import verify
from minibnn.errors import InputError, say


class _Commands(click.Group):
    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:  # training's own kind knows its exit code
            if getattr(stop, "told_elsewhere", False):  # by another MPI rank
                ctx.exit(stop.exit_code)
            text = stop.args[0] if stop.args else "stopped by Ctrl-C"
            if folder := getattr(stop, "folder", None):
                command = f"minibnn {ctx.invoked_subcommand} --resume --out"
                text += f"; go on with: {command} {shlex.quote(str(folder))}"
            say(text)
            ctx.exit(getattr(stop, "exit_code", 130))


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__, "-V", "--version", message="minibnn %(version)s")
def commands():
    """Binarized neural networks from scratch.

    Every weight of these networks is +1 or -1. "minibnn compare" trains one network twice, by Bop
    (the weights are all there is) and by gradient descent on latent weights, and draws how they
    learn; "minibnn train" trains one. Both work without any download on small images of
    handwritten digits. "minibnn verify" shows by running them which optimizers are the same.
    """


for _command in (
    *(train, compare, sweep, recipes, plot, report, info),
    *(evaluate, predict, export, verify, discover, bench, compile),
):
    commands.add_command(_command)


def main(arguments=None, default_map=None):
    """Run the command line and return its exit code: 2, after one line, where a user can mend it.

    Ctrl-C ends in 130, SIGTERM in 143; ``default_map`` has other defaults of commands.
    """
    sys.stderr = sys.stderr or open(os.devnull, "w")  # a closed one is None
    for stream in (sys.stdout, sys.stderr):  # a name may be no text, and a stream know little
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda text, *_, **__: say(text)
            found = commands.main(
                arguments, prog_name="minibnn", standalone_mode=False, default_map=default_map
            )
            return found or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        about = getattr(error, "ctx", None)
        hint = f" (see {about.command_path} --help)" if about else ""
        say(error.format_message() + hint)
    except click.Abort:
        say("stopped by Ctrl-C")
        return 130
    except InputError as error:
        if not getattr(error, "told_elsewhere", False):
            say(str(error))
    except OSError as error:
        known = error.filename and error.strerror
        say(f"{error.filename}: {error.strerror}" if known else str(error))
    except MemoryError as error:
        say(": ".join(["not enough memory", *map(str, error.args)]))
    finally:
        _forget_closed_terminal()
    return 2


def _forget_closed_terminal():
    """Python flushes its streams at its end, and exits with 120 where that fails."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError as error:
            if error.errno == errno.EIO:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""The start of a run in a folder: a new one is described, an old one is taken up again."""

import json

from minibnn.errors import one_line
from minibnn.training.config import check_same_run
from minibnn.training.metrics import MetricsFile
from minibnn.training.run_folder import TELEMETRY


def adopt_config(folder, config, report=None):
    """Write ``config`` as the folder's, after holding it against the one of a run resumed.

    Raises InputError if the folder holds a run with other settings.
    """
    found, config, notes = _held_against(folder, config)
    if found is not None:
        for note in notes if report else ():
            report.note(one_line(f"{folder.path} was {note}"))
        for key in ("minibnn", "computed_by", "mpi"):  # how it was started stays on record
            config.pop(key, None)
            if key in found:
                config[key] = found[key]
        config["options"] = (found.get("options") or {}) | (config["options"] or {}) or None
    if found != config:
        folder.write_config(config)


def check_config(folder, config):
    """InputError if the folder holds a run with other settings; nothing is written."""
    _held_against(folder, config)


def _held_against(folder, config):
    """The config of the run to resume, or None, the one asked for, and what differs in words."""
    config = json.loads(json.dumps(config))
    found = folder.read_config() if folder.resume else None
    return found, config, [] if found is None else check_same_run(found, config, folder.path)


def open_run(folder, run, data, report):
    """Bring ``run`` to where its folder stands; returns its MetricsFile.

    Raises InputError if the checkpoint cannot be read or is another run's.
    """
    if folder.resume and folder.checkpoint.exists():
        run.restore(folder.checkpoint)
    metrics = MetricsFile(
        folder.metrics, run.columns(data.validation_images is not None, data.top5)
    )
    run.history.rows[:] = metrics.cut(run.epoch)
    run.telemetry.resume(folder.path / TELEMETRY, run.epoch)
    if len(run.history) < run.epoch:
        report.note(f"{folder.metrics} lacks rows of the {run.epoch} epochs done so far")
    return metrics


def finished_note(run, settings, folder, report):
    """Whether the run was over already; then say so."""
    if run.stopped:
        report.note(f"the run in {folder.path} was stopped by a callback in epoch {run.epoch}")
    elif run.epoch >= settings.epochs:
        report.note(f"the run in {folder.path} is finished: all {run.epoch} epochs are done")
    else:
        return False
    return True

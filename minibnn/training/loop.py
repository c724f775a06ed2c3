"""The loop of every training: epochs, batches, measuring, saving and stopping."""

from contextlib import ExitStack, closing

import numpy as np

from minibnn.data.folder.images import FolderImages
from minibnn.training.callbacks import call
from minibnn.training.compiling import kernels_meanwhile
from minibnn.training.errors import SIGNALS, Interrupted, StopRequest, TrainingError
from minibnn.training.progress import Pace


class Loop:
    """Brings runs to the end, side by side on one stream of batches.

    Of the runs' ranks only the first has a ``keeper``, and a ``report`` that speaks.
    """

    def __init__(self, runs, batches, data, settings, report, keeper=None):
        self.runs, self.batches, self.data = runs, batches, data
        self.settings, self.report, self.keeper = settings, report, keeper
        self.ranks = runs[0].ranks
        self.part = "test" if data.validation_labels is None else "validation"
        measured = len(getattr(data, f"{self.part}_labels"))
        size = settings.epochs, len(batches), batches.batch_size, measured
        self.pace = Pace(*size, runs[0].epoch, runs[0].step)

    def run(self):
        """Train to the end; raises TrainingError or Interrupted."""
        with StopRequest() as self.stop, ExitStack() as stack:
            say = getattr(self.report, "say", lambda text: None)
            images = self.data.train_images
            compiling = kernels_meanwhile(self.runs, self.settings.loss, images, say)
            self._look_for_kernels = stack.enter_context(compiling)
            self.report.begin(self.pace)
            for run in self.runs:
                stack.enter_context(run.exchange)
            try:
                while not self.over:
                    at = self.runs[0].epoch, self.runs[0].step, self.ranks.rank, self.ranks.size
                    with closing(self.batches.epoch(*at)) as stream:
                        for x, labels in stream:
                            self._train_batch(x, labels)
                    self._end_epoch()
                if self.data.unreadable:
                    count = len(self.data.unreadable)
                    self.report.note(f"images that cannot be read, left out: {count}")
            except TrainingError as error:
                kept = f"; {self.keeper.kept()}" if self.keeper else ""
                raise TrainingError(f"{error}{kept}") from error
            finally:
                self.report.end()

    @property
    def over(self):
        """Whether all epochs are done, or callbacks ended the training."""
        return self.runs[0].stopped or self.runs[0].epoch >= self.settings.epochs

    def _train_batch(self, x, labels):
        """One batch, by every run; then save or stop if it is time for that."""
        if self._look_for_kernels(x, lambda: self.stop.signum):
            self.pace.start_again()
        for run in self.runs:
            run.train_step(x, labels)
        # A signal may reach one rank only, at any moment: they stop at one step. All have just
        # exchanged gradients, so none waits here for another.
        due = self.keeper is not None and self.keeper.due()
        signum, due = self.ranks.most(self.stop.signum or 0, due)
        if self.runs[0].step == len(self.batches):  # the epoch ends first: it looks at this step
            signum = due = 0
        if due or signum:
            with self.ranks.together():
                if self.keeper:
                    self.keeper.save()
        if signum:  # before anything is written to a terminal that hung up
            self._stop(signum)
        self.pace.end_step()
        self.report.step()

    def _end_epoch(self):
        """Measure, ask the callbacks, write and save."""
        self.report.evaluating()
        rows = [run.end_epoch() for run in self.runs]
        self._measure(rows, self.part)
        for run, row in zip(self.runs, rows, strict=True):
            others = [other for other in self.runs if other is not run]
            row |= {f"agreement:{other.name}": agreement(run.net, other.net) for other in others}
            run.history.rows.append(row)
        self._share_unreadable()
        with self.ranks.together():
            asked = self.settings.callbacks if self.ranks.first else ()
            answers = [call(asked, run, row) for run, row in zip(self.runs, rows, strict=True)]
        stopped = self.ranks.from_first(all(answers))
        for run in self.runs:
            run.stopped = stopped
        if self.over and self.part != "test":
            self._measure(rows, "test")
        (signum,) = self.ranks.most(self.stop.signum or 0)
        with self.ranks.together():
            if self.keeper:
                self.keeper.add_rows(rows)
                if self.over or signum or self.keeper.due(self.runs[0].epoch):
                    self.keeper.save()
        self.pace.end_epoch()
        self.report.epoch(rows)
        if signum and not self.over:
            self._stop(signum)

    def _measure(self, rows, part):
        for run, row in zip(self.runs, rows, strict=True):
            run.measure(row, part, self.data, self.batches.batch_size)

    def _stop(self, signum):
        name = SIGNALS[signum]
        if self.keeper is None:
            raise Interrupted(f"stopped by {name}; there is no run folder to save to", signum)
        where = f"after {self.runs[0].position}; saved in {self.keeper.path}"
        raise Interrupted(f"stopped by {name} {where}", signum, self.keeper.path)

    def _share_unreadable(self):
        """Every rank learns which images the others could not decode; rank 0 tells the new ones."""
        for images in (self.data.train_images, self.data.test_images):
            if isinstance(images, FolderImages):
                for found in self.ranks.gather(images.problems.told):
                    images.problems.found |= found
                    images.problems.report(found)


def agreement(a, b):
    """Share of binary weights that are equal in two networks of one architecture; None of none."""
    pairs = [(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True) if p.binary]
    equal = sum(int(np.count_nonzero(p.value == q.value)) for p, q in pairs)
    return equal / sum(p.size for p, _ in pairs) if pairs else None

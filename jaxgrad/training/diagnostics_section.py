"""The section that says whether a run measures itself, and on how much."""

from __future__ import annotations

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Section, Size


class DiagnosticsSection(Section):
    """Measurements as a run trains.

    Args:
        every: steps between measurements; without it there are none.
        sample: images that each is on.
    """

    every: Size | None = None
    sample: Size | None = None

    def check(self) -> None:
        """Raises InputError where its keys do not go together."""
        if self.sample is not None and self.every is None:
            raise InputError("diagnostics.sample", self.sample, "set diagnostics.every too, or leave it out")

    def check_run(self, batch_size: int, batches: int, *, several: bool) -> None:
        """Raises InputError where a run can't measure itself: its epochs have too few batches, or ``several``
        processes train it, each of which has a part of the data."""
        if self.every is None:
            return
        if several:
            remedy = "keep checkpoints (--keep-checkpoints), and measure them in one process: jaxgrad diagnose RUN"
            raise InputError("diagnostics.every", self.every, remedy, problem="got several processes")
        check_batches(batch_size, batches)


def check_batches(batch_size: int, batches: int) -> None:
    """Raises InputError where an epoch has fewer than two."""
    if batches < 2:
        remedy = "noise is of two batches at least: give at most half as many as there are training images"
        raise InputError("batch_size", batch_size, remedy)

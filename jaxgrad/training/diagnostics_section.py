"""The section that says whether a run measures itself, and on how much."""

from __future__ import annotations

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Section, Size


class DiagnosticsSection(Section):
    """Measurements as a run trains: every so many steps, each on so many images; without ``every`` there are none."""

    every: Size | None = None
    sample: Size | None = None

    def check(self) -> None:
        """Raises InputError where its keys do not go together."""
        if self.sample is not None and self.every is None:
            raise InputError("diagnostics.sample", self.sample, "set diagnostics.every too, or leave it out")

"""One schedule's run as traces and figures show it: all of its tiles, or its first ones with a note that says so."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import NamedTuple

from jaxgrad.array.choice import backward_mappings
from jaxgrad.array.counting import count
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import Schedule, find
from jaxgrad.hardware import Accelerator
from jaxgrad.reports.timeline.activities import Activity, activities, tile_count


class Shown(NamedTuple):
    """The part of a run that is shown.

    Args:
        schedule: its name.
        cycles: of the whole run.
        tiles: of the whole run.
        shown_tiles: how many of them are shown.
        activities: theirs; gone through once.
    """

    schedule: str
    cycles: int
    tiles: int
    shown_tiles: int
    activities: Iterable[Activity]

    @property
    def whole(self) -> bool:
        return self.shown_tiles == self.tiles

    @property
    def note(self) -> str:
        """One line on the run, which says if tiles are left out."""
        cut = "" if self.whole else f", the first {self.shown_tiles:,} of {self.tiles:,} tiles"
        return f"{self.schedule}: {self.cycles:,} cycles{cut}"


def first_tiles(schedule: str | Schedule, gemm: Gemm, array: Accelerator, tiles: int) -> Shown:
    """A schedule's run, of at most its first ``tiles`` tiles.

    Raises:
        ValueError: the schedule's name will not do, or a count exceeds what counters hold.
    """
    cycles = count(gemm, array, schedule).as_dict()["cycles"]
    mappings = backward_mappings(schedule, gemm, array)
    tiles_in_all = tile_count(mappings, gemm, array)
    # A tile's activities come in its turn, so that those of the first tiles end where another tile's begin.
    shown = takewhile(lambda activity: activity.tile.number < tiles, activities(mappings, gemm, array))
    return Shown(find(schedule).name, cycles, tiles_in_all, min(tiles, tiles_in_all), shown)

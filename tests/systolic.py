"""The array of the golden model (`oracle`): DESIGN.md section 2 in plain Python, PE by PE and cycle by cycle.

It shares no code and no closed form with the emulator, so that the two check each other. Every value travels with a tag
of what it stands for, and every PE asserts that the operands it meets belong together; counters are raised where an
event happens. A `Hazard` is raised when a register would be overwritten while its value is still needed, a link or an
SRAM port would carry two words in one cycle, or an operand is late: a schedule that runs through is one that hardware
can run. The only timing taken from DESIGN is when each tile's stream starts.

Time: the PE in row r and column c meets the word that row 0 and column 0 meet at cycle t at cycle t + r + c, so
  * double-buffered weights come down column c during the R cycles before the wavefront reaches that column's top PE;
    each PE swaps `w_next` in as the tile's first word arrives, and the next tile's weights may follow at that edge;
  * a double-buffered sum moves to the shadow at the PE's last MAC; column c drains during the R cycles after its bottom
    PE's last MAC, and the last word passes row r at the edge where the next tile's sum may arrive there, R cycles on.
Hence streams max(slots * length, R) apart are feasible, and (`early`) none closer.
Without shadows a PE's registers shift for all of the array at once, so nothing may stream then; but the weights of a
tile and the sums of the one before, in registers of their own, may shift together (`overlapped_drain`).
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

NAMES = (
    "cycles", "macs", "effectual_macs", "w_reads", "w_writes", "x_reads", "dy_reads", "psum_reads", "psum_writes",
    "dw_reads", "dw_writes", "dy_hops", "x_hops", "psum_hops", "acc_updates",
)  # fmt: skip

Counts = dict[str, int]
Number = int | float
Place = tuple[int, int]
Booking = TypeVar("Booking")


class Hazard(AssertionError):
    """Hardware could not do what the schedule asks for."""


class Word(NamedTuple):
    """A value in a register or on a link: element [i, j] of `name`, as tile number `tile` uses it."""

    name: str
    tile: int
    i: int
    j: int
    value: Number
    real: bool  # False: padding of an edge tile, or what comes of it


@dataclass(frozen=True)
class Operand:
    name: Literal["w", "x", "dy"]
    table: list[list[Number]]

    def word(self, tile: int, i: int, j: int) -> Word:
        real = i < len(self.table) and j < len(self.table[0])
        return Word(self.name, tile, i, j, self.table[i][j] if real else 0, real)


@dataclass(frozen=True)
class WeightStationary:
    """out[m, q] = sum_p left[m, p] * held[p, q]; rows of the array hold p, columns q."""

    left: Operand
    held: Operand

    @property
    def columns(self) -> int:
        return len(self.held.table[0])


@dataclass(frozen=True)
class OutputStationary:
    """out[p, q] = sum_m left[m, p] * top[m, q]; rows of the array hold p, columns q."""

    left: Operand
    top: Operand
    drains_to: str  # the counter that a word drained from the accumulators raises

    @property
    def columns(self) -> int:
        return len(self.top.table[0])


@dataclass(frozen=True)
class TurnedStationary:
    """out[m, p] = sum_q top[m, q] * held[p, q]; weight-stationary with the links exchanged: sums flow right.

    It shares what a ``WeightStationary`` pass holds, which is loaded once for the two.
    """

    top: Operand
    held: Operand

    @property
    def columns(self) -> int:
        return len(self.held.table[0])


Pass = WeightStationary | OutputStationary | TurnedStationary


@dataclass(frozen=True)
class Tile:
    """One tile's stream: word m of pass s enters the top left PE at cycle start + m * len(passes) + s."""

    number: int
    start: int
    passes: tuple[Pass, ...]
    top: int  # the first p that the rows hold
    left: int  # the first q that the columns hold

    @property
    def length(self) -> int:
        first = self.passes[0]
        return len((first.top if isinstance(first, TurnedStationary) else first.left).table)

    @property
    def slots(self) -> int:
        return len(self.passes) * self.length

    @property
    def held(self) -> Operand | None:
        return self.holding[0].held if self.holding else None

    @property
    def holding(self) -> list[WeightStationary | TurnedStationary]:
        """The passes that use what the PEs hold."""
        return [one for one in self.passes if not isinstance(one, OutputStationary)]

    @property
    def slots_before_held(self) -> int:
        """Slots of the first word before the one that wants what is held."""
        return self.passes.index(self.holding[0])

    @property
    def slots_after_sum(self) -> int:
        """Slots of the last word after the one in which a result that stays is complete."""
        return next(after for after, one in enumerate(reversed(self.passes)) if isinstance(one, OutputStationary))

    @property
    def drains_to(self) -> str | None:
        return next((one.drains_to for one in self.passes if isinstance(one, OutputStationary)), None)


@dataclass
class PE:
    w: Word | None = None
    w_next: Word | None = None
    h: Word | None = None
    v: Word | None = None
    acc: Word | None = None
    shadow: Word | None = None


class SystolicArray:
    """Runs phases one after another; a phase is the passes that share the array slot by slot, over all its tiles.

    Args:
        rows, cols: R and C, in PEs.
        double_buffered: with `w_next` and a shadow accumulator in each PE.
        early: cycles by which each tile after a phase's first starts too early; only to see hazards raised.
        overlapped_drain: single-buffered, whether a tile's load starts with the drain of the one before.
    """

    def __init__(
        self, rows: int, cols: int, double_buffered: bool, early: int = 0, *, overlapped_drain: bool = False
    ) -> None:
        self.rows, self.cols, self.double_buffered, self.early = rows, cols, double_buffered, early
        self.overlapped_drain = overlapped_drain
        self.pes = [[PE() for _ in range(cols)] for _ in range(rows)]
        self.counts: Counts = dict.fromkeys(NAMES, 0)
        self.psums: dict[Place, Word] = {}
        self.turned_psums: dict[Place, Word] = {}  # that leave at the right
        self.drained: dict[Place, Number] = {}
        self.held_at_edge: list[Word | None] = [None] * rows
        self.ports: set[tuple[str, int]] = set()
        self.busy = self.streams = self.shifts = False

    def run(self, phases: Iterable[tuple[Pass, ...]]) -> None:
        self.tiles = self.timeline(phases)
        self.lay_out()
        final = self.tiles[-1]
        cycle = 0
        while cycle < final.start + final.slots + 3 * (self.rows + self.cols):  # longer than anything can take
            self.busy = self.streams = self.shifts = False
            self.step(cycle)
            if self.streams and self.shifts and not self.double_buffered:
                raise Hazard(f"without shadows PEs shift or stream, not both at once: cycle {cycle}")
            cycle += 1
            if self.busy:
                self.counts["cycles"] = cycle
        for pe in (pe for row in self.pes for pe in row):
            if pe != PE():
                raise Hazard(f"the run ended with words left behind: {pe}")

    def timeline(self, phases: Iterable[tuple[Pass, ...]]) -> list[Tile]:
        tiles: list[Tile] = []
        clock = drained = 0  # serial: when the array is idle again; double-buffered: when the next stream may enter
        for passes in phases:
            first = passes[0]
            assert not isinstance(first, TurnedStationary)  # its partner streams from the left
            length, height, width = len(first.left.table), len(first.left.table[0]), first.columns
            for left in range(0, width, self.cols):
                for top in range(0, height, self.rows):
                    tile = Tile(len(tiles), 0, passes, top, left)
                    loading = self.rows if tile.held and (not tiles or not self.double_buffered) else 0
                    start = clock + loading
                    tiles.append(Tile(tile.number, start, passes, top, left))
                    if self.double_buffered:
                        # Sums that leave at the right come in again at the left a column of tiles later.
                        turned = any(isinstance(one, TurnedStationary) for one in passes) and width > self.cols
                        around = -(-self.cols // -(-height // self.rows)) if turned else 0
                        clock = start + max(tile.slots, self.rows, around) - self.early
                    else:
                        crossed = start + tile.slots + self.rows + self.cols - 2
                        drained = crossed + (self.rows if tile.drains_to else 0)
                        # The next tile's load takes as long as this one's drain.
                        clock = crossed if self.overlapped_drain and tile.held else drained
                        clock -= self.early
            # Double-buffered, the next phase need not wait for a load: its stream follows the last word.
            clock = tiles[-1].start + len(passes) * length if self.double_buffered else drained
        return tiles

    def lay_out(self) -> None:
        """Says which tile uses which edge link in which cycle."""
        self.left_edge: dict[Place, tuple[Tile, int, int]] = {}
        self.top_edge: dict[Place, tuple[Tile, int, int]] = {}
        self.load_edge: dict[Place, tuple[Tile, int]] = {}
        self.drains: dict[Place, tuple[Tile, int]] = {}

        def book(edge: dict[Place, Booking], cycle: int, lane: int, what: Booking) -> None:
            if cycle < 0 or (cycle, lane) in edge:
                raise Hazard(f"two words want one link, or one is before time: cycle {cycle}, lane {lane}")
            edge[cycle, lane] = what

        for tile in self.tiles:
            for m in range(tile.length):
                for slot in range(len(tile.passes)):
                    cycle = tile.start + m * len(tile.passes) + slot
                    for row in range(self.rows):
                        book(self.left_edge, cycle + row, row, (tile, m, slot))
                    for column in range(self.cols):
                        book(self.top_edge, cycle + column, column, (tile, m, slot))
            for column in range(self.cols):
                skew = column if self.double_buffered else 0
                if tile.held:
                    # A shadow is free once its own slot has taken its weight into use.
                    first = tile.start - self.rows + skew + (tile.slots_before_held if self.double_buffered else 0)
                    for i in range(self.rows):
                        book(self.load_edge, first + i, column, (tile, i))
                if tile.drains_to:
                    last = tile.start + tile.slots - 1 + self.rows - 1
                    # Shadows drain once their own slot is through, a column at a time; else once the whole stream is.
                    last += skew - tile.slots_after_sum if self.double_buffered else self.cols - 1
                    for i in range(self.rows):
                        book(self.drains, last + 1 + i, column, (tile, i))

    def access(self, counter: str, lane: int, word: Word, port: str = "") -> None:
        """One SRAM word through the port of one edge lane; padding is made up at the edge and touches no SRAM.

        Each counter has a port of its own, but for results that are drained: they leave by the drain's, whatever they
        count as, so that partial sums may leave in the same cycle.
        """
        if word.real:
            place = (port or counter, lane)
            if place in self.ports:
                raise Hazard(f"{counter}: two words through port {lane} in one cycle")
            self.ports.add(place)
            self.counts[counter] += 1

    def step(self, cycle: int) -> None:
        """One clock cycle. `before` is what the registers hold during it, `self.pes` what they take at its end."""
        before, self.pes = self.pes, [[copy(pe) for pe in row] for row in self.pes]
        self.ports.clear()
        from_left = [self.enter_left(cycle, row) for row in range(self.rows)]
        from_top = [self.enter_top(cycle, column) for column in range(self.cols)]
        for column in range(self.cols):
            self.drain(cycle, column, before)
        for row in range(self.rows):
            for column in range(self.cols):
                h = before[row][column - 1].h if column else from_left[row]
                v = before[row - 1][column].v if row else from_top[column]
                self.work(row, column, before[row][column], self.pes[row][column], h, v)
        for column in range(self.cols):
            self.load(cycle, column, before)

    def enter_left(self, cycle: int, row: int) -> Word | None:
        if (cycle, row) not in self.left_edge:
            return None
        tile, m, slot = self.left_edge[cycle, row]
        if isinstance(tile.passes[slot], TurnedStationary):
            return self.turned_psum(tile, m, row)
        if slot == 0:  # read once, and held at the edge for the other slots
            operand = tile.passes[0].left  # type: ignore[union-attr]  # the first pass streams from the left
            word = operand.word(tile.number, m, tile.top + row)
            self.access(f"{operand.name}_reads", row, word)
            self.held_at_edge[row] = word
        return self.held_at_edge[row]

    def turned_psum(self, tile: Tile, m: int, row: int) -> Word:
        p = tile.top + row
        held = tile.held
        assert held is not None
        word = Word("psum", tile.number, m, p, 0, p < len(held.table))
        if tile.left == 0 or not word.real:
            return word
        found = self.turned_psums.get((m, p))
        if found is None or found.tile != tile.number - -(-len(held.table) // self.rows):
            raise Hazard(f"partial sum {m, p} of the column of tiles before is not in the buffer: {found}")
        self.access("psum_reads", row, found, "left psum")
        return word._replace(value=found.value)

    def enter_top(self, cycle: int, column: int) -> Word | None:
        if (cycle, column) not in self.top_edge:
            return None
        tile, m, slot = self.top_edge[cycle, column]
        now, q = tile.passes[slot], tile.left + column
        if not isinstance(now, WeightStationary):
            word = now.top.word(tile.number, m, q)
            self.access(f"{now.top.name}_reads", column, word)
            return word
        word = Word("psum", tile.number, m, q, 0, q < now.columns)
        if tile.top == 0 or not word.real:
            return word
        found = self.psums.get((m, q))
        if found is None or found.tile != tile.number - 1:
            raise Hazard(f"partial sum {m, q} of the tile before is not in the buffer: {found}")
        self.access("psum_reads", column, found)
        return word._replace(value=found.value)

    def drain(self, cycle: int, column: int, before: list[list[PE]]) -> None:
        if (cycle, column) not in self.drains:
            return
        self.busy = self.shifts = True
        tile, i = self.drains[cycle, column]
        register = "shadow" if self.double_buffered else "acc"
        setattr(self.pes[i][column], register, None)  # rows above i have already let their last word pass
        for row in range(i, self.rows):
            word: Word | None = getattr(before[row][column], register)
            if word is None or (word.tile, word.i) != (tile.number, tile.top + row - i):
                raise Hazard(f"drain of tile {tile.number} finds {word} in row {row}, column {column}")
            if row + 1 < self.rows:
                setattr(self.pes[row + 1][column], register, word)
            elif word.real and tile.drains_to:
                self.access(tile.drains_to, column, word, "drain")
                self.drained[word.i, word.j] = word.value

    def load(self, cycle: int, column: int, before: list[list[PE]]) -> None:
        """Shifts stationary words down: one not yet in its row moves on, the edge sends the lowest row's word first."""
        register = "w_next" if self.double_buffered else "w"

        def take(row: int, word: Word) -> None:
            if getattr(self.pes[row][column], register) is not None:
                raise Hazard(f"{word} overwrites {register} in row {row}, column {column}")
            setattr(self.pes[row][column], register, word)

        for row in reversed(range(self.rows - 1)):
            word: Word | None = getattr(before[row][column], register)
            if word is not None and word.i - self.tiles[word.tile].top > row:
                setattr(self.pes[row][column], register, None)
                take(row + 1, word)
        if (cycle, column) in self.load_edge:
            self.busy = self.shifts = True
            tile, i = self.load_edge[cycle, column]
            assert tile.held is not None
            word = tile.held.word(tile.number, tile.top + self.rows - 1 - i, tile.left + column)
            self.access(f"{tile.held.name}_reads", column, word)
            take(0, word)

    def work(self, row: int, column: int, before: PE, after: PE, h: Word | None, v: Word | None) -> None:
        """What one PE does in one cycle: at most one MAC, its slot's step on what came from the left and the top."""
        after.h, after.v = h, None
        if h is None or v is None:
            if h is not v:
                raise Hazard(f"row {row}, column {column}: {h} from the left meets {v} from the top")
            return
        self.busy = self.streams = True
        tile = self.tiles[h.tile]
        if (h.tile, h.i) != (v.tile, v.i) or (h.j, v.j) != (tile.top + row, tile.left + column):
            raise Hazard(f"row {row}, column {column}: {h} from the left meets {v} from the top")
        if h.real and h is not before.h and h.name != "w":  # a word held for a second slot does not move anew
            self.counts[f"{h.name}_hops"] += 1
        if h.name == "psum":
            after.v, after.h = v, self.held_step(tile, before, after, h, v, v)
            if column == self.cols - 1 and h.real:
                self.access("psum_writes", row, after.h, "right psum")
                self.turned_psums[h.i, h.j] = after.h
        elif v.name == "psum":
            after.v = self.held_step(tile, before, after, v, h, v)
            if row == self.rows - 1 and v.real:
                # Written at the end of this cycle. The next tile reads it at the earliest in the next one: it starts
                # at least R cycles after this tile, which is when the bottom row's result is in the buffer.
                self.access("psum_writes", column, after.v)
                self.psums[v.i, v.j] = after.v
        else:
            after.v = v
            self.output_stationary_step(tile, before, after, h, v)
        if v.real and v.name != "w":
            self.counts[f"{v.name}_hops"] += 1

    def held_step(self, tile: Tile, before: PE, after: PE, psum: Word, met: Word, v: Word) -> Word:
        """Adds to a partial sum what is held times the word that it meets: ``h``, or ``v`` of a turned pass."""
        turned, w = met is v, before.w
        using = [isinstance(one, TurnedStationary) for one in tile.holding].index(turned)
        if self.double_buffered and psum.i == 0 and using == 0:
            if w is not None:
                raise Hazard(f"{before.w_next} replaces {w}, which is still in use")
            w = before.w_next
            after.w_next = None
        row, column = (psum.j, met.j) if turned else (met.j, psum.j)
        if w is None or (w.tile, w.i, w.j) != (psum.tile, row, column):
            raise Hazard(f"{met} and {psum} find {w} in the PE")
        # A word that is spent may be overwritten.
        after.w = w if psum.i < tile.length - 1 or using < len(tile.holding) - 1 else None
        if not (met.real and psum.real):
            return psum
        self.mac(met.value, w.value)
        return psum._replace(value=psum.value + w.value * met.value)

    def output_stationary_step(self, tile: Tile, before: PE, after: PE, h: Word, v: Word) -> None:
        acc = before.acc
        if h.i == 0:
            if acc is not None:
                raise Hazard(f"a new sum replaces {acc}, which has not left")
            acc = Word("acc", h.tile, h.j, v.j, 0, h.real and v.real)
        if acc is None or (acc.tile, acc.i, acc.j) != (h.tile, h.j, v.j):
            raise Hazard(f"{h} and {v} find {acc} in the PE")
        if acc.real:
            self.mac(h.value, v.value)
            self.counts["acc_updates"] += 1
            acc = acc._replace(value=acc.value + v.value * h.value)
        after.acc = acc
        if self.double_buffered and h.i == tile.length - 1:
            if after.shadow is not None:
                raise Hazard(f"{acc} replaces {after.shadow}, which has not been drained")
            after.acc, after.shadow = None, acc

    def mac(self, left: Number, other: Number) -> None:
        self.counts["macs"] += 1
        self.counts["effectual_macs"] += left != 0 and other != 0

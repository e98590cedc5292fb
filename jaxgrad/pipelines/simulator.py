"""A pipeline event by event: tasks on arrays, messages on links, from warm-up to drain."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.pipeline import Op, OpKind, Pipeline, Shape


class Stage(NamedTuple):
    """What a stage takes and sends, for one microbatch.

    Args:
        times: of each kind of operation; what is not there takes none. ``U``, and of a stage on several arrays ``W``,
            is once a batch, the others once a microbatch.
        forward_sent: time that its activations take to the next stage.
        backward_sent: time that its cotangents take to the one before.
    """

    times: Mapping[OpKind, int]
    forward_sent: int = 0
    backward_sent: int = 0


class Task(NamedTuple):
    """An operation on an array, from ``start`` up to ``stop``."""

    processor: int
    op: Op
    start: int
    stop: int


class Message(NamedTuple):
    """What an operation's result takes from one array to a neighbour."""

    source: int
    target: int
    op: Op
    start: int
    stop: int


@dataclass(frozen=True)
class Simulation:
    """A run.

    Args:
        shape: its layout.
        tasks: in the order in which they were found to start.
        messages: likewise.
    """

    shape: Shape
    tasks: tuple[Task, ...]
    messages: tuple[Message, ...]

    @property
    def makespan(self) -> int:
        """Time from the first task to the end of the last."""
        return max((task.stop for task in self.tasks), default=0)

    @cached_property
    def batch_ends(self) -> list[int]:
        """When the last task of each batch is over."""
        ends = [0] * self.shape.batches
        for task in self.tasks:
            batch = task.op.item // self.shape.microbatches
            ends[batch] = max(ends[batch], task.stop)
        return ends

    def period(self) -> Fraction:
        """Time a batch in steady state, in which the times between batches' ends recur; else of the run's second half.

        The last batches, which the arrays drain without new ones behind them, do not count. It is no less than what the
        busiest array does a batch: an array that is nearly as slow works off for hundreds of batches what has queued
        up before it while the pipeline filled, and the batches' ends follow it till then.
        """
        return max(self._between_ends(), self._busiest())

    def _busiest(self) -> Fraction:
        """What the busiest array does a batch; of arrays that take batches in turn, their mean."""
        busy, first, most = self.busy(), 0, Fraction(0)
        for count in self.shape.replicas or (1,) * self.shape.processors:
            most = max(most, Fraction(sum(busy[first : first + count]), count * self.shape.batches))
            first += count
        return most

    def _between_ends(self) -> Fraction:
        """The time between two batches' ends, when they recur."""
        drained = -(-max(self.in_flight(), default=0) // self.shape.microbatches)
        ends = self.batch_ends[: max(1, self.shape.batches - drained)]
        between = [later - earlier for earlier, later in pairwise(ends)]
        for length in range(1, len(between) // 3 + 1):
            # Replicas of a stage end batches at the same time: look further than at a few of them.
            recent = between[-max(3 * length, 2 * self.shape.processors + 1) :]
            if recent[length:] == recent[:-length]:
                return Fraction(sum(recent[-length:]), length)
        half = between[len(between) // 2 :]
        return Fraction(sum(half), len(half)) if half else Fraction(self.makespan, self.shape.batches)

    def busy(self) -> list[int]:
        """Time at work, by array."""
        busy = [0] * self.shape.processors
        for task in self.tasks:
            busy[task.processor] += task.stop - task.start
        return busy

    def bubbles(self) -> list[int]:
        """Time that each array waits between its first task and its last."""
        first, last = [self.makespan] * self.shape.processors, [0] * self.shape.processors
        for task in self.tasks:
            first[task.processor] = min(first[task.processor], task.start)
            last[task.processor] = max(last[task.processor], task.stop)
        return [end - start - busy for start, end, busy in zip(first, last, self.busy(), strict=True)]

    def in_flight(self) -> list[int]:
        """The most microbatches whose activations each stage keeps at a time: from its F to its last use of them."""
        ends: dict[tuple[int, int], int] = {}
        for task in self.tasks:
            if task.op.kind == "U":
                continue
            key = task.op.stage, task.op.item
            ends[key] = max(ends.get(key, 0), task.stop)
        events: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for task in self.tasks:
            if task.op.kind == "F":
                events[task.op.stage].append((task.start, 1))
                events[task.op.stage].append((ends[task.op.stage, task.op.item], -1))
        peaks = []
        for stage in range(self.shape.stages):
            kept = peak = 0
            for _, change in sorted(events[stage]):  # what ends at a time ends before what begins
                kept += change
                peak = max(peak, kept)
            peaks.append(peak)
        return peaks


def simulate(pipeline: Pipeline, stages: Sequence[Stage], shape: Shape, *, overlapped: bool = True) -> Simulation:
    """Runs a pipeline.

    Args:
        pipeline: in which order arrays work.
        stages: what each takes and sends.
        shape: arrays, stages an array, microbatches and batches.
        overlapped: whether an array works on while its words leave (its buffers are double), or waits until they have.

    Raises:
        InputError: there are more or fewer stages than the shape has; or the order waits for itself.
    """
    if len(stages) != shape.stages:
        raise InputError("stages", len(stages), f"give {shape.stages}, {shape.chunks} for each array")
    orders = [
        _with_ends(list(pipeline.order(processor, shape)), stages, shape) for processor in range(shape.processors)
    ]
    run = _Run(stages, shape, overlapped, chained=not pipeline.replicates)
    run.go(orders)
    return Simulation(shape, tuple(run.tasks), tuple(run.messages))


def _with_ends(order: list[Op], stages: Sequence[Stage], shape: Shape) -> list[Op]:
    """An array's operations, and after the last of a batch's gradients of a stage what follows once: of a stage on
    several arrays the sum over these, and the update of the weights."""
    follow: tuple[OpKind, ...] = ("W", "U") if shape.replicas else ("U",)
    if not any(kind in stage.times for stage in stages for kind in follow):
        return order
    last = {(op.item // shape.microbatches, op.stage): place for place, op in enumerate(order) if op.kind in ("B", "W")}
    ends = set(last.values())
    found = []
    for place, op in enumerate(order):
        found.append(op)
        if place in ends:
            found += [op._replace(kind=kind) for kind in follow if kind in stages[op.stage].times]
    return found


class _Run:
    """Arrays take their operations in order, each as soon as what it needs is there."""

    def __init__(self, stages: Sequence[Stage], shape: Shape, overlapped: bool, chained: bool) -> None:
        self.stages, self.shape, self.overlapped, self.chained = stages, shape, overlapped, chained
        self.tasks: list[Task] = []
        self.messages: list[Message] = []
        self.there: dict[Op, int] = {}  # when a result is where the stage is that made it
        self.arrived: dict[Op, int] = {}  # when the neighbouring stage has it
        self.free = [0] * shape.processors
        self.wires: dict[tuple[int, int], int] = {}

    def go(self, orders: Sequence[Sequence[Op]]) -> None:
        done = [0] * len(orders)
        waiting: dict[Op, list[int]] = {}
        ready = deque(range(len(orders)))
        while ready:
            processor = ready.popleft()
            order = orders[processor]
            while done[processor] < len(order):
                op = order[done[processor]]
                start = self.free[processor]
                lacking = None
                for needed, times in self.needs(op):
                    time = times.get(needed)
                    if time is None:
                        lacking = needed
                        break
                    start = max(start, time)
                if lacking is not None:
                    waiting.setdefault(lacking, []).append(processor)
                    break
                self.do(processor, op, start)
                done[processor] += 1
                ready.extend(waiting.pop(op, ()))
        if any(count < len(order) for count, order in zip(done, orders, strict=True)):
            stuck = next(order[count] for count, order in zip(done, orders, strict=True) if count < len(order))
            raise InputError("order", stuck, "give an order in which what an operation needs comes before it")

    def needs(self, op: Op) -> list[tuple[Op, dict[Op, int]]]:
        """The operations whose results it takes, each with the times at which it can."""
        kind, item, stage = op
        if not self.chained:
            return []  # an array's own order has it all
        if kind == "F":
            return [(Op("F", item, stage - 1), self.arrived)] if stage else []
        if kind == "U":
            return []
        if kind == "W":
            return [(Op("B", item, stage), self.there)]
        own = (Op("F", item, stage), self.there)
        return [own] if stage == self.shape.stages - 1 else [own, (Op("B", item, stage + 1), self.arrived)]

    def do(self, processor: int, op: Op, start: int) -> None:
        stage = self.stages[op.stage]
        stop = start + stage.times.get(op.kind, 0)
        self.tasks.append(Task(processor, op, start, stop))
        self.there[op] = self.free[processor] = stop
        forward = op.kind == "F"
        target = op.stage + (1 if forward else -1)
        if not self.chained or op.kind in ("W", "U") or not 0 <= target < self.shape.stages:
            return
        sent = stage.forward_sent if forward else stage.backward_sent
        wire = processor, self.shape.processor_of(op.item, target)
        if not sent or wire[0] == wire[1]:
            self.arrived[op] = stop
            return
        begin = max(stop, self.wires.get(wire, 0))
        self.arrived[op] = self.wires[wire] = begin + sent
        self.messages.append(Message(*wire, op, begin, begin + sent))
        if not self.overlapped:
            self.free[processor] = begin + sent

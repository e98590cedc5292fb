"""Dataflow analysis: the edges between layers, from the operations of a program in the order in which they run.

Each value lives with a layer (``graph.Edge``). What a loop carries lives, in its first round, where its initial value
does, and afterwards with the layer that computed it in the round before; so does what a round computes from it alone.
A value may therefore live with several layers, each for its share of the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from jaxgrad.programs.graph import INPUT, OUTPUT, Edge, Operand

_INPUT = -1  # the program's input, among the layers' indices


class Read(NamedTuple):
    """An operand or a result.

    Args:
        value: its number.
        words: its elements, in all runs of a step.
        operand: of a layer, which operand it is.
    """

    value: int
    words: int
    operand: Operand = "x"


class Operation(NamedTuple):
    """An operation of a program.

    Args:
        kind: a layer's product, work beside the array, a view (a concatenation, or another layout), a slice, or a
            constant, made without operands, such as random numbers.
        reads, makes: its operands and results.
        layer: the layer's name, if it is one.
        data: whether its X is data wherever that comes from: W has a gradient and X has none.
        weights: whether its W may be weights, so that an input of the program as W is no data.
    """

    kind: Literal["layer", "work", "view", "slice", "constant"]
    reads: tuple[Read, ...]
    makes: tuple[Read, ...]
    layer: str = ""
    data: bool = False
    weights: bool = True


class Carry(NamedTuple):
    """A value that a loop carries.

    Args:
        start, after: the initial value, and what a round hands to the next; None where that belongs to the backward
            pass, as updated weights do.
        entry: how many operations come before the loop.
        trips: how many rounds it has.
    """

    start: int
    after: int | None
    entry: int
    trips: int


Joins = Mapping[int, Carry | tuple[int, ...]]  # what loops carry; what branches return, any of several


class _Source(NamedTuple):
    """Where a tensor lives, or a part of it.

    Args:
        tensor: the slices that were taken of it, the last one first, and then its number.
        words: its elements.
        layer: with which it lives.
        since: the index of the operation from which on it lives there.
        carried: whether a loop carries it from the round before.
    """

    tensor: tuple[int, ...]
    words: int
    layer: int
    since: float
    carried: bool = False


class _Home(NamedTuple):
    """With which layer a value lives.

    Args:
        layer: its index.
        since: the index of the operation from which on it lives there.
        trips: of a loop, in all of whose rounds but the first it lives there; 0 where it lives there always.
    """

    layer: int
    since: float
    trips: int = 0


def edges(
    operations: Sequence[Operation], joins: Joins, inputs: Mapping[int, int], results: Iterable[Read]
) -> tuple[Edge, ...]:
    """The edges between the layers among some operations, by target.

    An input of the program is data where it, or what is computed from inputs alone, is the X of a layer whose W is an
    input too, or whose W has a gradient where X has none; what enters only later (a bias, a mask, labels) is not. A
    layer whose result nothing reads ends in ``OUTPUT``.

    Args:
        operations: in the order in which they run.
        joins: by number, the values that loops carry and branches return.
        inputs: elements of the program's inputs, by number.
        results: what the program returns.
    """
    return _Flow(operations, joins, inputs).edges(results)


class _Flow:
    def __init__(self, operations: Sequence[Operation], joins: Joins, inputs: Mapping[int, int]) -> None:
        self._operations, self._joins, self._inputs = operations, joins, inputs
        self._makers = {made.value: operation for operation in operations for made in operation.makes}
        self._words = {made.value: made.words for operation in operations for made in operation.makes}
        self._data = self._find_data()
        self._homes: dict[int, tuple[_Home, ...]] = {}
        self._words_by_edge: dict[tuple[int, int, tuple[int, ...], Operand, bool], int] = {}

    def edges(self, results: Iterable[Read]) -> tuple[Edge, ...]:
        names: list[str] = []
        before: dict[int, tuple[_Home, ...]] | None = None
        while before != self._homes:  # a fixed point: where a carried value lives is known once the loop's body is
            before = dict(self._homes)
            self._words_by_edge.clear()
            names = self._pass()
            if not self._joins:
                break
        end = len(names)
        for read in results:
            for source in self._sources(read.value, read.words):
                self._add(source, end, "x")
        self._end_in_output(names)
        tensors: dict[int, int] = {}
        parts: dict[tuple[int, ...], int] = {(): 0}
        by_target = sorted(self._words_by_edge.items(), key=lambda item: (item[0][1], item[0][0]))
        called = [*names, OUTPUT, INPUT]  # the input's place is -1
        return tuple(
            Edge(
                called[source],
                called[target],
                tensors.setdefault(tensor, len(tensors)),
                words,
                operand,
                carried,
                parts.setdefault(tuple(cut), len(parts)),
            )
            for (source, target, (*cut, tensor), operand, carried), words in by_target
        )

    def _pass(self) -> list[str]:
        """Goes through all operations once; the names of the layers."""
        names: list[str] = []
        for since, operation in enumerate(self._operations):
            if operation.kind == "layer":
                self._layer(operation, len(names))
                homes = (_Home(len(names), since),)
                names.append(operation.layer)
            elif operation.kind == "work":
                homes = self._work(operation)
            else:
                continue  # a view's elements live where its operand's do, a constant's nowhere
            self._homes.update((made.value, homes) for made in operation.makes)
        return names

    def _end_in_output(self, names: list[str]) -> None:
        leading = {source for source, target, _, _, carried in self._words_by_edge if not carried and target != source}
        layers = [operation for operation in self._operations if operation.kind == "layer"]
        for index, operation in enumerate(layers):
            if index not in leading:
                (made,) = operation.makes
                self._add(_Source((made.value,), made.words, index, 0), len(names), "x")

    def _layer(self, operation: Operation, layer: int) -> None:
        for read in operation.reads:
            sources = self._sources(read.value, read.words)
            if read.operand == "w" and operation.weights and all(source.layer == _INPUT for source in sources):
                continue
            for source in sources:
                self._add(source, layer, read.operand)

    def _work(self, operation: Operation) -> tuple[_Home, ...]:
        """Adds the edges to the layer with which the work is done, and returns where its result lives."""
        operands = [self._sources(read.value, read.words) for read in operation.reads]
        sources = [source for operand in operands for source in operand]
        if not sources:
            return ()
        plain = [source for source in sources if not source.carried]
        last = max(plain, key=lambda source: source.since, default=None)
        floor = -2.0 if last is None else last.since
        homes = [] if last is None else [_Home(last.layer, last.since)]
        trips = self._trips
        for source in sources:
            if source.carried and source.since > floor:
                homes.append(_Home(source.layer, source.since, trips[source.since]))
            elif last is not None:
                self._add(source, last.layer, "y")
        for home in homes[last is not None :]:  # in later rounds the operands from before the loop go there too
            for operand in operands:
                if not any(source.layer == home.layer for source in operand):
                    for source in operand:
                        self._add(source, home.layer, "y")
        return tuple(dict.fromkeys(homes))

    @property
    def _trips(self) -> dict[float, int]:
        carries = (join for join in self._joins.values() if isinstance(join, Carry))
        return {carry.entry - 0.5: carry.trips for carry in carries}

    def _add(self, source: _Source, target: int, operand: Operand) -> None:
        if source.words and (source.carried or source.layer != target) and target != _INPUT:
            key = (source.layer, target, source.tensor, operand, source.carried)
            self._words_by_edge[key] = max(source.words, self._words_by_edge.get(key, 0))

    def _sources(self, value: int, words: int, seen: frozenset[int] = frozenset()) -> list[_Source]:
        """The tensors that ``words`` words of a value come from, and where they live."""
        join = self._joins.get(value)
        if join is not None:
            return [] if value in seen else self._join_sources(value, join, words, seen)
        maker = self._makers.get(value)
        if maker is None:
            if value not in self._data:
                return []
            return [_Source((value,), min(words, self._inputs[value]), _INPUT, _INPUT)]
        words = min(words, self._words[value])
        if maker.kind in ("view", "slice"):
            parts = [
                source for read in maker.reads for source in self._sources(read.value, min(words, read.words), seen)
            ]
            cut = (value,) if maker.kind == "slice" else ()
            return [source._replace(tensor=(*cut, *source.tensor)) for source in parts]
        return list(self._by_home(value, words))

    def _by_home(self, value: int, words: int) -> Iterator[_Source]:
        """A value where it lives, each place with its share of the rounds; inner loops first."""
        for home in sorted(self._homes.get(value, ()), key=lambda home: (home.trips == 0, -home.since)):
            first = words // home.trips if home.trips else 0
            if words - first:
                yield _Source((value,), words - first, home.layer, home.since, home.trips > 0)
            words = first

    def _join_sources(
        self, value: int, join: Carry | tuple[int, ...], words: int, seen: frozenset[int]
    ) -> list[_Source]:
        inside = seen | {value}
        if not isinstance(join, Carry):
            return [source for branch in join for source in self._sources(branch, words, inside)]
        first = words // join.trips
        sources = self._sources(join.start, first, inside)
        if join.after is not None and words - first:
            entry = join.entry - 0.5
            for source in self._sources(join.after, words - first, inside):
                within = source.since >= entry and source.layer != _INPUT
                sources.append(source._replace(since=entry, carried=True) if within else source)
        return sources

    def _find_data(self) -> set[int]:
        """The program's inputs that are data: a layer's X, or what it is computed from without another layer."""
        # by value, the inputs that it is computed from; None where a layer's result is among its operands
        computed_from: dict[int, frozenset[int] | None] = {}

        def inputs_of(values: Iterable[int], seen: frozenset[int] = frozenset()) -> frozenset[int] | None:
            union: set[int] = set()
            for value in values:
                join = self._joins.get(value)
                if value in seen:
                    inputs = frozenset()
                elif isinstance(join, Carry):
                    inputs = inputs_of((join.start,), seen | {value})
                elif join is not None:
                    inputs = inputs_of(join, seen | {value})
                else:
                    inputs = computed_from.get(value, frozenset({value} & self._inputs.keys()))
                if inputs is None:
                    return None
                union |= inputs
            return frozenset(union)

        data: set[int] = set()
        for operation in self._operations:
            inputs = inputs_of(read.value for read in operation.reads)
            if operation.kind == "layer" and (inputs is not None or operation.data):
                data |= inputs_of(read.value for read in operation.reads if read.operand == "x") or frozenset()
            if operation.kind == "constant":
                inputs = frozenset()
            elif operation.kind == "layer":
                inputs = None
            computed_from.update((made.value, inputs) for made in operation.makes)
        return data

"""Edges between layers, from the operations of a program in the order in which they run.

Of each value it is told with which layers it lives (``graph.Edge``). What a loop carries lives, in its first round,
where it came from, and afterwards with the layer of the round before; what is made of nothing else in a round does so
too. So a value may live with several, each with its share of the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from jaxgrad.programs.graph import INPUT, OUTPUT, Edge, Operand

_INPUT = -1  # its place among the layers


class Read(NamedTuple):
    """An operand or a result: a value, its elements in all runs of a step, and for a layer's what it is there."""

    value: int
    words: int
    operand: Operand = "x"


class Operation(NamedTuple):
    """What a program does at one place.

    Args:
        kind: a layer's product, work beside the array, a view (values put together, or laid out otherwise), a slice, or
            something made from nothing, such as random numbers.
        reads, makes: its operands and results.
        layer: its name, if it is one.
        data: whether its X is none of the weights, whatever W is: W has a gradient and X has none.
        weights: whether its W may be weights, and nothing that is given is data there.
    """

    kind: Literal["layer", "work", "view", "slice", "constant"]
    reads: tuple[Read, ...]
    makes: tuple[Read, ...]
    layer: str = ""
    data: bool = False
    weights: bool = True


class Carry(NamedTuple):
    """What a round of a loop finds.

    Args:
        start, after: the value before the loop, and what a round hands on; None where that is none of the forward pass,
            as of weights.
        entry: how many operations come before the loop.
        trips: how many rounds it has.
    """

    start: int
    after: int | None
    entry: int
    trips: int


Joins = Mapping[int, Carry | tuple[int, ...]]  # what loops carry; what branches return, any of several


class _Source(NamedTuple):
    """A tensor, the slices taken of it before it, at the place where it lives, from an operation (``since``) on."""

    tensor: tuple[int, ...]
    words: int
    layer: int
    since: float
    carried: bool = False


class _Home(NamedTuple):
    """With which layer a value lives: in the first round of a loop of so many, or in all others if it is carried."""

    layer: int
    since: float
    trips: int = 0


def edges(
    operations: Sequence[Operation], joins: Joins, given: Mapping[int, int], results: Iterable[Read]
) -> tuple[Edge, ...]:
    """The edges between the layers among some operations, by target.

    What is given is data where it, or what is made of it alone, is the X of a layer whose W is given too, or has a
    gradient where X has none; what joins only later (a bias, a mask, labels) is not. A layer whose result nothing reads
    ends in ``OUTPUT``.

    Args:
        operations: in the order in which they run.
        joins: values that are others', by number.
        given: elements of the values that come from outside.
        results: what the program returns.
    """
    return _Flow(operations, joins, given).edges(results)


class _Flow:
    def __init__(self, operations: Sequence[Operation], joins: Joins, given: Mapping[int, int]) -> None:
        self._operations, self._joins, self._given = operations, joins, given
        self._makers = {made.value: operation for operation in operations for made in operation.makes}
        self._words = {made.value: made.words for operation in operations for made in operation.makes}
        self._data = self._find_data()
        self._homes: dict[int, tuple[_Home, ...]] = {}
        self._found: dict[tuple[int, int, tuple[int, ...], Operand, bool], int] = {}

    def edges(self, results: Iterable[Read]) -> tuple[Edge, ...]:
        names: list[str] = []
        before: dict[int, tuple[_Home, ...]] | None = None
        while before != self._homes:  # where what a loop carries lives is known once its body is
            before = dict(self._homes)
            self._found.clear()
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
        found = sorted(self._found.items(), key=lambda item: (item[0][1], item[0][0]))
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
            for (source, target, (*cut, tensor), operand, carried), words in found
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
                continue  # where its elements live, those of its operands do; or nowhere
            self._homes.update((made.value, homes) for made in operation.makes)
        return names

    def _end_in_output(self, names: list[str]) -> None:
        leading = {source for source, target, _, _, carried in self._found if not carried and target != source}
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
        """Adds the edges to where the work is done, and returns that."""
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
        for home in homes[last is not None :]:  # in later rounds what was there before the loop goes there too
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
            self._found[key] = max(source.words, self._found.get(key, 0))

    def _sources(self, value: int, words: int, seen: frozenset[int] = frozenset()) -> list[_Source]:
        """The tensors that ``words`` words of a value are of, and where they live."""
        join = self._joins.get(value)
        if join is not None:
            return [] if value in seen else self._joined(value, join, words, seen)
        maker = self._makers.get(value)
        if maker is None:
            if value not in self._data:
                return []
            return [_Source((value,), min(words, self._given[value]), _INPUT, _INPUT)]
        words = min(words, self._words[value])
        if maker.kind in ("view", "slice"):
            parts = [
                source for read in maker.reads for source in self._sources(read.value, min(words, read.words), seen)
            ]
            cut = (value,) if maker.kind == "slice" else ()
            return [source._replace(tensor=(*cut, *source.tensor)) for source in parts]
        return list(self._shared(value, words))

    def _shared(self, value: int, words: int) -> Iterator[_Source]:
        """A value where it lives, each place with its share of the rounds; inner loops first."""
        for home in sorted(self._homes.get(value, ()), key=lambda home: (home.trips == 0, -home.since)):
            first = words // home.trips if home.trips else 0
            if words - first:
                yield _Source((value,), words - first, home.layer, home.since, home.trips > 0)
            words = first

    def _joined(self, value: int, join: Carry | tuple[int, ...], words: int, seen: frozenset[int]) -> list[_Source]:
        inside = seen | {value}
        if not isinstance(join, Carry):
            return [source for branch in join for source in self._sources(branch, words, inside)]
        first = words // join.trips
        found = self._sources(join.start, first, inside)
        if join.after is not None and words - first:
            entry = join.entry - 0.5
            for source in self._sources(join.after, words - first, inside):
                within = source.since >= entry and source.layer != _INPUT
                found.append(source._replace(since=entry, carried=True) if within else source)
        return found

    def _find_data(self) -> set[int]:
        """What is given and, or what is made of it alone, the X of a layer."""
        made_of: dict[int, frozenset[int] | None] = {}  # given values; None where a layer's result is among it

        def origins(values: Iterable[int], seen: frozenset[int] = frozenset()) -> frozenset[int] | None:
            found: set[int] = set()
            for value in values:
                join = self._joins.get(value)
                if value in seen:
                    own = frozenset()
                elif isinstance(join, Carry):
                    own = origins((join.start,), seen | {value})
                elif join is not None:
                    own = origins(join, seen | {value})
                else:
                    own = made_of.get(value, frozenset({value} & self._given.keys()))
                if own is None:
                    return None
                found |= own
            return frozenset(found)

        data: set[int] = set()
        for operation in self._operations:
            given = origins(read.value for read in operation.reads)
            if operation.kind == "layer" and (given is not None or operation.data):
                data |= origins(read.value for read in operation.reads if read.operand == "x") or frozenset()
            outside = frozenset() if operation.kind == "constant" else None if operation.kind == "layer" else given
            made_of.update((made.value, outside) for made in operation.makes)
        return data

"""The graph of a traced program: its layers, and what goes from one to the next."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import Jaxpr

from jaxgrad.programs.flow import Carry, Joins, Operation, Read, edges
from jaxgrad.programs.gemms import LayerGemm
from jaxgrad.programs.graph import ENDS, Graph, Node
from jaxgrad.programs.liveness import closure
from jaxgrad.programs.names import told_apart
from jaxgrad.programs.operations import CUTS, MADE, RANDOM, VIEWS, elements
from jaxgrad.programs.trace import Site, Trace, Value

_CUTS = ("slice", "split")


class Call(NamedTuple):
    """A forward product.

    Args:
        site: its equation in the walk.
        gemm: its record.
        swapped: whether its left operand is W.
    """

    site: Site
    gemm: LayerGemm
    swapped: bool = False


def graph(jaxpr: Jaxpr, trace: Trace, calls: Sequence[Call], gradients: Iterable[Site]) -> Graph:
    """The graph of a program.

    Args:
        jaxpr: the program.
        trace: its walk.
        calls: its forward products, in the order in which they run.
        gradients: the products that are gradients of these.
    """
    names = told_apart((call.gemm.path for call in calls), taken=ENDS)
    layers = {id(call.site): (name, call) for name, call in zip(names, calls, strict=True)}
    backward = {id(site) for site in gradients}
    late = _late(trace, backward)
    operands = [operand for call in calls for operand in call.site.operands[:2]]
    results = _results(jaxpr, trace, late, training=bool(backward))
    reads = {*(value.origin for value in operands), *(read.value for read in results)}
    indices, operations = _operations(trace, layers, _needed(trace, reads, late))
    tensors = edges(operations, _joins(trace, late, indices), trace.inputs, results)
    nodes = tuple(Node(name, call.gemm) for name, call in zip(names, calls, strict=True))
    return Graph(nodes, tensors, _tied(trace, layers.values()))


def _late(trace: Trace, gradients: Collection[int]) -> set[int]:
    """The origins of the values of the backward pass, and of all that is computed from them."""
    late: set[int] = set()
    seen: set[int] = set()
    for site in trace.sites:
        outs = {out.origin for out in site.outs}
        after = site.place.backward or id(site) in gradients
        # what is rematerialised for the backward pass belongs to the forward one
        if not outs <= seen and (after or any(operand.origin in late for operand in site.operands)):
            late |= outs
        seen |= outs
    return late


def _results(jaxpr: Jaxpr, trace: Trace, late: set[int], *, training: bool) -> list[Read]:
    """The results of the forward pass: in training only scalars, which are the loss, not the batch statistics."""
    reads = []
    for variable, value in zip(jaxpr.outvars, trace.results, strict=True):
        aval: Any = variable.aval
        number = elements(variable) == 1 and jnp.issubdtype(aval.dtype, jnp.floating)
        if value.origin not in late and (number or not training):
            reads.append(Read(value.origin, elements(variable)))
    return reads


def _needed(trace: Trace, results: Iterable[int], late: set[int]) -> set[int]:
    """The values that the results need, but for what the backward pass hands to a loop's next round."""
    operands: dict[int, list[int]] = {}
    for site in trace.sites:
        for out in site.outs:
            operands.setdefault(out.origin, [operand.origin for operand in site.operands])
    for origin, join in trace.joins.items():
        operands[origin] = [source.origin for source in join.sources if not _is_update(join.loops, source, late)]
    return closure(results, lambda origin: operands.get(origin, ()))


def _is_update(loops: bool, source: Value, late: set[int]) -> bool:
    """Whether a loop carries a value of the backward pass to its next round, as training carries updated weights."""
    return loops and source.origin in late


def _operations(
    trace: Trace, layers: dict[int, tuple[str, Call]], needed: set[int]
) -> tuple[list[int], list[Operation]]:
    """The indices of the needed sites, and what each does; what is rematerialised is there once."""
    indices: list[int] = []
    operations: list[Operation] = []
    concatenations: dict[int, Site] = {}  # by their results' numbers
    seen: set[int] = set()
    for index, site in enumerate(trace.sites):
        outs = {out.origin for out in site.outs}
        if site.equation.primitive.name == "concatenate":
            concatenations[site.outs[0].number] = site
        if id(site) in layers or (outs & needed and not outs <= seen):
            parts = concatenations.get(site.operands[0].number) if site.equation.primitive.name in _CUTS else None
            pieces = [_operation(site, layers.get(id(site)))] if parts is None else list(_cut(site, parts))
            indices += [index] * len(pieces)
            operations += pieces
        seen |= outs
    return indices, operations


def _cut(site: Site, parts: Site) -> Iterator[Operation]:
    """Slices of a concatenation, as slices of those of its parts that they reach into."""
    axis, params = parts.equation.params["dimension"], site.equation.params
    begin = 0
    for index, (variable, out) in enumerate(zip(site.equation.outvars, site.outs, strict=True)):
        shape: tuple[int, ...] = variable.aval.shape  # pyright: ignore[reportAttributeAccessIssue]  # an array's
        if "sizes" in params:  # split
            first, step = begin if params["axis"] == axis else 0, 1
            begin += params["sizes"][index]
        else:
            first, step = params["start_indices"][axis], (params["strides"] or (1,) * len(shape))[axis]
        taken = range(first, first + step * shape[axis], step)
        reads, whole, offset = [], True, 0
        for part, value in zip(parts.equation.invars, parts.operands, strict=True):
            size: int = part.aval.shape[axis]  # pyright: ignore[reportAttributeAccessIssue]  # an array's
            reached = sum(offset <= place < offset + size for place in taken)
            if reached:
                words = elements(variable) // shape[axis] * reached
                reads.append(Read(value.origin, words * site.runs))
                whole &= words == elements(part)
            offset += size
        made = Read(out.origin, elements(variable) * site.runs)
        yield Operation("view" if whole else "slice", tuple(reads), (made,))


def _operation(site: Site, layer: tuple[str, Call] | None) -> Operation:
    equation, runs = site.equation, site.runs
    reads = tuple(
        Read(value.origin, elements(variable) * runs)
        for variable, value in zip(equation.invars, site.operands, strict=True)
    )
    makes = tuple(
        Read(value.origin, elements(variable) * runs)
        for variable, value in zip(equation.outvars, site.outs, strict=True)
    )
    if layer is not None:
        name, call = layer
        x, w = reads[1::-1] if call.swapped else reads[:2]
        data = call.gemm.needs_dw and not call.gemm.needs_dx
        return Operation("layer", (x, w._replace(operand="w")), makes, name, data, call.gemm.weights)
    name = equation.primitive.name
    if name in MADE | RANDOM:
        return Operation("constant", (), makes)
    return Operation("slice" if name in CUTS else "view" if name in VIEWS else "work", reads, makes)


def _joins(trace: Trace, late: set[int], indices: Sequence[int]) -> Joins:
    joins: dict[int, Carry | tuple[int, ...]] = {}
    for origin, join in trace.joins.items():
        sources = [None if _is_update(join.loops, source, late) else source.origin for source in join.sources]
        if not join.loops:
            joins[origin] = tuple(source for source in sources if source is not None)
        elif sources[0] is not None:
            joins[origin] = Carry(sources[0], sources[1], bisect_left(indices, join.entry), join.trips)
    return joins


def _tied(trace: Trace, calls: Iterable[tuple[str, Call]]) -> tuple[tuple[str, ...], ...]:
    """The names of the layers that share their weights."""
    computed = trace.computed - trace.carried
    sharing: dict[int, list[str]] = defaultdict(list)
    for name, call in calls:
        weights = call.site.operands[0 if call.swapped else 1].origin
        if weights not in computed:
            sharing[weights].append(name)
    return tuple(tuple(names) for names in sharing.values() if len(names) > 1)

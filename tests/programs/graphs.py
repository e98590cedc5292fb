"""A graph as tests write it by hand."""

from __future__ import annotations

from jaxgrad.programs import Edge, Graph

Written = list[tuple[str, str, int, str, bool]]


def named(graph: Graph, names: str) -> Graph:
    """The same with names of the test's choice, a letter a node."""
    called = dict(zip((node.name for node in graph.nodes), names, strict=True))

    def renamed(edge: Edge) -> Edge:
        source, target = called.get(edge.source, edge.source), called.get(edge.target, edge.target)
        return Edge(source, target, edge.tensor, edge.words, edge.operand, edge.carried, edge.part)

    nodes = tuple(type(node)(called[node.name], node.gemm) for node in graph.nodes)
    tied = tuple(tuple(called[name] for name in group) for group in graph.tied)
    return Graph(nodes, tuple(map(renamed, graph.edges)), tied)


def written(graph: Graph, names: str) -> Written:
    """Source, target, words, operand and whether carried, a letter a node; ``input`` and ``output`` are as they are."""
    return [(edge.source, edge.target, edge.words, edge.operand, edge.carried) for edge in named(graph, names).edges]


def assert_in_order(graph: Graph) -> None:
    """Edges lead forwards, the input reaches every node, and every node the output."""
    place = {name: index for index, name in enumerate(["input", *(node.name for node in graph.nodes), "output"])}
    forward = [edge for edge in graph.edges if not edge.carried]
    assert all(place[edge.source] < place[edge.target] for edge in forward)
    assert all(edge.words > 0 for edge in graph.edges)
    reached, reaching = {"input"}, {"output"}
    for name in place:
        if any(edge.source in reached for edge in graph.incoming(name)):
            reached.add(name)
    for name in reversed(place):
        if any(edge.target in reaching for edge in graph.outgoing(name)):
            reaching.add(name)
    assert reached == reaching == set(place)

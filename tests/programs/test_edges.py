"""Which product feeds which: graphs by hand, through every transformation and every kind of work between layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import Array, lax

from jaxgrad.costs.profiling import profile
from jaxgrad.programs import Edge
from tests.layers import NHWC
from tests.programs.graphs import Written, assert_in_order, named, written

X = jnp.ones((6, 8))
W = jnp.full((8, 8), 0.1)


def weights(*shapes: tuple[int, ...]) -> list[Array]:
    return [(index + 1) * jnp.ones(shape) for index, shape in enumerate(shapes)]


def perceptron(ws: list[Array], x: Array) -> Array:
    (w1, b1, w2, b2) = ws
    return jnp.sin(jax.nn.relu(x @ w1 + b1) @ w2 + b2).sum()


PERCEPTRON = weights((8, 5), (5,), (5, 3), (3,))
CHAIN = [("input", "a", 48, "x", False), ("a", "b", 30, "x", False)]


def residual(ws: list[Array], x: Array) -> Array:
    """A stem and two blocks of two layers, each around a residual; the second narrows the stream."""
    stem, *blocks = ws
    h = jnp.tanh(x @ stem)
    h = h + jnp.tanh(jnp.tanh(h @ blocks[0]) @ blocks[1])
    h = h[:, :4] + jnp.tanh(jnp.tanh(h @ blocks[2]) @ blocks[3])
    return (h**2).sum()


RESIDUAL = weights((8, 7), (7, 5), (5, 7), (7, 5), (5, 4))
RESIDUAL_EDGES = [
    ("input", "a", 48, "x", False),
    ("a", "b", 42, "x", False),
    ("a", "c", 42, "y", False),  # the stream passes around b, to where it is added
    ("b", "c", 30, "x", False),
    ("c", "d", 42, "x", False),  # and goes on from there
    ("c", "e", 24, "y", False),
    ("d", "e", 30, "x", False),
    ("e", "output", 1, "x", False),
]


def inception(ws: list[Array], x: Array) -> Array:
    """Three branches, pooled, and put together for two readers."""
    stem, one, wide, narrow, head, aside = ws
    h = jnp.tanh(x @ stem)
    pooled = h.reshape(3, 2, 7).max(1, keepdims=True)
    third = jnp.broadcast_to(pooled, (3, 2, 7)).reshape(6, 7) @ wide
    both = jnp.concatenate([jnp.tanh(h @ one), jnp.tanh(third), jnp.tanh(h @ narrow)], 1)
    return jnp.sin(both @ head).sum() + jnp.sin(both[:2] @ aside).sum()


INCEPTION = weights((8, 7), (7, 2), (7, 3), (7, 4), (9, 5), (9, 5))
INCEPTION_EDGES = [
    ("input", "a", 48, "x", False),
    ("a", "b", 21, "x", False),  # after pooling, before the broadcast
    ("a", "c", 42, "x", False),
    ("a", "d", 42, "x", False),
    ("b", "e", 18, "x", False),
    ("c", "e", 12, "x", False),
    ("d", "e", 24, "x", False),
]


def attention(ws: list[Array], x: Array) -> Array:
    """Queries, keys and values from one product, split; the result is projected and added to what came in."""
    q, k, v = jnp.split(x @ ws[0], 3, -1)
    return jnp.sin(x + jax.nn.softmax(q @ k.T / 2) @ v @ ws[1]).sum()


ATTENTION = weights((8, 12), (4, 8))
ATTENTION_EDGES = [
    ("input", "a", 48, "x", False),
    ("a", "b", 24, "x", False),
    ("a", "b", 24, "w", False),
    ("a", "c", 24, "w", False),
    ("b", "c", 36, "x", False),
    ("input", "d", 48, "y", False),
    ("c", "d", 24, "x", False),
    ("d", "output", 1, "x", False),
]


def stacked(ws: Array, x: Array, wrap: Callable[..., Any] = lambda layer: layer) -> Array:
    """Layers under scan, each around a residual, after a norm that needs the stream alone."""

    def layer(h: Array, w: Array) -> tuple[Array, Array]:
        return h + jnp.tanh(h / (1 + h**2) @ w), h.sum()

    return (lax.scan(wrap(layer), x, ws)[0] ** 2).sum()


STACKED_EDGES = [
    ("input", "a", 48, "x", False),  # of the first round
    ("input", "a", 48, "y", False),
    ("a", "a", 3 * 48, "x", True),
    ("a", "a", 3 * 48, "y", True),
    ("a", "output", 1, "x", False),
]


def recurrent(ws: list[Array], xs: Array) -> Array:
    """A cell and a readout of all its states; what is scanned crosses once, what all rounds read once in all."""
    before, inside, kept, readout = ws
    context = jnp.tanh(xs[0] @ kept)

    def cell(h: Array, x: Array) -> tuple[Array, Array]:
        h = jnp.tanh(x @ before + h @ inside + context)
        return h, h

    return jnp.sin(lax.scan(cell, jnp.zeros((6, 5)), xs)[1] @ readout).sum()


RECURRENT = weights((8, 5), (5, 5), (8, 5), (5, 3))
RECURRENT_EDGES = [
    ("input", "a", 48, "x", False),  # a slice of the sequence
    ("input", "b", 4 * 48, "x", False),
    ("a", "c", 30, "y", False),  # the context
    ("b", "c", 4 * 30, "y", False),
    ("c", "c", 3 * 30, "x", True),
    ("c", "d", 4 * 30, "x", False),
    ("d", "output", 1, "x", False),
]


def convolved(ws: list[Array], x: Array) -> Array:
    """Two convolutions with pooling between, and a head: maps cross, not patches."""

    def conv(x: Array, w: Array) -> Array:
        return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC)

    h = jax.nn.relu(conv(x, ws[0]))
    h = lax.reduce_window(h, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return jnp.sin(jax.nn.relu(conv(h, ws[1])).mean((1, 2)) @ ws[2]).sum()


def branched(ws: list[Array], x: Array) -> Array:
    h = jnp.tanh(x @ ws[0])
    h = lax.cond(x[0, 0] > 0, lambda h: jnp.tanh(h @ ws[1]), lambda h: 2 * jnp.cos(h), h)
    return jnp.sin(h @ ws[2]).sum()


def looped(ws: list[Array], x: Array) -> Array:
    h = lax.while_loop(lambda h: h.sum() < 0, lambda h: jnp.tanh(h @ ws[1]), jnp.tanh(x @ ws[0]))
    return jnp.sin(h @ ws[2]).sum()


def trained(ws: list[Array], xs: Array) -> Any:
    """Steps of training under scan: the weights that a step hands on are no layer's activations."""

    def step(ws: list[Array], x: Array) -> tuple[list[Array], Array]:
        loss, gradients = jax.value_and_grad(perceptron)(ws, x)
        return jax.tree.map(lambda w, dw: w - 0.1 * dw, ws, gradients), loss

    return lax.scan(step, ws, xs)


@jax.custom_vjp
def own_rule(x: Array, w: Array) -> Array:
    return x @ w


own_rule.defvjp(lambda x, w: (x @ w, (x, w)), lambda kept, dy: (dy @ kept[1].T, kept[0].T @ dy))

SQUARES = weights((8, 8), (8, 8), (8, 8))
CASES: dict[str, tuple[Callable[..., Any], Any, Any, str, Written]] = {
    "forward": (perceptron, PERCEPTRON, X, "ab", [*CHAIN, ("b", "output", 1, "x", False)]),
    "value and gradient": (
        jax.value_and_grad(perceptron), PERCEPTRON, X, "ab", [*CHAIN, ("b", "output", 1, "x", False)],
    ),
    "gradient alone": (jax.grad(perceptron), PERCEPTRON, X, "ab", [*CHAIN, ("b", "output", 18, "x", False)]),
    "jit, vmap and remat": (
        jax.jit(jax.value_and_grad(jax.checkpoint(
            lambda ws, x: jax.vmap(lambda row: perceptron(ws, row[None]))(x).sum()
        ))),
        PERCEPTRON, X, "ab", [*CHAIN, ("b", "output", 1, "x", False)],
    ),
    "custom_vjp": (
        jax.value_and_grad(lambda ws, x: jnp.tanh(own_rule(jnp.tanh(own_rule(x, ws[0])), ws[1])).sum()),
        SQUARES, X, "ab",
        [("input", "a", 48, "x", False), ("a", "b", 48, "x", False), ("b", "output", 1, "x", False)],
    ),
    "residual": (jax.value_and_grad(residual), RESIDUAL, X, "abcde", RESIDUAL_EDGES),
    "residual, remat": (jax.value_and_grad(jax.checkpoint(residual)), RESIDUAL, X, "abcde", RESIDUAL_EDGES),
    "inception": (
        jax.value_and_grad(inception), INCEPTION, X, "abcdef",
        [
            *INCEPTION_EDGES,
            ("b", "f", 6, "x", False),  # two rows of all
            ("c", "f", 4, "x", False),
            ("d", "f", 8, "x", False),
            ("e", "f", 1, "y", False),  # its part of the loss
            ("f", "output", 1, "x", False),
        ],
    ),
    "attention": (jax.value_and_grad(attention), ATTENTION, X, "abcd", ATTENTION_EDGES),
    "scan": (jax.value_and_grad(stacked), jnp.ones((4, 8, 8)), X, "a", STACKED_EDGES),
    "scan of remat": (
        jax.value_and_grad(lambda ws, x: stacked(ws, x, jax.checkpoint)), jnp.ones((4, 8, 8)), X, "a", STACKED_EDGES,
    ),
    "recurrent": (jax.value_and_grad(recurrent), RECURRENT, jnp.ones((4, 6, 8)), "abcd", RECURRENT_EDGES),
    "a loop of steps": (
        trained, PERCEPTRON, jnp.ones((3, 6, 8)), "ab",
        [("input", "a", 144, "x", False), ("a", "b", 90, "x", False), ("b", "output", 54, "x", False)],
    ),
    "convolutions": (
        jax.value_and_grad(convolved), weights((3, 3, 2, 5), (3, 3, 5, 7), (7, 3)), jnp.ones((2, 4, 6, 2)), "abc",
        [
            ("input", "a", 2 * 4 * 6 * 2, "x", False),
            ("a", "b", 2 * 2 * 3 * 5, "x", False),
            ("b", "c", 2 * 7, "x", False),
            ("c", "output", 1, "x", False),
        ],
    ),
    "cond": (
        branched, SQUARES, X, "abc",
        [
            ("input", "a", 48, "x", False),
            ("a", "b", 48, "x", False),
            ("a", "c", 48, "x", False),
            ("b", "c", 48, "x", False),
            ("c", "output", 1, "x", False),
        ],
    ),
    "while": (
        lambda ws, x: looped(ws, x), SQUARES, X, "abc",
        [
            ("input", "a", 48, "x", False),
            ("a", "b", 48, "x", False),
            ("b", "c", 48, "x", False),
            ("c", "output", 1, "x", False),
        ],
    ),
    "low rank": (
        jax.value_and_grad(lambda ws, x: jnp.sin(x @ (ws[0] + ws[1] @ ws[2])).sum()),
        weights((8, 5), (8, 2), (2, 5)), X, "ab",
        [
            ("input", "a", 16, "x", False),  # the one factor, as far as a trace can tell
            ("input", "b", 48, "x", False),
            ("a", "b", 40, "w", False),
            ("b", "output", 1, "x", False),
        ],
    ),
    "an embedding and positions": (
        jax.value_and_grad(lambda ws, ids: jnp.sin((ws[0][ids] @ ws[1] + ws[2]) @ ws[3]).sum()),
        weights((9, 4), (4, 5), (6, 5), (5, 3)), jnp.arange(6), "ab",
        [("input", "a", 24, "x", False), ("a", "b", 30, "x", False), ("b", "output", 1, "x", False)],
    ),
    "dropout": (
        jax.value_and_grad(lambda ws, x: jnp.sin(dropped(dropped(x, 0) @ ws[0], 1) @ ws[1]).sum()), SQUARES, X, "ab",
        [("input", "a", 48, "x", False), ("a", "b", 48, "x", False), ("b", "output", 1, "x", False)],
    ),
}  # fmt: skip


def dropped(x: Array, key: int) -> Array:
    return jnp.where(jax.random.bernoulli(jax.random.key(key), 0.5, x.shape), x, 0)


@pytest.mark.parametrize("name", CASES)
def test_graphs_by_hand(name: str) -> None:
    function, ws, x, names, wanted = CASES[name]
    own = profile(function, ws, x)
    assert written(own.graph, names) == wanted
    assert [node.gemm for node in own.graph.nodes] == own.gemms
    assert own.edges == own.graph.edges
    assert_in_order(own.graph)


@pytest.mark.parametrize(
    ("cut", "wanted"),
    [
        (lambda h: h[:, :3], [("b", 18, False)]),  # one of the parts
        (lambda h: h[:, 1:3], [("b", 12, True)]),
        (lambda h: h[:, 2:6], [("b", 6, True), ("c", 18, True)]),
        (lambda h: h[:, ::4], [("b", 6, True), ("c", 6, True), ("d", 6, True)]),
        (lambda h: h[::3], [("b", 6, True), ("c", 8, True), ("d", 10, True)]),
        (lambda h: jnp.split(h, [3, 7], 1)[1], [("c", 24, False)]),
        (lambda h: jnp.split(h, [2], 1)[1], [("b", 6, True), ("c", 24, True), ("d", 30, True)]),
        (lambda h: jnp.split(h, 3)[2], [("b", 6, True), ("c", 8, True), ("d", 10, True)]),
    ],
)
def test_a_slice_of_a_concatenation_is_of_the_parts_it_reaches_into(
    cut: Callable[[Array], Array], wanted: list[tuple[str, int, bool]]
) -> None:
    def function(ws: list[Array], x: Array) -> Array:
        h = jnp.tanh(x @ ws[0])
        return jnp.sin(cut(jnp.concatenate([jnp.tanh(h @ w) for w in ws[1:]], 1)) @ jnp.ones((cut_width, 2)))

    cut_width = jax.eval_shape(cut, jnp.ones((6, 12))).shape[1]
    own = profile(function, weights((8, 8), (8, 3), (8, 4), (8, 5)), X)
    read = named(own.graph, "abcde").incoming("e")
    assert [(edge.source, edge.words, edge.part > 0) for edge in read] == wanted


def test_tied_weights_are_told_and_what_they_carry_is_not_confused() -> None:
    own = profile(jax.value_and_grad(lambda w, x: (jnp.tanh(jnp.tanh(x @ w) @ W) @ w.T).sum()), 2 * W, X)
    graph = named(own.graph, "abc")
    assert graph.tied == (("a", "c"),)
    assert written(own.graph, "abc") == [
        ("input", "a", 48, "x", False), ("a", "b", 48, "x", False), ("b", "c", 48, "x", False),
        ("c", "output", 1, "x", False),
    ]  # fmt: skip


def test_slices_of_one_tensor_cross_once_each_and_not_beside_the_whole() -> None:
    graph = named(profile(jax.value_and_grad(attention), ATTENTION, X).graph, "abcd")
    (q, k, v) = graph.outgoing("a")
    assert q.tensor == k.tensor == v.tensor
    assert len({0, q.part, k.part, v.part}) == 4
    assert graph.crossing("a", "bcd") == 72
    assert graph.crossing("a", "b") == 48
    assert graph.crossing(["input", "a"], "bcd") == 72 + 48
    graph = named(profile(jax.value_and_grad(residual), RESIDUAL, X).graph, "abcde")
    assert graph.crossing("abc", "de") == 42  # the slice that is added is of what d reads
    assert graph.crossing("abcd", "e") == 24 + 30
    assert graph.crossing("a", ["b", "c", "d", "e", "output"]) == 42


def test_cotangents_go_back_where_a_gradient_is_wanted() -> None:
    graph = named(profile(jax.value_and_grad(residual), RESIDUAL, X).graph, "abcde")
    back = [(edge.source, edge.target, edge.words) for edge in graph.backward()]
    assert back == [(edge[1], edge[0], edge[2]) for edge in reversed(RESIDUAL_EDGES) if edge[0] != "input"]
    assert profile(residual, RESIDUAL, X).graph.backward() == ()
    frozen = named(profile(jax.grad(lambda ws, x: residual([*RESIDUAL[:3], *ws], x)), RESIDUAL[3:], X).graph, "abcde")
    assert {(edge.source, edge.target) for edge in frozen.backward()} == {("output", "e"), ("e", "d")}


def test_a_carried_loop_ends_where_its_last_round_is_read() -> None:
    def function(ws: list[Array], x: Array) -> Array:
        h, _ = lax.scan(lambda h, _: (jnp.tanh(jnp.tanh(h @ ws[0]) @ ws[1]), None), x, None, 5)
        return jnp.sin(h @ ws[2]).sum()

    own = profile(function, SQUARES, X)
    assert written(own.graph, "abc") == [
        ("input", "a", 48, "x", False),
        ("b", "a", 4 * 48, "x", True),
        ("a", "b", 5 * 48, "x", False),
        ("b", "c", 48, "x", False),
        ("c", "output", 1, "x", False),
    ]


def test_loops_in_loops() -> None:
    def function(ws: list[Array], x: Array) -> Array:
        def inner(h: Array, _: None) -> tuple[Array, None]:
            return jnp.tanh(h @ ws[0]), None

        def outer(h: Array, _: None) -> tuple[Array, None]:
            return jnp.tanh(lax.scan(inner, h, None, 3)[0] @ ws[1]), None

        return jnp.sin(lax.scan(outer, x, None, 2)[0]).sum()

    assert written(profile(function, SQUARES, X).graph, "ab") == [
        ("input", "a", 48, "x", False),
        ("a", "a", 2 * 2 * 48, "x", True),
        ("b", "a", 48, "x", True),
        ("a", "b", 2 * 48, "x", False),
        ("b", "output", 1, "x", False),
    ]


def scanned(*, layer: Callable[..., Array], start: Callable[..., Array]) -> Callable[..., Array]:
    """Three rounds between a layer (a) and a head."""

    def function(ws: list[Array], x: Array) -> Array:
        c = jnp.tanh(x @ ws[0])
        h, _ = lax.scan(lambda h, _: (layer(h, c, x, ws[1]), None), start(x), None, 3)
        return jnp.sin(h @ ws[2]).sum()

    return function


ENDS = [("b", "c", 48, "x", False), ("c", "output", 1, "x", False)]
ROUNDS: dict[str, tuple[Callable[..., Array], Callable[..., Array], Written]] = {
    "from nothing": (
        lambda h, c, x, w: jnp.tanh(jnp.cos(h) @ w) + c, jnp.zeros_like,
        [("a", "b", 48, "y", False), ("b", "b", 2 * 48, "x", True)],
    ),
    "with what is there before": (  # made at a in the first round, at b in the others, to which what a made goes
        lambda h, c, x, w: jnp.tanh(h * c @ w), lambda x: x,
        [
            ("input", "a", 48, "y", False), ("a", "b", 48, "y", False), ("a", "b", 48, "x", False),
            ("b", "b", 2 * 48, "x", True),
        ],
    ),
    "with data": (lambda h, c, x, w: jnp.tanh((x + h) @ w) + c, jnp.zeros_like, [
        ("input", "b", 48, "y", False), ("input", "b", 48, "x", False), ("a", "b", 48, "y", False),
        ("b", "b", 2 * 48, "x", True),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROUNDS)
def test_rounds_of_a_loop(name: str) -> None:
    layer, start, wanted = ROUNDS[name]
    graph = profile(scanned(layer=layer, start=start), SQUARES, X).graph
    assert written(graph, "abc") == [("input", "a", 48, "x", False), *wanted, *ENDS]


def test_what_a_round_hands_on_may_be_from_before_the_loop() -> None:
    def function(ws: list[Array], x: Array) -> Array:
        c = jnp.tanh(x @ ws[0])
        _, outs = lax.scan(lambda h, _: (c, jnp.tanh(h @ ws[1])), x, None, 3)
        return jnp.sin(outs @ ws[2]).sum()

    assert written(profile(function, SQUARES, X).graph, "abc") == [
        ("input", "a", 48, "x", False),
        ("input", "b", 48, "x", False),
        ("a", "b", 48, "x", False),
        ("b", "c", 3 * 48, "x", False),
        ("c", "output", 1, "x", False),
    ]


def test_random_numbers_are_no_data() -> None:
    def function(ws: list[Array], x: Array, key: Array) -> Array:
        bits = jax.random.bernoulli(key, 0.5, x.shape)
        return jnp.sin(jnp.where(bits, jnp.where(bits, x, 0) @ ws[0], 0) @ ws[1]).sum()

    assert written(profile(function, SQUARES, X, jax.random.key(0)).graph, "ab") == [
        ("input", "a", 48, "x", False),
        ("a", "b", 48, "x", False),
        ("b", "output", 1, "x", False),
    ]


def test_all_results_of_what_is_not_differentiated_are_outputs_and_the_numbers_of_what_is() -> None:
    def function(ws: list[Array], x: Array) -> tuple[Array, Array]:
        h = jnp.tanh(x @ ws[0])
        return jnp.sin(h @ ws[1]).sum(), h

    whole = written(profile(function, SQUARES, X).graph, "ab")
    assert whole[2:] == [("a", "output", 48, "x", False), ("b", "output", 1, "x", False)]
    trained = written(profile(jax.value_and_grad(function, has_aux=True), SQUARES, X).graph, "ab")
    assert trained == [own for own in whole if own != ("a", "output", 48, "x", False)]


Dag = list[tuple[list[int], str]]  # a node's readers' sources, all before it, and how it puts them together


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Layers on sums or concatenations of what came before; -1 is the input."""
    size = draw(st.integers(1, 6))
    return [
        (draw(st.lists(st.integers(-1, node - 1), min_size=1, max_size=3, unique=True)), draw(st.sampled_from("+|")))
        for node in range(size)
    ]


def run(dag: Dag, ws: list[Array], x: Array) -> Array:
    values = {-1: x}
    for node, (sources, how) in enumerate(dag):
        read = [values[source] for source in sources]
        values[node] = jnp.tanh((sum(read[1:], read[0]) if how == "+" else jnp.concatenate(read, 1)) @ ws[node])
    unread = set(range(len(dag))) - {source for sources, _ in dag for source in sources}
    return sum((jnp.sin(values[node]).sum() for node in sorted(unread)), jnp.zeros(()))


def by_hand(dag: Dag) -> set[tuple[int, int, str]]:
    """A sum lives with the last layer in it, to which the other summand goes. Parts of a concatenation go where it is
    read."""
    edges: set[tuple[int, int, str]] = set()

    def added(nodes: list[int]) -> int:
        """Where a sum of these lives."""
        home = nodes[0]
        for node in nodes[1:]:
            edges.add((min(home, node), max(home, node), "y"))
            home = max(home, node)
        return home

    for node, (sources, how) in enumerate(dag):
        edges |= {(source, node, "x") for source in ([added(sources)] if how == "+" else sources)}
    unread = sorted(set(range(len(dag))) - {source for sources, _ in dag for source in sources})
    return edges | {(added(unread), len(dag), "x")}


@given(dags(), st.booleans())
@settings(max_examples=60)
def test_the_edges_of_a_random_graph_are_found(dag: Dag, differentiated: bool) -> None:
    ws = weights(*((5 * (len(sources) if how == "|" else 1), 5) for sources, how in dag))

    def function(ws: list[Array], x: Array) -> Array:
        return run(dag, ws, x)

    graph = profile(jax.value_and_grad(function) if differentiated else function, ws, jnp.ones((2, 5))).graph
    place = {name: index for index, name in enumerate(["input", *(node.name for node in graph.nodes), "output"], -1)}
    found = {(place[edge.source], place[edge.target], edge.operand) for edge in graph.edges}
    assert found == by_hand(dag)
    assert {edge.words for edge in graph.edges} <= {1, 10}


def test_edges_are_values() -> None:
    one, other = (profile(perceptron, PERCEPTRON, X).edges for _ in range(2))
    assert one == other
    assert len({*one, *other}) == len(one)
    assert one[0] == Edge(source="input", target=one[0].target, tensor=0, words=48)

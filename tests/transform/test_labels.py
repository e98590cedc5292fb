"""Labels of products: the layer that a scope or a library names, else the line, forward and backward alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Emulation, Gemm, count, emulate_function, profile
from jaxgrad.transform import Tally
from jaxgrad.transform.rules import Rule
from tests.transform.truth import ARRAY, XW, XWV, V, W, X, forwards, shape_counts, weights

NATIVE = Emulation(ARRAY)
SQUARE = weights(4, 4)


def macs(tally: Tally) -> dict[str, tuple[int, int]]:
    """Forward and backward, by label."""
    return {
        label: (counters.forward.as_dict()["macs"], counters.backward.as_dict()["macs"])
        for label, counters in tally.sites.items()
    }


def scoped(ws: tuple[Array, Array], x: Array) -> Array:
    with jax.named_scope("net"):
        with jax.named_scope("up"):
            x = jax.nn.relu(x @ ws[0])
        return (x @ ws[1]).sum()


def test_scopes_name_layers_forward_and_backward() -> None:
    gradient = jax.grad(scoped, (0, 1))
    expected = {"net.up": (210, 420), "net": (105, 210)}
    assert macs(emulate_function(gradient, NATIVE)((W, V), X)[1]) == expected
    _, tally = jax.jit(emulate_function(jax.jit(gradient), NATIVE))((W, V), X)
    assert macs(tally) == expected
    found = profile(gradient, (W, V), X)
    assert [gemm.path for gemm in found.gemms] == list(expected)
    assert [node.name for node in found.graph.nodes] == list(expected)
    assert {edge.source for edge in found.edges} | {edge.target for edge in found.edges} >= {*expected}


def test_rules_and_derivatives_from_outside_go_by_the_same_labels() -> None:
    narrow = Emulation(Accelerator(2, 2))
    run = emulate_function(scoped, [Rule("*.up", narrow), Rule("net", None)])
    _, tally = run((W, V), X)
    assert list(tally.sites) == ["net.up"]
    assert "dot_general of net left to XLA, by a rule; 105 MACs" in tally.notes[0]
    _, tally = emulate_function(jax.grad(scoped, (0, 1)), [Rule("net.up", narrow)])((W, V), X)
    assert shape_counts(tally.backward) == shape_counts(count(XW, narrow.array))


def block(w: Array, x: Array) -> Array:
    with jax.named_scope("block"):
        return jnp.tanh(x @ w)


PLACES: dict[str, tuple[Callable[[Array, Array], Array], int]] = {
    "jit": (jax.jit(block), 1),
    "jit in a scope": (jax.named_scope("block")(jax.jit(lambda w, x: jnp.tanh(x @ w))), 1),
    "vmap": (lambda w, x: jax.vmap(block, (None, 0))(w, x[None]), 1),
    "remat": (jax.checkpoint(block), 2),  # it runs again for tanh, whose gradient it is part of
    "scan": (lambda w, x: lax.scan(lambda x, _: (block(w, x), None), x, length=2)[0], 2),
    "einsum": (jax.named_scope("block")(lambda w, x: jnp.tanh(jnp.einsum("ij,jk->ik", x, w))), 1),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_transforms_a_scope_leaves_its_name(place: str) -> None:
    function, runs = PLACES[place]
    gradient = jax.grad(lambda w, x: function(w, x).sum(), (0, 1))
    _, tally = emulate_function(gradient, NATIVE)(SQUARE, SQUARE)
    backward = 128 * (2 if place == "scan" else 1)
    assert macs(tally) == {"block": (64 * runs, backward)}
    assert tally.notes == ()


def test_gradients_that_are_recognised_as_none_have_their_layers_name() -> None:
    """A gradient of a gradient's is a product of its own, of the layer whose second derivative it is."""

    def penalty(w: Array) -> Array:
        return (jax.grad(lambda x: block(w, x).sum())(SQUARE) ** 2).sum()

    _, tally = emulate_function(jax.grad(penalty), NATIVE)(SQUARE)
    assert {label.partition("#")[0] for label in tally.sites} == {"block"}


def twice(w: Array, x: Array) -> Array:
    return x @ w


def test_several_lines_of_one_scope_are_numbered() -> None:
    def function(w: Array, x: Array) -> Array:
        with jax.named_scope("layer[0]"):
            for _ in range(2):
                x = twice(w, x)
            return twice(w, x)

    _, tally = emulate_function(function, [Rule("layer[0]", NATIVE)])(SQUARE, SQUARE)
    assert macs(tally) == {"layer[0]#1": (128, 0), "layer[0]#2": (64, 0)}
    assert tally.notes == ()


LIBRARY: dict[str, Any] = {}
exec(compile("def dense(x, w):\n    return x @ w\n", "/somewhere/site-packages/library/layers.py", "exec"), LIBRARY)
library: Callable[[Array, Array], Array] = LIBRARY["dense"]


def test_a_librarys_layers_have_the_place_of_their_weights() -> None:
    def loss(model: dict[str, Any], x: Array) -> Array:
        x = jax.nn.relu(library(x, model["layers"][0]["w"]))
        return library(x, model["layers"][1]["w"]).sum()

    model = {"layers": [{"w": W}, {"w": V}]}
    for gradient in (jax.grad(loss, (0, 1)), jax.jit(jax.grad(loss, (0, 1)))):
        _, tally = emulate_function(gradient, NATIVE)(model, X)
        assert macs(tally) == {"layers.0": (210, 420), "layers.1": (105, 210)}
        assert [gemm.path for gemm in profile(gradient, model, X).gemms] == ["layers.0", "layers.1"]
    run = emulate_function(loss, [Rule("layers.1", NATIVE)])
    _, tally = run(model, X)
    assert shape_counts(tally.total) == forwards(XWV)
    assert "dot_general of layers.0 left to XLA, no rule is for it" in tally.notes[0]


def test_calls_of_a_librarys_layer_are_one_label_on_whichever_lines() -> None:
    @jax.named_scope("layer")
    def function(w: Array, x: Array) -> Array:
        x = library(x, w)
        return library(x, w)

    assert macs(emulate_function(function, NATIVE)(SQUARE, SQUARE)[1]) == {"layer": (128, 0)}


def test_else_they_have_the_line_of_the_program_that_calls_the_library() -> None:
    def function(w: Array, x: Array) -> Array:
        x = library(jnp.sin(x), jnp.cos(w))
        x = library(x, x)
        return jax.jit(library)(x, x)

    _, first = inspect.getsourcelines(function)
    _, tally = emulate_function(function, NATIVE)(SQUARE, SQUARE)
    assert list(tally.sites) == [f"test_labels.py:{first + line}" for line in (1, 2, 3)]
    assert shape_counts(tally.total) == forwards(*[Gemm(4, 4, 4)] * 3)

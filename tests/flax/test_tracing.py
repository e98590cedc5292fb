from __future__ import annotations

from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import Array

from jaxgrad.flax.tracing import name_modules, write_quickly


class Counting(nnx.Module):
    """A norm with running statistics, dropout, which counts its keys, and a variable that is written in part."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.seen = nnx.Variable(jnp.zeros(4))

    def __call__(self, x: Array) -> Array:
        self.seen[0] = x.sum()
        return self.dropout(self.norm(x))


def run(x: Array, *, ready: bool) -> tuple[Array, Any]:
    model = Counting(nnx.Rngs(0))
    if ready:
        write_quickly(model)
        name_modules(model)
        name_modules(model)  # a second time changes nothing
    out = model(x)
    return out, [
        leaf for leaf in jax.tree.leaves(nnx.state(model)) if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    ]


def test_values_are_those_of_the_model_as_it_was() -> None:
    x = jnp.arange(12.0).reshape(4, 3)
    plain, ready = (jax.jit(run, static_argnames="ready")(x, ready=each) for each in (False, True))
    assert jax.tree.structure(plain) == jax.tree.structure(ready)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, plain, ready))


def test_no_traced_value_is_asked_for_its_sharding(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def sharding(_: Any) -> None:
        asked.append(True)

    monkeypatch.setattr(jax.core.Tracer, "sharding", property(sharding))
    jax.make_jaxpr(lambda x: run(x, ready=False)[0])(jnp.ones((4, 3)))
    plain, asked[:] = len(asked), []
    graph, state = nnx.split(Counting(nnx.Rngs(0)))

    def ready(state: nnx.State, x: Array) -> Array:
        model = nnx.merge(graph, state, copy=True)
        write_quickly(model)
        return model(x)

    jax.make_jaxpr(ready)(state, jnp.ones((4, 3)))
    assert plain > 0
    assert not asked


def test_names_are_paths_and_kinds() -> None:
    def named(x: Array) -> Array:
        model = Counting(nnx.Rngs(0))
        name_modules(model)
        return model(x)

    stacks = {str(equation.source_info.name_stack) for equation in jax.make_jaxpr(named)(jnp.ones((4, 3))).eqns}
    assert any("jaxgrad[@model]/jaxgrad[normalisation@norm]" in stack for stack in stacks)
    assert any("jaxgrad[dropout@dropout]" in stack for stack in stacks)

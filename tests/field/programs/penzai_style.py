"""A training step as Penzai's documentation writes one: layers are trees of named arrays."""

from __future__ import annotations

from typing import Any

import jax
from jax import Array
from penzai import pz

from tests.field.program import Program, normal


def perceptron() -> Program:
    model = pz.nn.Sequential([
        pz.nn.Linear.from_config("first", jax.random.key(0), {"features": 4}, {"hidden": 5}),
        pz.nn.Elementwise(jax.nn.relu),
        pz.nn.Linear.from_config("second", jax.random.key(1), {"hidden": 5}, {"out": 3}),
    ])  # fmt: skip
    graph, variables = pz.unbind_params(model, freeze=True)
    values = {variable.label: variable for variable in variables}

    def loss(values: Any, x: Array) -> Array:
        bound = pz.bind_variables(graph, list(values.values()))
        out = bound(pz.nx.wrap(x).tag("batch", "features"))
        return (out.untag("batch", "out").unwrap() ** 2).sum()

    return Program(jax.grad(loss), (values, normal(6, 4)))

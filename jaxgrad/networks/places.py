"""Layers of a plain function, which has no modules: each is where its parameters are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax.extend.core import JaxprEqn, Var, jaxpr_as_fun

from jaxgrad.programs import kinds
from jaxgrad.programs.scopes import scopes


def named(function: Callable[..., Any], params: Any, *args: Any) -> Any:
    """What ``function(params, *args)`` gives, its equations naming their layers.

    An equation is of the layer whose parameters it reads, where these are of one: ``dense`` of
    ``params["dense"]["kernel"]``; else of the one whose scope (``jax.named_scope``) it is in.

    Args:
        function: what to call.
        params: a pytree of arrays.
        args: what it takes besides.
    """
    leaves, _ = jax.tree.flatten((params, *args))
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(params, *args)
    paths = [_layer(path) for path, _ in jax.tree.leaves_with_path(params)]
    layers = dict(zip(traced.jaxpr.invars, paths, strict=False))
    equations = []
    for equation in traced.jaxpr.eqns:
        name = _read(equation, layers) or ".".join(scopes(equation))
        equations.append(_labelled(equation, name) if name else equation)
        if name and all(var in layers for var in _variables(equation)):  # a parameter in another shape
            layers |= dict.fromkeys(equation.outvars, name)
    results = jaxpr_as_fun(traced.replace(jaxpr=traced.jaxpr.replace(eqns=equations)))(*leaves)
    return jax.tree.unflatten(jax.tree.structure(shapes), results)


def _layer(path: Sequence[Any]) -> str:
    """The place of a parameter, without its own name where there is more."""
    return jax.tree_util.keystr(tuple(path[:-1] or path), simple=True, separator=".")


def _read(equation: JaxprEqn, layers: Mapping[Var, str]) -> str:
    """The layer whose parameters an equation reads; nothing where it is none or several."""
    read = {layers[var] for var in _variables(equation) if var in layers}
    return read.pop() if len(read) == 1 else ""


def _variables(equation: JaxprEqn) -> list[Var]:
    return [var for var in equation.invars if isinstance(var, Var)]


def _labelled(equation: JaxprEqn, layer: str) -> JaxprEqn:
    source = equation.source_info
    return equation.replace(source_info=source.replace(name_stack=source.name_stack.extend(kinds.label(None, layer))))

"""The scopes around an equation (``jax.named_scope``) that name a layer.

Linen, Haiku, Keras and Penzai open one for each module, and a program may open its own.

A name stack holds scopes and transformations in one order, ``transpose(jvp(Net))/Dense_0`` where it is printed. The
transformations go, so that a layer has one name forward and backward; so do the scopes that name no layer: those of
JAX, einsum's specification and ``remat``'s second pass, and Equinox's and Diffrax's, which are classes and loops.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jax.extend.core import JaxprEqn
from jax.extend.source_info_util import NameStack

_TRANSFORMATION = type(NameStack().transform("").stack[0])
_NO_LAYER = re.compile(r"jaxgrad(\[|\.label:)|eqx\.|.*->|rematted_computation$|(inner|outer)-loop$|checkpointed-\w+")


def scopes(equation: JaxprEqn) -> tuple[str, ...]:
    """The scopes around an equation within its jaxpr that name a layer, from the outermost inwards."""
    return tuple(name for name in names(equation) if not _NO_LAYER.match(name))


def names(equation: JaxprEqn) -> Iterator[str]:
    """The names of all scopes around an equation within its jaxpr."""
    stack = equation.source_info.name_stack.stack
    return (part.name for part in stack if not isinstance(part, _TRANSFORMATION))

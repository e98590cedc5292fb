"""What a trace multiplies matrices in."""

from __future__ import annotations

from typing import Any

from jax.extend.core import Jaxpr

from jaxgrad.programs.jaxprs import inner

PRODUCTS = ("dot_general", "conv_general_dilated")


def precisions(jaxpr: Jaxpr) -> list[Any]:
    """The precision that each product of a trace asks for, None for the device's own, wherever it stands."""
    asked = []
    for equation in jaxpr.eqns:
        if equation.primitive.name in PRODUCTS:
            asked.append(equation.params["precision"])
        for jaxpr_inside in inner(equation):
            asked += precisions(jaxpr_inside)
    return asked

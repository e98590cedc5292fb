"""The layer that computes each product, as the program names it.

A module's own path comes first (``kinds.label``: NNX, and Linen's adapter), then the scopes around the product
(``scopes``). A product of a library that names no layer (Equinox) has the place of its weights among the function's
arguments, ``layers.1``. What the program computes by a line of its own is no layer's, and has that line.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxgrad.programs.lines import of_library
from jaxgrad.programs.products import Product
from jaxgrad.programs.trace import Trace


def layers(products: Sequence[Product], trace: Trace, operands: Sequence[str] = ()) -> dict[int, str]:
    """The layer of each product, by its identity; nothing for those of a line.

    Args:
        products: of the trace.
        trace: as the walk finds it.
        operands: where each operand of the trace is among the arguments of the function; none where that is not known.
    """
    # The walk numbers a trace's operands before all else that comes from outside.
    names = dict(zip(trace.inputs, operands, strict=False))
    return {id(product): product.site.place.layer or _of_weights(product, names) for product in products}


def _of_weights(product: Product, names: dict[int, str]) -> str:
    """The place of a library's weights, without their own name where there is more; nothing for a mere index."""
    left, right = product.origins
    weights = names.get(left if product.swapped else right, "")
    if not weights or not of_library(product.site.equation):
        return ""
    weights = weights.removesuffix(".value")  # of a variable that is a box around its array, as Flax's are
    return weights.rpartition(".")[0] or ("" if weights.isdigit() else weights)

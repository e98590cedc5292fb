"""What the operators of a forward pass compute with: arrays of JAX, and of NumPy where the model alone decides them.

Shapes and what is made of them (``Shape``, ``Gather``, ``Concat`` and so on in front of a ``Reshape``) have to be known
while a function is traced. So operators on NumPy's arrays alone stay NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

Value = Any
"""An array of JAX or NumPy; None for an input that is left out."""


class Node(NamedTuple):
    """A node with what its operator is called with.

    Args:
        operator: its name.
        inputs: by the operator's order.
        attributes: by name, as NumPy or Python values.
        opset: version of ONNX's operators.
        outputs: how many results are asked for.
    """

    operator: str
    inputs: tuple[Value, ...]
    attributes: dict[str, Any]
    opset: int
    outputs: int = 1

    def input(self, place: int) -> Value:
        """The input at a place, None where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def numbers(self, attribute: str, place: int) -> list[int] | None:
        """Whole numbers that older versions have as an attribute and newer ones as an input; None for neither."""
        value = self.attributes.get(attribute)
        value = self.input(place) if value is None else value
        return None if value is None else [int(number) for number in np.asarray(value).reshape(-1)]


def library(values: Sequence[Value]) -> Any:
    """NumPy where all values are its own, else JAX's."""
    return np if all(value is None or isinstance(value, np.ndarray | np.generic) for value in values) else jnp

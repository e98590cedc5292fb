"""Which values of an ONNX graph are weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jaxgrad.interop.onnx.operations import LINEAR_MODELS, PRODUCTS, VECTOR_MACHINES, interchangeable, operands
from jaxgrad.interop.onnx.steps import Step


class Roles:
    """What the values of a graph are.

    Weights are constants, and of the graph's inputs those that are no data: an input is data if it, or what is made of
    it alone, is the X of a product whose other operand is given too.

    Args:
        steps: in their order.
        constants: names of the graph's initializers.
        inputs: names of what else it is given.
    """

    def __init__(self, steps: Sequence[Step], constants: Iterable[str], inputs: Iterable[str]) -> None:
        self.constants = set(constants)
        self._data: set[str] = set()
        # The inputs that a value is made of; None where a product is among what makes it.
        self._origins: dict[str, frozenset[str] | None] = {name: frozenset({name}) for name in inputs}
        self._origins |= dict.fromkeys(self.constants, frozenset())
        for step in steps:
            node = step.node
            names = [name for name in node.input if name]
            if not step.after and all(name in self.constants for name in names):
                self.constants.update(node.output)
            origins = self._together(names)
            if node.op_type in PRODUCTS:
                for x, w in operands(node):
                    self._meet(x, w, interchangeable(node))
                if node.op_type in (*LINEAR_MODELS, *VECTOR_MACHINES):  # its weights are its own
                    self._data |= origins or frozenset()
                origins = None
            self._origins.update(dict.fromkeys(node.output, origins))

    def weights(self, name: str) -> bool:
        """Whether a value is weights, or made of them alone."""
        origins = self._origins.get(name)
        return name in self.constants or (bool(origins) and origins.isdisjoint(self._data))

    def _together(self, names: Iterable[str]) -> frozenset[str] | None:
        together: set[str] = set()
        for name in names:
            origins = self._origins.get(name)
            if origins is None:
                return None
            together |= origins
        return frozenset(together)

    def _meet(self, x: str, w: str, interchangeable: bool) -> None:
        if interchangeable and x in self.constants:
            x, w = w, x
        origins = self._origins.get(x)
        if origins is not None and (not interchangeable or self._origins.get(w) is not None):
            self._data |= origins

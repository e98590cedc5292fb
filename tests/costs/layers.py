"""What the property tests of the memory hierarchy draw."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from jaxgrad.array.mapping import Result
from jaxgrad.costs.nests import LOOPS, Nest, holdings
from jaxgrad.costs.transfers import Shapes
from jaxgrad.hardware import FORMATS, Accelerator, Precision

RESULTS: tuple[tuple[Result, ...], ...] = (("y",), ("dx",), ("dw",), ("dx", "dw"))
SEPARATE = tuple(nest for results in RESULTS for loops in LOOPS for nest in holdings(results, loops))
"""Every nest there is."""


def arrayed(*several: Shapes) -> Shapes:
    """Layers as the search wants them."""
    return Shapes.of(layer[:4] for layer in several)


class Cut(NamedTuple):
    """A layer and the blocks it is cut into."""

    shapes: Shapes
    block: dict[str, int]

    @property
    def sizes(self) -> dict[str, int]:
        return dict(self.shapes.sizes)

    @property
    def divides(self) -> bool:
        return all(self.sizes[axis] % length == 0 for axis, length in self.block.items())


@st.composite
def shapes(draw: st.DrawFn, most: int = 9) -> Shapes:
    """A layer; in half of them X's patches overlap."""
    b, k, n = (draw(st.integers(1, most)) for _ in range(3))
    return Shapes(b, k, n, draw(st.integers(1, b * k)) if draw(st.booleans()) else b * k)


@st.composite
def cuts(draw: st.DrawFn, most: int = 9) -> Cut:
    layer = draw(shapes(most))
    return Cut(layer, {axis: draw(st.integers(1, size)) for axis, size in layer.sizes.items()})


def nests() -> st.SearchStrategy[Nest]:
    return st.sampled_from(SEPARATE)


def arrays(most: int = 5) -> st.SearchStrategy[Accelerator]:
    return st.builds(Accelerator, st.integers(1, most), st.integers(1, most), st.booleans())


def precisions() -> st.SearchStrategy[Precision]:
    return st.builds(Precision, *[st.sampled_from(tuple(FORMATS))] * 5)

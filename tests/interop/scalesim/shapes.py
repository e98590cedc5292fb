"""Small layers and arrays for the laws."""

from __future__ import annotations

from hypothesis import strategies as st

from jaxgrad.interop.scalesim.folds import DATAFLOWS
from jaxgrad.interop.scalesim.layers import Layer, gemm_layer


@st.composite
def convolutions(draw: st.DrawFn) -> Layer:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    filters = draw(st.integers(1, min(4, height))), draw(st.integers(1, min(4, width)))
    rest = draw(st.integers(1, 4)), draw(st.integers(1, 7)), draw(st.integers(1, 5))
    return Layer("conv", height, width, *filters, *rest, stride_width=draw(st.none() | st.integers(1, 5)))


gemms = st.builds(gemm_layer, st.just("gemm"), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
layers = st.one_of(convolutions(), gemms)
arrays = st.tuples(st.integers(1, 7), st.integers(1, 7))
dataflows = st.sampled_from(DATAFLOWS)

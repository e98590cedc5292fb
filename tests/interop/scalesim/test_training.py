"""The GEMMs of a training step in SCALE-Sim's terms."""

from __future__ import annotations

from jaxgrad.array.gemm import Gemm
from jaxgrad.interop.scalesim.training import products
from jaxgrad.programs import LayerGemm

LAYERS = [
    LayerGemm("first", Gemm(2, 3, 5), times=1, needs_dx=False),
    LayerGemm("grouped", Gemm(7, 11, 13), times=2, needs_dx=True, recomputed=1),
    LayerGemm("frozen", Gemm(17, 19, 23), times=1, needs_dx=True, needs_dw=False),
]


def test_sizes_of_the_three_phases() -> None:
    assert products(LAYERS, "forward") == [
        ("first", (2, 5, 3)),
        *[(f"grouped#{number}", (7, 13, 11)) for number in range(3)],
        ("frozen", (17, 23, 19)),
    ]
    assert products(LAYERS, "dx") == [("grouped#0", (7, 11, 13)), ("grouped#1", (7, 11, 13)), ("frozen", (17, 19, 23))]
    assert products(LAYERS, "dw") == [("first", (3, 5, 2)), ("grouped#0", (11, 13, 7)), ("grouped#1", (11, 13, 7))]


def test_work_is_that_of_the_gemms() -> None:
    forward = sum(product.macs for _, product in products(LAYERS, "forward"))
    assert forward == sum(layer.gemm.macs * (layer.times + layer.recomputed) for layer in LAYERS)

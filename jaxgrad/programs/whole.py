"""All GEMMs of a traced training step, and the graph between them, from its products and their operands alone."""

from __future__ import annotations

from dataclasses import replace

from jax.extend.core import ClosedJaxpr

from jaxgrad.array.gemm import Gemm
from jaxgrad.programs.edges import Call, graph
from jaxgrad.programs.gemms import LayerGemm
from jaxgrad.programs.graph import Graph
from jaxgrad.programs.masks import ReluMask, relu_masks
from jaxgrad.programs.numbering import walk
from jaxgrad.programs.products import Product, products
from jaxgrad.programs.shapes import convolution_of, gemm_of
from jaxgrad.programs.trace import Site, Trace


def step_gemms(jaxpr: ClosedJaxpr) -> list[LayerGemm]:
    """The records of a traced step, in the order in which the model computes them; their ``path`` is the innermost
    module's. Equal calls of one layer are one record.

    A product whose operands are both activations ``needs_dx`` and ``needs_dw`` alike: either is the gradient of an
    activation. Every branch of a ``lax.cond`` is taken to run.
    """
    return _gemms(walk(jaxpr))


def step_gemms_and_masks(jaxpr: ClosedJaxpr) -> tuple[list[LayerGemm], list[ReluMask]]:
    """``step_gemms`` and ``step_masks``, of one walk through the trace."""
    trace = walk(jaxpr)
    return _gemms(trace), relu_masks(trace)


def _gemms(trace: Trace) -> list[LayerGemm]:
    runs: dict[LayerGemm, tuple[int, int]] = {}
    for product in products(trace):
        if product.of is None:
            layer = record(product, product.site.place.path or "model")
            times, again = runs.get(shape := replace(layer, times=0, recomputed=0), (0, 0))
            runs[shape] = times + layer.times, again + layer.recomputed
    return [replace(layer, times=times, recomputed=again) for layer, (times, again) in runs.items()]


def step_graph(jaxpr: ClosedJaxpr) -> Graph:
    """The same GEMMs call by call, and what goes from one to the next."""
    trace = walk(jaxpr)
    by_site = {id(product.site): product for product in products(trace)}
    calls: list[Call] = []
    gradients: list[Site] = []
    for site in trace.sites:
        product = by_site.get(id(site))
        if product is not None and product.of is None:
            calls.append(Call(site, record(product, site.place.path or "model"), product.swapped))
        elif product is not None:
            gradients.append(site)
    return graph(jaxpr.jaxpr, trace, calls, gradients)


def step_masks(jaxpr: ClosedJaxpr) -> list[ReluMask]:
    """The masks of the ReLUs of a traced step."""
    return relu_masks(walk(jaxpr))


def record(product: Product, path: str) -> LayerGemm:
    """A forward product with its gradients, at a place in the model."""
    gemm, groups, x_words = gemm_of(product.site.equation)
    convolution = convolution_of(product.site.equation)
    dx, dw = product.gradients.get("dx", 0) > 0, product.gradients.get("dw", 0) > 0
    parts, several = product.mapped.get("dw", 1), product.mapped.get("dx", 1)
    if gemm.batch % parts == 0:
        gemm, groups, x_words = replace(gemm, batch=gemm.batch // parts), groups * parts, x_words // parts
        if convolution is not None:
            images, left = divmod(convolution.batch, parts)
            convolution = None if left else replace(convolution, batch=images)
    if gemm.out_features % several == 0:
        gemm, groups = replace(gemm, out_features=gemm.out_features // several), groups * several
        convolution = convolution if several == 1 else None
    if product.swapped:
        gemm, dx, dw = Gemm(gemm.out_features, gemm.in_features, gemm.batch), dw, dx
    backward = max(product.gradients.values(), default=0)
    calls = backward or product.runs
    return LayerGemm(
        path=path,
        gemm=gemm,
        times=calls * groups,
        needs_dx=dx,
        needs_dw=dw,
        kind=product.site.equation.primitive.name,
        recomputed=(product.runs + product.again - calls) * groups,
        x_words=x_words,
        weights=product.weights,
        convolution=convolution,
    )

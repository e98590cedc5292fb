"""All GEMMs of a traced training step: its layers', by their marks, and those that no layer poses, by their operands.

Attention multiplies queries with keys and scores with values: products without weights, which no layer's mark names.
"""

from __future__ import annotations

from dataclasses import replace

from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxgrad.array.gemm import Gemm
from jaxgrad.programs import jaxprs
from jaxgrad.programs.gemms import LayerGemm, by_mark, is_marked, mark_of
from jaxgrad.programs.numbering import walk
from jaxgrad.programs.products import KINDS, Product, products
from jaxgrad.programs.shapes import gemm_of


def step_gemms(jaxpr: ClosedJaxpr) -> list[LayerGemm]:
    """The layers' records, as ``layer_gemms`` has them, and between them those of unmarked products, in the order in
    which the model computes them; the latter's ``path`` is the innermost module's.

    An unmarked product whose operands are both activations ``needs_dx`` and ``needs_dw`` alike: either is the gradient
    of an activation.
    """
    layers = by_mark(jaxpr)
    if not _has_unmarked(jaxpr.jaxpr):
        return list(layers.values())
    trace = walk(jaxpr.jaxpr, marks_whole=True)
    own = {id(product.site): product for product in products(trace) if product.of is None}
    found: list[LayerGemm] = []
    for site in trace.sites:
        if is_marked(site.equation):
            layer = layers.pop(mark_of(site.equation)[0], None)
            found += [] if layer is None else [layer]
        elif id(site) in own:
            found.append(record(own[id(site)], site.place.path or "model"))
    return found + list(layers.values())


def record(product: Product, path: str) -> LayerGemm:
    """A forward product with its gradients, at a place in the model."""
    gemm, groups, x_words = gemm_of(product.site.equation)
    dx, dw = product.gradients.get("dx", 0) > 0, product.gradients.get("dw", 0) > 0
    if product.swapped:
        gemm, dx, dw = Gemm(gemm.out_features, gemm.in_features, gemm.batch), dw, dx
    if gemm.batch % product.examples == 0:
        gemm = replace(gemm, batch=gemm.batch // product.examples)
        groups, x_words = groups * product.examples, x_words // product.examples
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
    )


def _has_unmarked(jaxpr: Jaxpr) -> bool:
    unmarked = (equation for equation in jaxpr.eqns if not is_marked(equation))
    return any(
        equation.primitive.name in KINDS or any(_has_unmarked(inner) for inner in jaxprs.inner(equation))
        for equation in unmarked
    )

"""All GEMMs of a traced training step: its layers', by their marks, and those that no layer poses, by their operands.

Attention multiplies queries with keys and scores with values: products without weights, which no layer's mark names.
"""

from __future__ import annotations

from dataclasses import replace

from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxgrad.array.gemm import Gemm
from jaxgrad.programs import jaxprs
from jaxgrad.programs.edges import Call, graph
from jaxgrad.programs.gemms import LayerGemm, Mark, by_mark, is_marked, mark_of
from jaxgrad.programs.graph import Graph
from jaxgrad.programs.numbering import Site, walk
from jaxgrad.programs.operations import elements
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


def step_graph(jaxpr: ClosedJaxpr) -> Graph:
    """The same GEMMs call by call, and what goes from one to the next."""
    trace = walk(jaxpr.jaxpr, marks_whole=True)
    layers = by_mark(jaxpr)
    found = {id(product.site): product for product in products(trace)}
    calls: dict[int, Call] = {}  # by the number of the result
    last: dict[Mark, int] = {}
    gradients: list[Site] = []
    for site in trace.sites:
        product = found.get(id(site))
        if product is not None and product.of is None:
            gemm = record(product, site.place.path or "model")
            calls[site.outs[0].number] = Call(site, gemm, product.swapped)
        elif product is not None:
            gradients.append(site)
        elif is_marked(site.equation):
            mark, phase, size = mark_of(site.equation)
            if phase != "forward":
                gradients.append(site)
                continue
            times = site.runs * elements(site.equation.outvars[0]) // size * mark.groups
            number = site.outs[0].number
            first = number if number in calls else last.get(mark) if site.place.backward else None
            if first is None:
                calls[number] = Call(site, replace(layers[mark], times=times, recomputed=0))
                last[mark] = number
            else:
                gemm = calls[first].gemm
                calls[first] = calls[first]._replace(gemm=replace(gemm, recomputed=gemm.recomputed + times))
    return graph(jaxpr.jaxpr, trace, list(calls.values()), gradients)


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

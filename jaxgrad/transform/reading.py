"""The products of a trace and where they stand: what a plan is made from.

Equations are known by their path: the index of each equation and of the jaxpr in it, from the outermost inwards. One
jaxpr called from two places so has two paths.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

from jaxgrad.programs import jaxprs
from jaxgrad.programs.layers import layers
from jaxgrad.programs.lines import where
from jaxgrad.programs.numbering import walk
from jaxgrad.programs.operations import LAPACK
from jaxgrad.programs.products import Product, products
from jaxgrad.programs.shapes import PRODUCTS, gemm_of
from jaxgrad.programs.trace import Site, Trace
from jaxgrad.transform.estimates import ESTIMATES
from jaxgrad.transform.labels import Path, labels


@dataclass(frozen=True)
class Reading:
    """What a trace says of its products.

    Args:
        trace: as the walk finds it.
        sites: the equations that are products, or passes of an estimator's product, in the order in which they run.
        paths: of those, by a site's identity.
        frames: the jaxprs that hold them, by path.
        products: those that are live.
        notes: of products in what is left to XLA whole.
        operands: the names of the trace's operands, where they have some.
    """

    trace: Trace
    sites: list[Site]
    paths: dict[int, Path]
    frames: dict[Path, Jaxpr]
    products: list[Product]
    notes: list[str]
    operands: Sequence[str]

    @classmethod
    def of(cls, jaxpr: ClosedJaxpr, operands: Sequence[str] = ()) -> Reading:
        trace = walk(jaxpr)
        sites = [site for site in trace.sites if _is_product(site.equation)]
        frames: dict[Path, Jaxpr] = {}
        notes: list[str] = []
        paths: dict[int, Path] = {}
        for site, (path, equation) in zip(sites, _walk(jaxpr.jaxpr, (), frames, notes), strict=True):
            assert site.equation is equation  # both walks go the same way
            paths[id(site)] = path
        return cls(trace, sites, paths, frames, products(trace), notes, operands)

    @functools.cached_property
    def forward(self) -> list[Product]:
        """The products that are no other one's gradient."""
        return [product for product in self.products if product.of is None]

    @functools.cached_property
    def names(self) -> dict[int, str]:
        """Labels of the forward products, by a product's identity."""
        return labels(self.forward, layers(self.forward, self.trace, self.operands))

    @functools.cached_property
    def gradients(self) -> dict[int, list[Product]]:
        """The gradients of the forward products, by a product's identity."""
        gradients: dict[int, list[Product]] = {id(product): [] for product in self.forward}
        for product in self.products:
            if product.of is not None:
                gradients.setdefault(id(product.of), []).append(product)
        return gradients

    def product(self, site: Site) -> Product | None:
        """The product at a site; where ``remat`` runs one again, the first one, which has the same value number. None
        for dead code."""
        return self._by_site.get(id(site), self._by_number.get(site.outs[0].number))

    @functools.cached_property
    def _by_site(self) -> dict[int, Product]:
        return {id(product.site): product for product in self.products}

    @functools.cached_property
    def _by_number(self) -> dict[int, Product]:
        return {product.site.outs[0].number: product for product in self.forward}


def _is_product(equation: JaxprEqn) -> bool:
    return equation.primitive.name in PRODUCTS or equation.primitive in ESTIMATES


def _walk(
    jaxpr: Jaxpr, path: Path, frames: dict[Path, Jaxpr], notes: list[str], callers: tuple[JaxprEqn, ...] = ()
) -> Iterator[tuple[Path, JaxprEqn]]:
    """The products in the order in which ``Numbering`` comes by them; ``frames`` is told the jaxprs, ``notes`` of those
    that it does not come by."""
    frames[path] = jaxpr
    for index, equation in enumerate(jaxpr.eqns):
        here = (*path, index)
        if _is_product(equation):
            yield here, equation
        elif followed := jaxprs.followed(equation):
            for number, inner in followed:
                yield from _walk(inner, (*here, number), frames, notes, (equation, *callers))
        else:
            line, macs = where(equation, callers), sum(map(_macs, jaxprs.inner(equation)))
            if macs:
                notes.append(f"{line}: {equation.primitive.name} left to XLA whole; {macs:,} MACs in it")
            inside = (part for inner in jaxprs.inner(equation) for part in jaxprs.equations(inner))
            lapack = [name for part in (equation, *inside) if (name := part.primitive.name) in LAPACK]
            notes += (f"{line}: {name} left to XLA; it is no product, and not counted" for name in lapack)


def _macs(jaxpr: Jaxpr) -> int:
    """MACs of a jaxpr that runs once."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name in PRODUCTS:
            gemm, groups, _ = gemm_of(equation)
            total += gemm.macs * groups
        else:
            total += jaxprs.runs(equation) * sum(map(_macs, jaxprs.inner(equation)))
    return total

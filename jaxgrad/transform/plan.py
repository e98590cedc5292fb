"""What to do with each product of a trace, decided before anything runs: which are forward products, which gradients
run together, and what stays with XLA.

Equations are known by their path: the index of each equation and of the jaxpr in it, from the outermost inwards. One
jaxpr called from two places so has two paths.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import Jaxpr, JaxprEqn, Var

from jaxgrad.base.errors import InputError
from jaxgrad.programs import jaxprs
from jaxgrad.programs.numbering import Site, walk
from jaxgrad.programs.products import KINDS, Product, products, where
from jaxgrad.transform import matrices
from jaxgrad.transform.matrices import Gradient

Path = tuple[int, ...]
EMULATED = ("dot_general", "conv_general_dilated")


class Forward(NamedTuple):
    """A product to run as a forward GEMM.

    Args:
        label: of its site.
        swapped: whether its left operand is the weights.
    """

    label: str
    swapped: bool


class Backward(NamedTuple):
    """One or both gradients of a forward product, to run as one pass.

    Args:
        label: of the forward product's site.
        forward: the forward product's equation.
        dx, dw: the gradients' equations.
        last: the index of the later one of the two in its jaxpr.
    """

    label: str
    forward: JaxprEqn
    dx: Gradient | None
    dw: Gradient | None
    last: int


@dataclass(frozen=True)
class Plan:
    """What to do, by path; a pair of gradients is found at the path of its first.

    Args:
        steps: of the products on the array.
        notes: what was left to XLA, or taken for what it may not be.
    """

    steps: dict[Path, Forward | Backward]
    notes: list[str]

    def labels(self, path: Path) -> list[str]:
        """The sites of the products within an equation."""
        return list(self._inside.get(path, ()))

    @functools.cached_property
    def _inside(self) -> dict[Path, dict[str, None]]:
        inside: dict[Path, dict[str, None]] = {}
        for path, step in self.steps.items():
            for depth in range(len(path) + 1):
                inside.setdefault(path[:depth], {})[step.label] = None
        return inside


def plan(jaxpr: Jaxpr) -> Plan:
    """Reads the plan off a trace.

    Raises:
        ValueError: products are within a primitive of unknown meaning.
    """
    trace = walk(jaxpr)
    sites = [site for site in trace.sites if site.equation.primitive.name in KINDS]
    frames: dict[Path, Jaxpr] = {}
    places = list(_walk(jaxpr, (), frames))
    paths: dict[int, Path] = {}
    for site, (path, equation) in zip(sites, places, strict=True):
        assert site.equation is equation  # both walks go the same way
        paths[id(site)] = path
    return _Planner(frames, paths, sites, products(trace)).plan()


def _walk(
    jaxpr: Jaxpr, path: Path, frames: dict[Path, Jaxpr], caller: JaxprEqn | None = None
) -> Iterator[tuple[Path, JaxprEqn]]:
    """The products in the order in which ``Numbering`` comes by them; ``frames`` is told the jaxprs."""
    frames[path] = jaxpr
    for index, equation in enumerate(jaxpr.eqns):
        own = (*path, index)
        if equation.primitive.name in KINDS:
            yield own, equation
        elif equation.primitive.name in jaxprs.LOOPS or jaxprs.called(equation) is not None:
            for number, inner in enumerate(jaxprs.inner(equation)):
                yield from _walk(inner, (*own, number), frames, equation)
        elif any(_has_products(inner) for inner in jaxprs.inner(equation)):
            raise unknown(equation, caller)


def unknown(equation: JaxprEqn, caller: JaxprEqn | None = None) -> InputError:
    """The error for products in a primitive that calls jaxprs in a way of its own."""
    name, line = equation.primitive.name, where(equation)
    if line == name and caller is not None:  # within JAX's own code: the program's line is that of the call
        line = where(caller)
    return InputError(
        "function",
        name,
        "keep them out of it, or emulate the parts around it",
        problem=f"got {name} at {line}, which calls products in a way that is not known",
    )


def _has_products(jaxpr: Jaxpr) -> bool:
    return any(
        equation.primitive.name in KINDS or any(map(_has_products, jaxprs.inner(equation))) for equation in jaxpr.eqns
    )


class _Planner:
    def __init__(
        self, frames: dict[Path, Jaxpr], paths: dict[int, Path], sites: list[Site], found: list[Product]
    ) -> None:
        self.frames, self.paths, self.sites = frames, paths, sites
        self.found = {id(product.site): product for product in found}
        self.steps: dict[Path, Forward | Backward] = {}
        self.notes: list[str] = []

    def plan(self) -> Plan:
        own = [product for product in self.found.values() if product.of is None]
        names = told_apart([product.where for product in own if not product.site.place.path])
        lines = iter(names)
        labels = {id(product): product.site.place.path or next(lines) for product in own}
        by_number = {product.site.outs[0].number: product for product in own}
        gradients: dict[int, list[Product]] = {}
        for product in self.found.values():
            if product.of is not None:
                gradients.setdefault(id(product.of), []).append(product)
        for site in self.sites:
            product = self.found.get(id(site), by_number.get(site.outs[0].number))
            if product is None or product.of is not None:
                continue
            self._forward(site, product, labels[id(product)])
        for gradient in (each for each in self.found.values() if each.guessed):
            self.notes.append(f"{gradient.where}: taken for a dX or dW by its operands; JAX did not transpose it")
        for product in own:
            self._backward(product, labels[id(product)], gradients.get(id(product), []))
        return Plan(self.steps, list(dict.fromkeys(self.notes)))

    def _forward(self, site: Site, product: Product, label: str) -> None:
        reason = refusal(site.equation)
        if reason is not None:
            self._left(site.equation, reason)
            return
        self.steps[self.paths[id(site)]] = Forward(label, product.swapped)
        if site.place.backward and product.site is site:
            self.notes.append(f"{product.where}: no layer's dX or dW is recognised in it; runs as a forward GEMM")

    def _backward(self, product: Product, label: str, own: list[Product]) -> None:
        reason = refusal(product.site.equation)
        if reason is not None:
            for each in own:
                self._left(each.site.equation, f"a gradient of {reason}")
            return
        roles = {each.role: each for each in own}
        dx, dw = (roles.get(role) for role in (("dw", "dx") if product.swapped else ("dx", "dw")))
        if dx is not None and dw is not None and self._join(product, label, dx, dw):
            return
        for each in (dx, dw):
            if each is not None:
                gradient = self._gradient(product, each)
                self._add(product, label, each, gradient if each is dx else None, gradient if each is dw else None)
        if dx is not None and dw is not None:
            self.notes.append(f"{product.where}: its dX and dW can't run as one pass here; run one after the other")

    def _gradient(self, forward: Product, gradient: Product) -> Gradient:
        mine = [index for index in (0, 1) if gradient.origins[index] in forward.origins]
        out = forward.sizes[2]
        fits = [index for index in mine if gradient.sizes[1 - index] == out]
        return Gradient(gradient.site.equation, 1 - (fits or mine)[0])

    def _join(self, product: Product, label: str, dx: Product, dw: Product) -> bool:
        """Plans both gradients as one pass, if they can be."""
        one, other = self._gradient(product, dx), self._gradient(product, dw)
        first, second = sorted((self.paths[id(dx.site)], self.paths[id(dw.site)]))
        same = one.equation.invars[one.cotangent] is other.equation.invars[other.cotangent]
        if first[:-1] != second[:-1] or not same:
            return False
        if not _fit(product.site.equation, one, other) or _depends(self.frames[first[:-1]], first[-1], second[-1]):
            return False
        self.steps[first] = Backward(label, product.site.equation, one, other, second[-1])
        return True

    def _add(self, product: Product, label: str, own: Product, dx: Gradient | None, dw: Gradient | None) -> None:
        path = self.paths[id(own.site)]
        if _fit(product.site.equation, dx, dw):
            self.steps[path] = Backward(label, product.site.equation, dx, dw, path[-1])
        else:
            self._left(own.site.equation, "a gradient that is written otherwise than JAX's own")

    def _left(self, equation: JaxprEqn, what: str) -> None:
        self.notes.append(f"{where(equation)}: {equation.primitive.name} left to XLA, {what}")


def refusal(equation: JaxprEqn) -> str | None:
    """Why a product is not for the array, if it is not."""
    if equation.primitive.name not in EMULATED:
        return "ragged products are not emulated"
    for variable in (*equation.invars, *equation.outvars):
        dtype: Any = variable.aval.dtype  # pyright: ignore[reportAttributeAccessIssue]  # an array's
        if not jnp.issubdtype(dtype, jnp.floating):
            return f"of {dtype}"
    if equation.params.get("out_sharding") is not None:
        return "meshes with explicit axes are not emulated"
    if equation.primitive.name == "conv_general_dilated":
        try:
            matrices.convolution(equation)
        except InputError as error:
            return str(error)
    return None


def _fit(forward: JaxprEqn, dx: Gradient | None, dw: Gradient | None) -> bool:
    gradients = [each for each in (dx, dw) if each is not None]
    if any(each.equation.primitive.name != forward.primitive.name for each in gradients):
        return False
    if forward.primitive.name == "dot_general":
        return matrices.dots_fit(dx, dw)
    return matrices.convolutions_fit(forward, dx, dw)


def _depends(jaxpr: Jaxpr, first: int, second: int) -> bool:
    """Whether what the second equation needs, or the first product among it, has to wait for the first equation."""
    late = hoisted(jaxpr, first, second)
    return first in late or any(
        jaxpr.eqns[index].primitive.name in KINDS or any(True for _ in jaxprs.inner(jaxpr.eqns[index]))
        for index in late
    )


def hoisted(jaxpr: Jaxpr, first: int, second: int) -> list[int]:
    """The equations from the first on that the second one needs, in order."""
    makers = {out: index for index in range(first, second) for out in jaxpr.eqns[index].outvars}
    todo, late = [second], set()
    while todo:
        for variable in jaxpr.eqns[todo.pop()].invars:
            index = makers.get(variable) if isinstance(variable, Var) else None
            if index is not None and index not in late:
                late.add(index)
                todo.append(index)
    return sorted(late)


def told_apart(names: Iterable[str]) -> list[str]:
    """The names, those that are not the only one of their kind numbered."""
    names = list(names)
    total, seen = Counter(names), Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name}#{seen[name]}" if total[name] > 1 else name)
    return apart

"""What to do with each product of a trace, decided before anything runs: which are forward products, which gradients
run together, and what stays with XLA.

Equations are known by their path: the index of each equation and of the jaxpr in it, from the outermost inwards. One
jaxpr called from two places so has two paths.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var

from jaxgrad.array.emulation import Emulation
from jaxgrad.base.errors import InputError
from jaxgrad.programs import jaxprs
from jaxgrad.programs.numbering import walk
from jaxgrad.programs.products import KINDS, Product, products, where
from jaxgrad.programs.shapes import gemm_of
from jaxgrad.programs.trace import Site
from jaxgrad.transform import matrices
from jaxgrad.transform.labels import labels
from jaxgrad.transform.matrices import Gradient
from jaxgrad.transform.rules import Rules

Path = tuple[int, ...]
EMULATED = ("dot_general", "conv_general_dilated")


class Forward(NamedTuple):
    """A product to run as a forward GEMM.

    Args:
        label: of its site.
        swapped: whether its left operand is the weights.
        emulation: on what, and how.
    """

    label: str
    swapped: bool
    emulation: Emulation


class Backward(NamedTuple):
    """One or both gradients of a forward product, to run as one pass.

    Args:
        label: of the forward product's site.
        forward: the forward product's equation.
        dx, dw: the gradients' equations.
        last: the index of the later one of the two in its jaxpr.
        emulation: on what, and how.
    """

    label: str
    forward: JaxprEqn
    dx: Gradient | None
    dw: Gradient | None
    last: int
    emulation: Emulation


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


def plan(jaxpr: ClosedJaxpr, rules: Rules) -> Plan:
    """Reads the plan off a trace."""
    trace = walk(jaxpr)
    sites = [site for site in trace.sites if site.equation.primitive.name in KINDS]
    frames: dict[Path, Jaxpr] = {}
    notes: list[str] = []
    places = list(_walk(jaxpr.jaxpr, (), frames, notes))
    paths: dict[int, Path] = {}
    for site, (path, equation) in zip(sites, places, strict=True):
        assert site.equation is equation  # both walks go the same way
        paths[id(site)] = path
    return _Planner(rules, frames, paths, sites, products(trace), notes).plan()


def _walk(
    jaxpr: Jaxpr, path: Path, frames: dict[Path, Jaxpr], notes: list[str], caller: JaxprEqn | None = None
) -> Iterator[tuple[Path, JaxprEqn]]:
    """The products in the order in which ``Numbering`` comes by them; ``frames`` is told the jaxprs, ``notes`` of those
    that it does not come by."""
    frames[path] = jaxpr
    for index, equation in enumerate(jaxpr.eqns):
        own = (*path, index)
        if equation.primitive.name in KINDS:
            yield own, equation
        elif equation.primitive.name in jaxprs.LOOPS or jaxprs.called(equation) is not None:
            for number, inner in enumerate(jaxprs.inner(equation)):
                yield from _walk(inner, (*own, number), frames, notes, equation)
        elif macs := sum(map(_macs, jaxprs.inner(equation))):
            notes.append(f"{line(equation, caller)}: {equation.primitive.name} left to XLA whole; {macs:,} MACs in it")


def line(equation: JaxprEqn, caller: JaxprEqn | None = None) -> str:
    """The line of the program that an equation is from; of the call, where it is within JAX's own code."""
    own = where(equation)
    return where(caller) if own == equation.primitive.name and caller is not None else own


def _macs(jaxpr: Jaxpr) -> int:
    """MACs of a jaxpr that runs once."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name in KINDS:
            gemm, groups, _ = gemm_of(equation)
            total += gemm.macs * groups
        else:
            total += jaxprs.runs(equation) * sum(map(_macs, jaxprs.inner(equation)))
    return total


class _Planner:
    def __init__(
        self,
        rules: Rules,
        frames: dict[Path, Jaxpr],
        paths: dict[int, Path],
        sites: list[Site],
        found: list[Product],
        notes: list[str],
    ) -> None:
        self.rules, self.frames, self.paths, self.sites, self.notes = rules, frames, paths, sites, notes
        self.found = {id(product.site): product for product in found}
        self.steps: dict[Path, Forward | Backward] = {}

    def plan(self) -> Plan:
        own = [product for product in self.found.values() if product.of is None]
        names = labels(own)
        by_number = {product.site.outs[0].number: product for product in own}
        gradients: dict[int, list[Product]] = {}
        for product in self.found.values():
            if product.of is not None:
                gradients.setdefault(id(product.of), []).append(product)
        emulations: dict[int, Emulation] = {}
        for product in own:
            emulation = self._emulation(product, names[id(product)], gradients.get(id(product), []))
            if emulation is not None:
                emulations[id(product)] = emulation
        for site in self.sites:
            product = self.found.get(id(site), by_number.get(site.outs[0].number))
            if product is not None and id(product) in emulations:
                self._forward(site, product, names[id(product)], emulations[id(product)])
        for gradient in (each for each in self.found.values() if each.guessed):
            self.notes.append(f"{gradient.where}: taken for a dX or dW by its operands; JAX did not transpose it")
        for product in own:
            if id(product) in emulations:
                chosen = names[id(product)], emulations[id(product)]
                self._backward(product, *chosen, gradients.get(id(product), []))
        self.notes += self.rules.unused(dict.fromkeys(names.values()))
        return Plan(self.steps, list(dict.fromkeys(self.notes)))

    def _emulation(self, product: Product, label: str, gradients: list[Product]) -> Emulation | None:
        """What a product and its gradients run on; None if XLA keeps them, which a note says then."""
        reason, rule = refusal(product.site.equation), self.rules.first(label)
        if reason is None and rule is not None and rule.emulation is not None:
            return rule.emulation
        self._left(product, label, reason or ("by a rule" if rule is not None else "no rule is for it"), gradients)
        return None

    def _forward(self, site: Site, product: Product, label: str, emulation: Emulation) -> None:
        self.steps[self.paths[id(site)]] = Forward(label, product.swapped, emulation)
        if site.place.backward and product.site is site:
            self.notes.append(f"{product.where}: no layer's dX or dW is recognised in it; runs as a forward GEMM")

    def _backward(self, product: Product, label: str, emulation: Emulation, own: list[Product]) -> None:
        roles = {each.role: each for each in own}
        dx, dw = (roles.get(role) for role in (("dw", "dx") if product.swapped else ("dx", "dw")))
        step = Backward(label, product.site.equation, None, None, 0, emulation)
        if dx is not None and dw is not None and self._join(product, step, dx, dw):
            return
        for name, each in (("dx", dx), ("dw", dw)):
            if each is not None:
                self._add(each, step._replace(**{name: self._gradient(product, each)}))
        if dx is not None and dw is not None:
            self.notes.append(f"{product.where}: its dX and dW can't run as one pass here; run one after the other")

    def _gradient(self, forward: Product, gradient: Product) -> Gradient:
        mine = [index for index in (0, 1) if gradient.origins[index] in forward.origins]
        out = forward.sizes[2]
        fits = [index for index in mine if gradient.sizes[1 - index] == out]
        return Gradient(gradient.site.equation, 1 - (fits or mine)[0])

    def _join(self, product: Product, step: Backward, dx: Product, dw: Product) -> bool:
        """Plans both gradients as one pass, if they can be."""
        one, other = self._gradient(product, dx), self._gradient(product, dw)
        first, second = sorted((self.paths[id(dx.site)], self.paths[id(dw.site)]))
        same = one.equation.invars[one.cotangent] is other.equation.invars[other.cotangent]
        if first[:-1] != second[:-1] or not same:
            return False
        if not _fit(step.forward, one, other) or _depends(self.frames[first[:-1]], first[-1], second[-1]):
            return False
        self.steps[first] = step._replace(dx=one, dw=other, last=second[-1])
        return True

    def _add(self, gradient: Product, step: Backward) -> None:
        path = self.paths[id(gradient.site)]
        if _fit(step.forward, step.dx, step.dw):
            self.steps[path] = step._replace(last=path[-1])
        else:
            self._left(gradient, step.label, "a gradient that is written otherwise than JAX's own", [])

    def _left(self, product: Product, label: str, reason: str, gradients: list[Product]) -> None:
        line, gemm = product.where, gemm_of((product.of or product).site.equation)
        macs = gemm[0].macs * gemm[1]
        runs = macs * (product.runs + product.again), macs * sum(each.runs for each in gradients)
        took = f"{runs[0]:,} MACs" + (f" forward, {runs[1]:,} backward" if gradients else "")
        of = f" of {label}" if product.site.place.path else ""
        self.notes.append(f"{line}: {product.site.equation.primitive.name}{of} left to XLA, {reason}; {took}")


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

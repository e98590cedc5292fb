"""What to do with each product of a trace, decided before anything runs: which are forward products, which gradients
run together, and what stays with XLA."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var

from jaxgrad.array.emulation import Emulation
from jaxgrad.programs import jaxprs
from jaxgrad.programs.products import Product
from jaxgrad.programs.shapes import PRODUCTS, gemm_of
from jaxgrad.programs.trace import Site
from jaxgrad.transform import matrices, ragged
from jaxgrad.transform.estimates import ESTIMATES, label_of
from jaxgrad.transform.matrices import Gradient
from jaxgrad.transform.reading import Path, Reading
from jaxgrad.transform.rules import Rules, module_of


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
        swapped: whether its left operand is the weights.
        dx, dw: the gradients' equations.
        last: the index of the later one of the two in its jaxpr.
        emulation: on what, and how.
    """

    label: str
    forward: JaxprEqn
    swapped: bool
    dx: Gradient | None
    dw: Gradient | None
    last: int
    emulation: Emulation


class Estimated(NamedTuple):
    """A pass of a product that an estimator computes; its equation says all else.

    Args:
        label: of its site.
    """

    label: str


Step = Forward | Backward | Estimated


@dataclass(frozen=True)
class Plan:
    """What to do, by path; a pair of gradients is found at the path of its first.

    Args:
        steps: of the products on the array.
        notes: what was left to XLA, or taken for what it may not be.
    """

    steps: dict[Path, Step]
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


def plan(jaxpr: ClosedJaxpr, rules: Rules, names: Sequence[str] = ()) -> Plan:
    """Reads the plan off a trace; ``names`` are those of its operands, where they have some."""
    return _Planner(rules, Reading.of(jaxpr, names)).plan()


class _Planner:
    def __init__(self, rules: Rules, reading: Reading) -> None:
        self.rules, self.reading, self.notes = rules, reading, list(reading.notes)
        self.steps: dict[Path, Step] = {}

    def plan(self) -> Plan:
        reading, names = self.reading, self.reading.names
        emulations = {id(product): self._emulation(product, names[id(product)]) for product in reading.forward}
        for site in reading.sites:
            if site.equation.primitive in ESTIMATES:  # only what is wanted has one
                self.steps[reading.paths[id(site)]] = Estimated(label_of(site.equation))
                continue
            product = reading.product(site)
            emulation = None if product is None else emulations.get(id(product))
            if product is not None and emulation is not None:
                self._forward(site, product, names[id(product)], emulation)
        for gradient in (product for product in reading.products if product.guessed):
            self.notes.append(f"{gradient.where}: taken for a dX or dW by its operands; JAX did not transpose it")
        for product in reading.forward:
            emulation = emulations[id(product)]
            if emulation is not None:
                self._backward(product, names[id(product)], emulation)
        self.notes += self.rules.unused(dict.fromkeys([*names.values(), *(step.label for step in self.steps.values())]))
        return Plan(self.steps, list(dict.fromkeys(self.notes)))

    def _emulation(self, product: Product, label: str) -> Emulation | None:
        """What a product and its gradients run on; None if XLA keeps them, which a note says then."""
        reason, rule = refusal(product.site.equation), self.rules.first(label)
        if reason is None and rule is not None and rule.emulation is not None:
            return rule.emulation
        self._left(product, label, reason or ("by a rule" if rule is not None else "no rule is for it"))
        return None

    def _forward(self, site: Site, product: Product, label: str, emulation: Emulation) -> None:
        self.steps[self.reading.paths[id(site)]] = Forward(label, product.swapped, emulation)
        if site.place.backward and product.site is site:
            self.notes.append(f"{product.where}: no layer's dX or dW is recognised in it; runs as a forward GEMM")

    def _backward(self, product: Product, label: str, emulation: Emulation) -> None:
        roles = {gradient.role: gradient for gradient in self.reading.gradients[id(product)]}
        dx, dw = (roles.get(role) for role in (("dw", "dx") if product.swapped else ("dx", "dw")))
        step = Backward(label, product.site.equation, product.swapped, None, None, 0, emulation)
        if dx is not None and dw is not None and self._join(product, step, dx, dw):
            return
        for name, gradient in (("dx", dx), ("dw", dw)):
            if gradient is not None:
                self._add(gradient, step._replace(**{name: self._gradient(product, gradient)}))
        if dx is not None and dw is not None:
            self.notes.append(f"{product.where}: its dX and dW can't run as one pass here; run one after the other")

    def _gradient(self, forward: Product, gradient: Product) -> Gradient:
        shared = [index for index in (0, 1) if gradient.origins[index] in forward.origins]
        out = forward.sizes[2]
        fits = [index for index in shared if gradient.sizes[1 - index] == out]
        return Gradient(gradient.site.equation, 1 - (fits or shared)[0])

    def _join(self, product: Product, step: Backward, dx: Product, dw: Product) -> bool:
        """Plans both gradients as one pass, if they can be."""
        one, other = self._gradient(product, dx), self._gradient(product, dw)
        first, second = sorted(self.reading.paths[id(gradient.site)] for gradient in (dx, dw))
        same = one.equation.invars[one.cotangent] is other.equation.invars[other.cotangent]
        if first[:-1] != second[:-1] or not same:
            return False
        if not _fit(step.forward, one, other) or _depends(self.reading.frames[first[:-1]], first[-1], second[-1]):
            return False
        self.steps[first] = step._replace(dx=one, dw=other, last=second[-1])
        return True

    def _add(self, gradient: Product, step: Backward) -> None:
        path = self.reading.paths[id(gradient.site)]
        if _fit(step.forward, step.dx, step.dw):
            self.steps[path] = step._replace(last=path[-1])
        elif refusal(gradient.site.equation) is None:
            self.steps[path] = Forward(step.label, False, step.emulation)
            self.notes.append(f"{gradient.where}: a gradient written otherwise than JAX's own; runs as a forward GEMM")
        else:
            self._left(gradient, step.label, "a gradient that is written otherwise than JAX's own")

    def _left(self, product: Product, label: str, reason: str) -> None:
        gradients, gemm = self.reading.gradients.get(id(product), []), gemm_of((product.of or product).site.equation)
        macs = gemm[0].macs * gemm[1]
        runs = macs * (product.runs + product.again), macs * sum(gradient.runs for gradient in gradients)
        took = f"{runs[0]:,} MACs" + (f" forward, {runs[1]:,} backward" if gradients else "")
        of = f" of {label}" if module_of(label) != product.where else ""
        name = product.site.equation.primitive.name
        self.notes.append(f"{product.where}: {name}{of} left to XLA, {reason}; {took}")


def refusal(equation: JaxprEqn) -> str | None:
    """Why a product is not for the array, if it is not."""
    if equation.params.get("out_sharding") is not None:
        return "meshes with explicit axes are not emulated"
    return ragged.refusal(equation) if equation.primitive.name == ragged.NAME else None


def _fit(forward: JaxprEqn, dx: Gradient | None, dw: Gradient | None) -> bool:
    gradients = [gradient for gradient in (dx, dw) if gradient is not None]
    if any(gradient.equation.primitive.name != forward.primitive.name for gradient in gradients):
        return False
    if forward.primitive.name == ragged.NAME:
        return ragged.fit(forward, dx, dw)
    if forward.primitive.name == "dot_general":
        return matrices.dots_fit(dx, dw)
    return matrices.convolutions_fit(forward, dx, dw)


def _depends(jaxpr: Jaxpr, first: int, second: int) -> bool:
    """Whether what the second equation needs, or the first product among it, has to wait for the first equation."""
    late = hoisted(jaxpr, first, second)
    return first in late or any(
        jaxpr.eqns[index].primitive.name in PRODUCTS or any(True for _ in jaxprs.inner(jaxpr.eqns[index]))
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

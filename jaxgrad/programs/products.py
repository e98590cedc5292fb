"""The GEMMs of any trace: each product, and which are the gradients of which.

A product is dX or dW where one of its operands is an operand of a forward product, the other has that product's output
size, and its result the size of the forward product's other operand. JAX's name for it says that it was transposed.
What JAX did not transpose is taken for a gradient, and said to be guessed, where it contracts as one (``evidence``) and
shares its cotangent with another, so that the two have between them both operands of one forward product; and one alone
(the layer at the input, or frozen weights), where its cotangent comes from the gradient of a product behind. Where what
is contracted can't be told, the pair's cotangent has to come from the forward product. A gradient counts by its forward
product's GEMM, so a strided convolution's dX has no zeros between its rows; where ``vmap`` asks for a dW an example,
the forward product counts as one GEMM an example too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Literal

import jax.numpy as jnp
from jax.extend import source_info_util
from jax.extend.core import JaxprEqn

from jaxgrad.programs.evidence import Evidence
from jaxgrad.programs.lines import where
from jaxgrad.programs.liveness import live
from jaxgrad.programs.operations import elements
from jaxgrad.programs.shapes import PRODUCTS
from jaxgrad.programs.solves import of_solves
from jaxgrad.programs.trace import Site, Trace

Role = Literal["dx", "dw"]
# (role, forward product, cotangent, product): whether there is evidence that the product is that gradient.
_Supports = Callable[[Role, "Product", int, "Product"], bool]
_OPERANDS: tuple[tuple[Role, int], ...] = (("dx", 1), ("dw", 0))  # the forward product's operand that a gradient has


@dataclass
class Product:
    """One product of a trace.

    Args:
        site: where it is.
        runs: how often it runs, reruns by ``jax.checkpoint`` for the backward pass aside.
        again: how often it is rerun.
        of: the forward product whose gradient it is, if it is one.
        role: with respect to which operand of that one: dx the left one, dw the right one.
        gradients: runs of its gradients by operand: of the left one (dx), of the right one (dw).
        mapped: into how many GEMMs it falls, by operand, where ``vmap`` asks for a gradient by one operand for each of
            several others: by the right one (dw) for each part of X, as per-example gradients do; by the left one (dx)
            for each of several W.
        swapped: whether the left operand is the weights.
        weights: whether one operand may be weights; not where equations make both, as in attention.
        guessed: whether it is taken for a gradient by its operands and axes alone: JAX did not transpose it.
    """

    site: Site
    runs: int
    again: int = 0
    of: Product | None = None
    role: Role | None = None
    gradients: dict[Role, int] = field(default_factory=dict)
    mapped: dict[Role, int] = field(default_factory=dict)
    swapped: bool = False
    weights: bool = True
    guessed: bool = False

    @property
    def origin(self) -> int:
        return self.site.outs[0].origin

    @property
    def origins(self) -> tuple[int, int]:
        return self.site.operands[0].origin, self.site.operands[1].origin

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Elements of the left operand, the right one and the result."""
        left, right = self.site.equation.invars[:2]
        return elements(left), elements(right), elements(self.site.equation.outvars[0])

    @property
    def inexact(self) -> bool:
        """Whether its result is of floats or complex numbers."""
        return jnp.issubdtype(self.site.equation.outvars[0].aval.dtype, jnp.inexact)  # pyright: ignore[reportAttributeAccessIssue]  # an array's

    @property
    def where(self) -> str:
        """The line of the program it comes from."""
        return where(self.site.equation, self.site.place.callers[1:])


def products(trace: Trace) -> list[Product]:
    """The live products among the equations of a trace, gradients joined to their forward products.

    Dead-code elimination removes a gradient that a custom derivative rule computes and nothing needs. A forward product
    with a live gradient is live, whatever becomes of its result: training runs the forward pass. Not so where it is
    JAX's own, for the derivative of a linear solve: the matrix times the solution, which no forward pass computes.
    """
    candidates: list[Product] = []
    first: dict[int, Product] = {}
    for site in trace.sites:
        if site.equation.primitive.name not in PRODUCTS or 0 in _sizes(site.equation):
            continue
        original = first.get(site.outs[0].number)
        if original is not None and site.place.backward and not original.site.place.backward:
            original.again += site.runs
        else:
            candidates.append(Product(site, site.runs))
            first.setdefault(site.outs[0].number, candidates[-1])
    evidence = Evidence(trace, [product.site for product in candidates])
    _join_pairs(candidates, evidence)
    _join_single(candidates, evidence)
    candidates = _live(candidates, trace)
    computed = trace.computed - trace.carried
    for product in candidates:
        product.swapped = _weights_left(product, trace.computed)
        product.weights = not all(origin in computed for origin in product.origins)
    return candidates


def tangents(candidates: list[Product]) -> list[Product]:
    """The products that seem to compute tangents (forward-mode derivatives, by ``jax.jvp`` or ``jax.linearize``).

    Each has no gradient and repeats another product on the same line of the program, with the same value as one operand
    and a new one as the other. Products that a loop in Python repeats may look the same.
    """
    seen: set[tuple] = set()
    repeated: list[Product] = []
    for product in candidates:
        equation = product.site.equation
        if product.of is not None or product.site.place.backward or not product.site.place.derived:
            continue
        line = source_info_util.summarize(equation.source_info)
        keys = {(line, equation.primitive, product.sizes, side, product.origins[side]) for side in (0, 1)}
        if keys & seen and not product.gradients:
            repeated.append(product)
        seen |= keys
    return repeated


def _live(candidates: list[Product], trace: Trace) -> list[Product]:
    """Dead-code elimination; a live gradient keeps its forward product live, if the program has it."""
    added = of_solves(trace)
    entails = {
        product.origin: [product.of.origin]
        for product in candidates
        if product.of is not None and product.of.origin not in added
    }
    origins = live(trace.sites, trace.roots, entails)
    for product in candidates:
        if product.of is not None and product.role is not None:
            if product.origin not in origins:
                product.of.gradients.pop(product.role, None)
            elif product.of.origin not in origins:
                product.of, product.role, product.guessed = None, None, False
    return [product for product in candidates if product.origin in origins]


def _weights_left(product: Product, computed: set[int]) -> bool:
    """Whether the left operand is given and the right one made, as of ``w @ jnp.tanh(y)``; or, if both are given, only
    the left one has a gradient. Otherwise, and where only the right one has, the left one is X, as of ``x @ w``."""
    if product.site.equation.primitive.name != "dot_general":
        return False
    left, right = (origin not in computed for origin in product.origins)
    return weights_left((left, right), set(product.gradients))


def weights_left(outside: tuple[bool, bool], gradients: Set[Role]) -> bool:
    """The same of a matrix product, by which of its operands come from outside and which have a gradient."""
    if all(outside):
        return gradients == {"dx"}
    return outside[0] and gradients != {"dw"}


def _sizes(equation: JaxprEqn) -> tuple[int, ...]:
    return tuple(elements(variable) for variable in (*equation.invars[:2], *equation.outvars[:1]))


def _by_operand(candidates: list[Product]) -> dict[int, list[Product]]:
    readers: dict[int, list[Product]] = defaultdict(list)
    for product in candidates:
        for origin in dict.fromkeys(product.origins):
            readers[origin].append(product)
    return readers


def _join_pairs(candidates: list[Product], evidence: Evidence) -> None:
    """Joins pairs of gradients, which share a cotangent and have a forward product's two operands between them."""

    def supports(role: Role, forward: Product, cotangent: int, product: Product) -> bool:
        if product.site.place.backward:
            return True
        transposed = evidence.transposed(role, forward.site, product.site, cotangent)
        return evidence.comes_from(cotangent, forward.site) if transposed is None else transposed

    readers = _by_operand(candidates)
    order = {id(product): index for index, product in enumerate(candidates)}
    for cotangent, users in readers.items():
        others: dict[int, list[Product]] = defaultdict(list)
        for user in users:
            others[_other(user, cotangent)].append(user)
        if len(users) < 2:
            continue
        for left, holders in others.items():
            for forward in readers[left]:
                if forward.origins[0] != left or forward.gradients or forward.of is not None:
                    continue
                after = order[id(forward)]
                later = [holder for holder in holders if order[id(holder)] > after]
                dw = _first_fitting("dw", forward, cotangent, later, supports)
                later = [holder for holder in others.get(forward.origins[1], []) if order[id(holder)] > after]
                dx = _first_fitting(
                    "dx", forward, cotangent, [holder for holder in later if holder is not dw], supports
                )
                if dx is not None and dw is not None:
                    _join(forward, dx, "dx")
                    _join(forward, dw, "dw")


def _join_single(candidates: list[Product], evidence: Evidence) -> None:
    """Joins the gradients that stand alone to their forward products."""
    readers = _by_operand(candidates)
    order = {id(product): index for index, product in enumerate(candidates)}
    gradients: list[Product] = []

    def supports(role: Role, forward: Product, cotangent: int, product: Product) -> bool:
        return product.site.place.backward or (
            any(
                gradient.of is not None
                and evidence.comes_from(gradient.of.origin, forward.site)
                and evidence.comes_from(cotangent, gradient.site)
                for gradient in gradients
            )
            and evidence.transposed(role, forward.site, product.site, cotangent) is not False
        )

    for product in candidates:
        if product.of is None and not product.gradients and (product.site.place.backward or gradients):
            for operand, cotangent in (product.origins, product.origins[::-1]):
                if product.of is None:
                    earlier = [reader for reader in readers[operand] if order[id(reader)] < order[id(product)]]
                    _join_to_last(product, operand, cotangent, earlier, supports)
        if product.of is not None:
            gradients.append(product)


def _join_to_last(product: Product, operand: int, cotangent: int, earlier: list[Product], supports: _Supports) -> None:
    """Joins a product to the last forward product whose gradient it can be, if there is one."""
    for forward in reversed(earlier):
        for role, index in _OPERANDS:
            free = forward.of is None and role not in forward.gradients and forward.origins[index] == operand
            if free and _fits(role, forward, cotangent, product) and supports(role, forward, cotangent, product):
                _join(forward, product, role)
                return


def _other(product: Product, origin: int) -> int:
    left, right = product.origins
    return right if left == origin else left


def _first_fitting(
    role: Role, forward: Product, cotangent: int, candidates: list[Product], supports: _Supports
) -> Product | None:
    free = (candidate for candidate in candidates if candidate.of is None)
    fitting = (candidate for candidate in free if _fits(role, forward, cotangent, candidate))
    return next((candidate for candidate in fitting if supports(role, forward, cotangent, candidate)), None)


def _fits(role: Role, forward: Product, cotangent: int, product: Product) -> bool:
    """Whether the sizes are those of a gradient, which is no integer, and its loops are the forward product's."""
    if product is forward or product.of is not None or product.gradients or not product.inexact:
        return False
    left, right, out = forward.sizes
    result, operand = (left, right) if role == "dx" else (right, left)
    sizes = product.sizes
    operand_sizes = sizes[:2] if product.origins[0] == cotangent else sizes[1::-1]
    whole = result * _groups(product.site.equation) // _groups(forward.site.equation)
    return operand_sizes == (out, operand) and sizes[2] in (result, whole) and product.runs <= forward.runs


def _groups(equation: JaxprEqn) -> int:
    """How many products of matrices, or convolutions, an equation is of."""
    if equation.primitive.name == "dot_general":
        (_, _), (batch, _) = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape  # pyright: ignore[reportAttributeAccessIssue]  # an array's
        return math.prod(shape[axis] for axis in batch)
    if equation.primitive.name == "conv_general_dilated":
        return equation.params["feature_group_count"] * equation.params["batch_group_count"]
    return 1


def _join(forward: Product, gradient: Product, role: Role) -> None:
    gradient.of, gradient.role, gradient.guessed = forward, role, not gradient.site.place.backward
    forward.gradients[role] = gradient.runs
    forward.mapped[role] = gradient.sizes[2] // forward.sizes[role == "dw"]

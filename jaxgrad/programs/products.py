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
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import jax.numpy as jnp
from jax.extend import source_info_util
from jax.extend.core import JaxprEqn

from jaxgrad.programs.evidence import Evidence
from jaxgrad.programs.operations import elements
from jaxgrad.programs.trace import Site, Trace
from jaxgrad.programs.uses import needed

KINDS = ("dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general")
Role = Literal["dx", "dw"]
# Whether there is evidence that a product (last) is that gradient of another (second), by a cotangent (third).
_Speaks = Callable[[Role, "Product", int, "Product"], bool]
_OPERANDS: tuple[tuple[Role, int], ...] = (("dx", 1), ("dw", 0))  # which of the forward product's a gradient has


@dataclass
class Product:
    """One product of a trace.

    Args:
        site: where it is.
        runs: how often it runs, but for when it is run anew for the backward pass.
        again: how often it is.
        of: the forward product of which it is a gradient, if it is.
        role: of which operand of that one, then.
        gradients: runs of its gradients by operand: of the left one (dx), of the right one (dw).
        examples: into how many GEMMs it falls, where ``vmap`` asks for a gradient by each of as many examples.
        swapped: whether the left operand is the weights.
        weights: whether one operand may be weights; not where equations make both, as in attention.
        guessed: whether it is taken for a gradient by its operands alone: JAX did not transpose it.
    """

    site: Site
    runs: int
    again: int = 0
    of: Product | None = None
    role: Role | None = None
    gradients: dict[Role, int] = field(default_factory=dict)
    examples: int = 1
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
        return where(self.site.equation)


def where(equation: JaxprEqn) -> str:
    """The file's name and the line of the program that an equation comes from; what it is, where JAX does not say."""
    line = source_info_util.summarize(equation.source_info).split(" ")[0]
    parts = line.rpartition("/")[2].split(":")
    return ":".join(parts[:2]) or equation.primitive.name


def products(trace: Trace) -> list[Product]:
    """The products among the equations of a trace that are of use, those that are gradients told apart.

    A gradient that a function's own derivative rule computes and no one wants is of no use. A forward product with
    gradients is, whatever becomes of its result: training runs the forward pass.
    """
    found: list[Product] = []
    first: dict[int, Product] = {}
    for site in trace.sites:
        if site.equation.primitive.name not in KINDS or 0 in _sizes(site.equation):
            continue
        known = first.get(site.outs[0].number)
        if known is not None and site.place.backward and not known.site.place.backward:
            known.again += site.runs
        else:
            found.append(Product(site, site.runs))
            first.setdefault(site.outs[0].number, found[-1])
    evidence = Evidence(trace, [product.site for product in found])
    _pair(found, evidence)
    _alone(found, evidence)
    found = _of_use(found, trace)
    made = trace.made - trace.carried
    for product in found:
        product.swapped = _weights_left(product, trace.made)
        product.weights = not all(origin in made for origin in product.origins)
    return found


def tangents(found: list[Product]) -> list[Product]:
    """The products that seem to be of forward-mode derivatives, as ``jax.jvp`` and ``jax.linearize`` make them.

    Each has no gradient and repeats, at the same place of the program, another one, with one of its operands and a new
    value for the other. What a loop in Python repeats may look the same.
    """
    seen: set[tuple] = set()
    like: list[Product] = []
    for product in found:
        equation = product.site.equation
        if product.of is not None or product.site.place.backward or not product.site.place.derived:
            continue
        line = source_info_util.summarize(equation.source_info)
        keys = {(line, equation.primitive, product.sizes, side, product.origins[side]) for side in (0, 1)}
        if keys & seen and not product.gradients:
            like.append(product)
        seen |= keys
    return like


def _of_use(found: list[Product], trace: Trace) -> list[Product]:
    brings = {own.origin: [own.of.origin] for own in found if own.of is not None}
    used = needed(trace.sites, trace.needed, brings)
    for product in found:
        if product.of is not None and product.role is not None and product.origin not in used:
            product.of.gradients.pop(product.role, None)
    return [product for product in found if product.origin in used]


def _weights_left(product: Product, made: set[int]) -> bool:
    """Whether the left operand is given and the right one made, as of ``w @ jnp.tanh(y)``; or, if both are given, only
    the left one has a gradient. Otherwise, and where only the right one has, the left one is X, as of ``x @ w``."""
    if product.site.equation.primitive.name != "dot_general":
        return False
    left, right = (origin not in made for origin in product.origins)
    if left and right:
        return set(product.gradients) == {"dx"}
    return left and set(product.gradients) != {"dw"}


def _sizes(equation: JaxprEqn) -> tuple[int, ...]:
    return tuple(elements(variable) for variable in (*equation.invars[:2], *equation.outvars[:1]))


def _by_operand(found: list[Product]) -> dict[int, list[Product]]:
    readers: dict[int, list[Product]] = defaultdict(list)
    for product in found:
        for origin in dict.fromkeys(product.origins):
            readers[origin].append(product)
    return readers


def _pair(found: list[Product], evidence: Evidence) -> None:
    """Finds the pairs that share a cotangent and hold a forward product's two operands."""

    def speaks(role: Role, forward: Product, cotangent: int, product: Product) -> bool:
        if product.site.place.backward:
            return True
        transposed = evidence.transposed(role, forward.site, product.site, cotangent)
        return evidence.comes_from(cotangent, forward.site) if transposed is None else transposed

    readers = _by_operand(found)
    order = {id(product): index for index, product in enumerate(found)}
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
                dw = _fitting("dw", forward, cotangent, [own for own in holders if order[id(own)] > after], speaks)
                rest = [own for own in others.get(forward.origins[1], []) if order[id(own)] > after and own is not dw]
                dx = _fitting("dx", forward, cotangent, rest, speaks)
                if dx is not None and dw is not None:
                    _join(forward, dx, "dx")
                    _join(forward, dw, "dw")


def _alone(found: list[Product], evidence: Evidence) -> None:
    """Finds the forward products of gradients that have no pair."""
    readers = _by_operand(found)
    order = {id(product): index for index, product in enumerate(found)}
    gradients: list[Product] = []

    def speaks(role: Role, forward: Product, cotangent: int, product: Product) -> bool:
        return product.site.place.backward or (
            any(
                own.of is not None
                and evidence.comes_from(own.of.origin, forward.site)
                and evidence.comes_from(cotangent, own.site)
                for own in gradients
            )
            and evidence.transposed(role, forward.site, product.site, cotangent) is not False
        )

    for product in found:
        if product.of is None and not product.gradients and (product.site.place.backward or gradients):
            for operand, cotangent in (product.origins, product.origins[::-1]):
                if product.of is None:
                    earlier = [own for own in readers[operand] if order[id(own)] < order[id(product)]]
                    _join_to_one(product, operand, cotangent, earlier, speaks)
        if product.of is not None:
            gradients.append(product)


def _join_to_one(product: Product, operand: int, cotangent: int, earlier: list[Product], speaks: _Speaks) -> None:
    """Joins a product to the last forward product whose gradient it can be, if there is one."""
    for forward in reversed(earlier):
        for role, index in _OPERANDS:
            free = forward.of is None and role not in forward.gradients and forward.origins[index] == operand
            if free and _fits(role, forward, cotangent, product) and speaks(role, forward, cotangent, product):
                _join(forward, product, role)
                return


def _other(product: Product, origin: int) -> int:
    left, right = product.origins
    return right if left == origin else left


def _fitting(
    role: Role, forward: Product, cotangent: int, candidates: list[Product], speaks: _Speaks
) -> Product | None:
    fitting = (own for own in candidates if own.of is None and _fits(role, forward, cotangent, own))
    return next((own for own in fitting if speaks(role, forward, cotangent, own)), None)


def _fits(role: Role, forward: Product, cotangent: int, product: Product) -> bool:
    """Whether the sizes are those of a gradient, which is no integer, and its loops are the forward product's."""
    if product is forward or product.of is not None or product.gradients or not product.inexact:
        return False
    left, right, out = forward.sizes
    result, operand = (left, right) if role == "dx" else (right, left)
    sizes = product.sizes
    given = sizes[:2] if product.origins[0] == cotangent else sizes[1::-1]
    whole = result * _examples(product)
    return given == (out, operand) and sizes[2] in (result, whole) and product.runs <= forward.runs


def _examples(product: Product) -> int:
    """The batch axes of a matrix product, together."""
    if product.site.equation.primitive.name != "dot_general":
        return 1
    (_, _), (batch, _) = product.site.equation.params["dimension_numbers"]
    shape = product.site.equation.invars[0].aval.shape  # pyright: ignore[reportAttributeAccessIssue]  # an array's
    return math.prod(shape[axis] for axis in batch)


def _join(forward: Product, gradient: Product, role: Role) -> None:
    gradient.of, gradient.role, gradient.guessed = forward, role, not gradient.site.place.backward
    forward.gradients[role] = gradient.runs
    forward.examples = max(forward.examples, gradient.sizes[2] // forward.sizes[role == "dw"])

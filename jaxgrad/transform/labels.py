"""The names of a trace's products: the module's path, or the line of the program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count

from jax.extend.core import Jaxpr, JaxprEqn

from jaxgrad.programs import jaxprs
from jaxgrad.programs.kinds import CALL
from jaxgrad.programs.names import told_apart
from jaxgrad.programs.products import Product

Path = tuple[int, ...]
Position = tuple[tuple[str, int], ...]
# Of JAX's own lines only those of functions that compute several products matter: the others tell what a product is
# traced by, which differs between one call of a layer and another that ``jax.checkpoint`` runs again.
_IN_JAX = "/jax/_src/"
_WITH_PRODUCTS = ("/jax/_src/nn/", "/jax/_src/numpy/")
_LABEL = re.compile(r"jaxgrad\.label\[([^\]]*)\]")


def labels(products: Sequence[Product]) -> dict[int, str]:
    """A label for each product, by its identity.

    A product in a module has the module's path. Where a module has several, they are numbered in the order in which
    they are first met; those from one line are one, whether the module is called again or the line is in a loop.
    """
    kept = {id(product): label for product in products if (label := _kept(product)) is not None}
    others = [product for product in products if id(product) not in kept]
    lines = iter(told_apart([product.where for product in others if not product.site.place.path]))
    positions: dict[str, dict[Position, int]] = {}
    for product in others:
        numbers = positions.setdefault(product.site.place.path, {})
        numbers.setdefault(_position(product), len(numbers) + 1)
    return kept | {
        id(product): _of_module(product, positions[product.site.place.path]) or next(lines) for product in others
    }


def keep(jaxpr: Jaxpr, labels: Mapping[Path, str]) -> Jaxpr:
    """The jaxpr with the labels of its products, by path, written on their name stacks: whatever becomes of it, they
    keep them."""
    around = {path[:depth] for path in labels for depth in range(len(path))}

    def within(jaxpr: Jaxpr, path: Path) -> Jaxpr:
        return jaxpr.replace(eqns=[named((*path, index), equation) for index, equation in enumerate(jaxpr.eqns)])

    def named(path: Path, equation: JaxprEqn) -> JaxprEqn:
        numbers = count()
        if path in labels:
            source = equation.source_info
            stack = source.name_stack.extend(f"jaxgrad.label[{labels[path]}]")
            return equation.replace(source_info=source.replace(name_stack=stack))
        if path not in around:
            return equation
        return jaxprs.with_inner(equation, lambda inner: within(inner, (*path, next(numbers))))

    return within(jaxpr, ())


def _kept(product: Product) -> str | None:
    """The label that ``keep`` wrote; a gradient that is recognised as none has its product's on its name stack too."""
    written = _LABEL.findall(str(product.site.equation.source_info.name_stack))
    return written[-1] if written and not product.site.place.backward else None


def _of_module(product: Product, positions: dict[Position, int]) -> str:
    path = product.site.place.path
    return f"{path}#{positions[_position(product)]}" if path and len(positions) > 1 else path


def _position(product: Product) -> Position:
    """The lines that lead to a product from the call of its module."""
    place = product.site.place
    traceback = (place.call or product.site.equation).source_info.traceback
    lines: list[tuple[str, int]] = []
    for frame in traceback.frames if place.path and traceback is not None else ():
        if frame.function_name.endswith(CALL):
            break
        if _IN_JAX not in frame.file_name or any(folder in frame.file_name for folder in _WITH_PRODUCTS):
            lines.append((frame.file_name, frame.line_num))
    return tuple(lines)

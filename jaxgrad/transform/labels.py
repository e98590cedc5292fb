"""The names of a trace's products: the module's path, or the line of the program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from jaxgrad.programs.kinds import CALL
from jaxgrad.programs.products import Product

Position = tuple[tuple[str, int], ...]
# Of JAX's own lines only those of functions that compute several products matter: the others tell what a product is
# traced by, which differs between one call of a layer and another that ``jax.checkpoint`` runs again.
_IN_JAX = "/jax/_src/"
_WITH_PRODUCTS = ("/jax/_src/nn/", "/jax/_src/numpy/")


def labels(products: Sequence[Product]) -> dict[int, str]:
    """A label for each product, by its identity.

    A product in a module has the module's path. Where a module has several, they are numbered in the order in which
    they are first met; those from one line are one, whether the module is called again or the line is in a loop.
    """
    lines = iter(told_apart([product.where for product in products if not product.site.place.path]))
    positions: dict[str, dict[Position, int]] = {}
    for product in products:
        own = positions.setdefault(product.site.place.path, {})
        own.setdefault(_position(product), len(own) + 1)
    return {id(product): _of_module(product, positions[product.site.place.path]) or next(lines) for product in products}


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
        if _IN_JAX not in frame.file_name or any(each in frame.file_name for each in _WITH_PRODUCTS):
            lines.append((frame.file_name, frame.line_num))
    return tuple(lines)


def told_apart(names: Iterable[str]) -> list[str]:
    """The names, those that are not the only one of their kind numbered."""
    names = list(names)
    total, seen = Counter(names), Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name}#{seen[name]}" if total[name] > 1 else name)
    return apart

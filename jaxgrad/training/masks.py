"""Which parameters weight decay is of: masks as optax has them, by a name or by patterns of paths."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import jax

from jaxgrad.base.errors import InputError, either

Mask = Callable[[Any], Any]
"""From parameters to a tree of truth values, as of ``optax.masked``."""

ALL, KERNELS = "all", "kernels"


def by_path(params: Any, is_one: Callable[[list[str]], bool]) -> Any:
    """What a mask says of each parameter, told the names of its path."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: is_one(_names(path)), params)


def decayed(which: str | None) -> Mask | None:
    """The parameters that decay.

    >>> import jax.numpy as jnp
    >>> params = {"conv1": {"kernel": jnp.ones((3, 3, 1, 6)), "bias": jnp.ones(6)}, "norm": {"scale": jnp.ones(6)}}
    >>> decayed("kernels")(params)
    {'conv1': {'bias': False, 'kernel': True}, 'norm': {'scale': False}}
    >>> decayed("conv*, norm.scale")(params)
    {'conv1': {'bias': True, 'kernel': True}, 'norm': {'scale': True}}

    Args:
        which: ``all``, as None; ``kernels``, those of two axes or more, so no biases and no scales of norms; or
            patterns, separated by commas, of paths such as ``conv1.kernel``, as of ``fnmatch``: ``*`` stands for
            anything, dots among it.

    Returns:
        The mask, which raises an InputError where a pattern is of no parameter; None for all of them.
    """
    if which is None or which == ALL:
        return None
    if which == KERNELS:
        return lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params)
    patterns = [pattern.strip() for pattern in which.split(",")]

    def mask(params: Any) -> Any:
        paths = [".".join(_names(path)) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        for pattern in patterns:
            if not any(fnmatchcase(path, pattern) for path in paths):
                remedy = f"{pattern!r} is the path of no parameter; there are {either(paths, 'and')}"
                raise InputError("weight_decay_mask", which, remedy)
        return by_path(params, lambda names: any(fnmatchcase(".".join(names), pattern) for pattern in patterns))

    return mask


def _names(path: tuple[Any, ...]) -> list[str]:
    """The names of a path; of a parameter of NNX without that of the array in it."""
    names = jax.tree_util.keystr(path, simple=True, separator=".").split(".")
    return names[:-1] if names[-1] == "value" and len(names) > 1 else names

"""What a text that names a network looks like. It imports neither JAX nor the user's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jaxgrad_models
from jaxgrad.base.errors import InputError, choose

NAMES: tuple[str, ...] = (*jaxgrad_models.MODELS, *jaxgrad_models.PAPERS)
"""The networks of ``jaxgrad_models``."""

OWN = "FILE.py:NAME, MODULE:NAME or FILE.onnx"
"""How the user's own are named."""

ON_ANY_IMAGES: tuple[str, ...] = tuple(name for name in jaxgrad_models.MODELS if name not in jaxgrad_models.TEXT)
"""Of ``NAMES`` those that are given a data set's images where none are named, and not a paper's."""

ONNX = ".onnx"


def check(field: str, value: Any) -> str:
    """``value`` if it may name a network: one of ``NAMES``, or what looks like one of the user's own.

    >>> check("model", "my_net.py:Net")
    'my_net.py:Net'

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, str) and (value in NAMES or _looks_own(value)):
        return value
    if isinstance(value, str) and value.endswith(".py"):
        raise InputError(field, value, f"say which network of it, {value}:NAME")
    raise InputError(field, value, f"{choose(NAMES, value)}, or give {OWN}")


def short(reference: str) -> str:
    """What a network is called in titles and in the names of folders.

    >>> short("lenet"), short("nets/small.py:Net"), short("package.nets:Net"), short("nets/small.onnx")
    ('lenet', 'small.Net', 'nets.Net', 'small')
    """
    if reference in NAMES:
        return reference
    if reference.endswith(ONNX):
        return Path(reference).stem
    source, _, name = reference.rpartition(":")
    return f"{Path(source).stem if source.endswith('.py') else source.rpartition('.')[2]}.{name}"


def _looks_own(text: str) -> bool:
    source, _, name = text.rpartition(":")
    return (text.endswith(ONNX) and text != ONNX) or bool(source and name)

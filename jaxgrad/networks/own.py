"""Networks of the user's own: what a text refers to, made ready to build."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flax import nnx

from jaxgrad.base import references
from jaxgrad.base.errors import InputError, either
from jaxgrad.interop.onnx.forward import program
from jaxgrad.networks import constructors, functions, onnx_files
from jaxgrad.networks.names import ONNX

_REMEDY = "give an NNX class, a function that returns a module, or a JAX function with an init"


class Make(Protocol):
    """A model of an image's shape and a number of classes, weights from ``rngs``, by a constructor's options."""

    def __call__(self, *, input_shape: tuple[int, ...], classes: int, rngs: nnx.Rngs, **options: Any) -> nnx.Module: ...


class Own(NamedTuple):
    """A network, not built yet; as of ``network.Network``."""

    input_shape: tuple[int, ...] | None
    classes: int | None
    options: tuple[str, ...]
    source: Path
    make: Make


def load(reference: str, field: str) -> Own:
    """What a text refers to; the table in ``network`` has the kinds.

    Args:
        reference: the text, no name of ``jaxgrad_models``.
        field: what messages call it.

    Raises:
        InputError: there is no such thing, or it is no network.
    """
    if reference.endswith(ONNX):
        return _of_file(reference, field)
    value, module = references.load(field, reference)
    init: Any = getattr(value, "init", None)
    if callable(value) and callable(init) and not isinstance(value, type):
        apply: Any = value
        make: Make = functools.partial(functions.build, apply, init)
        options = _options(reference, field, init, functions.GIVEN, "init ")
    else:
        if not callable(value) or isinstance(value, nnx.Module):
            problem = f"got {reference!r}, which is a {type(value).__name__}"
            raise InputError(field, reference, _REMEDY, problem=problem)
        make = functools.partial(_call, value)
        options = _options(reference, field, value, constructors.GIVEN)
    shape, classes = _own_shape(reference, field, value), _own_classes(reference, field, value)
    return Own(shape, classes, options, Path(module.__file__ or reference), make)


def said(error: BaseException) -> str:
    """An error in one short line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _of_file(reference: str, field: str) -> Own:
    try:
        read = program.read(reference, onnx_files.TAKEN)
    except InputError as error:
        raise error.renamed(field) from None
    except OSError as error:
        problem = f"got {reference!r}: {error.strerror} in {Path.cwd()}"
        raise InputError(field, reference, "give a file that can be read", problem=problem) from None

    def make(*, input_shape: tuple[int, ...], classes: int, rngs: nnx.Rngs, **options: Any) -> nnx.Module:
        return onnx_files.OnnxNetwork(read, input_shape)

    return Own(onnx_files.input_shape(read), read.classes, (), Path(reference), make)


def _call(
    constructor: Callable[..., Any], *, input_shape: tuple[int, ...], classes: int, rngs: nnx.Rngs, **options: Any
) -> Any:
    return constructors.call(constructor, {"input_shape": input_shape, "classes": classes, "rngs": rngs}, options)


def _options(
    reference: str, field: str, constructor: Callable[..., Any], given: Sequence[str], which: str = ""
) -> tuple[str, ...]:
    """What a constructor takes besides; refuses one that needs more than it is given."""
    try:
        unmet = constructors.unmet(constructor, given)
        options = constructors.options_of(constructor, given)
    except (TypeError, ValueError) as error:  # some of what is written in C has no signature
        problem = f"got {reference!r}, which can't be called as a constructor ({said(error)})"
        raise InputError(field, reference, _REMEDY, problem=problem) from error
    if unmet is not None:
        whose = f"whose {which}also needs" if which else "which also needs"
        remedy = f"have it need at most {either(given, 'and')}"
        if not which:
            remedy += "; a function of (parameters, images) has an attribute init, which makes the parameters"
        raise InputError(field, reference, remedy, problem=f"got {reference!r}, {whose} {unmet}")
    return options


def _own_shape(reference: str, field: str, value: Any) -> tuple[int, int, int] | None:
    shape = getattr(value, "input_shape", None)
    if shape is None:
        return None
    if not isinstance(shape, Sequence) or len(shape) != 3 or not all(map(_is_size, shape)):
        problem = f"got {reference!r}, whose input_shape is {shape!r}"
        raise InputError(field, reference, "have it (height, width, channels)", problem=problem)
    height, width, channels = shape
    return height, width, channels


def _own_classes(reference: str, field: str, value: Any) -> int | None:
    classes = getattr(value, "classes", None)
    if classes is not None and not _is_size(classes):
        problem = f"got {reference!r}, whose classes is {classes!r}"
        raise InputError(field, reference, "have it a whole number of at least 1", problem=problem)
    return classes


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1

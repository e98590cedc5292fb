"""ONNX files as the package ``onnx`` has them."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError


def package() -> Any:
    """The package ``onnx``.

    Raises:
        InputError: it is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise InputError("onnx", None, "pip install 'jaxgrad[onnx]' first", problem="got no such package")
    return importlib.import_module("onnx")


def load(onnx: Any, path: Path | str, *, weights: bool = False) -> Any:
    """The model in a file, its own functions laid out.

    Args:
        onnx: the package.
        path: of the file.
        weights: whether those in files beside it are read too.

    Raises:
        InputError: it is no ONNX model.
        OSError: it can't be read.
    """
    Path(path).open("rb").close()  # its own error for a file that is not there
    try:
        model = onnx.load(str(path), load_external_data=weights)
        model.graph.name  # noqa: B018  # a message that was decoded has one
        if model.functions:
            model = importlib.import_module("onnx.inliner").inline_local_functions(model)
    except Exception as error:
        problem = f"got {str(path)!r}, which is no ONNX model ({said(error)})"
        raise InputError("model", Path(path), "give one", problem=problem) from error
    if not model.graph.node:
        problem = f"got {str(path)!r}, which is no ONNX model, or one without nodes"
        raise InputError("model", Path(path), "give one with some", problem=problem)
    return model


def said(error: Exception) -> str:
    """An error in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__

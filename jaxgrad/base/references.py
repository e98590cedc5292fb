"""What a text such as ``train.py:step`` or ``package.module:name`` refers to in Python code of the user's own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxgrad.base.errors import InputError


def load(field: str, reference: str, kind: str = "NAME") -> tuple[Any, ModuleType]:
    """The object that ``MODULE:NAME`` names, and its module, which is imported; what that prints goes to stderr.

    Args:
        field: what messages call the text.
        reference: a module by its dotted name, as Python started here would find it, or by its file; a colon; a name in
            it, dots among it.
        kind: what messages call that name.

    Raises:
        InputError: the module can't be imported, or has no such name.
    """
    source, colon, name = reference.rpartition(":")
    if not colon or not source or not name:
        raise InputError(field, reference, f"give MODULE:{kind}, such as train:step or train.py:step")
    module = _module(field, source)
    value: Any = module
    for attribute in name.split("."):
        if not hasattr(value, attribute):
            raise InputError(field, reference, f"{source} has no {name}")
        value = getattr(value, attribute)
    return value, module


def _module(field: str, source: str) -> ModuleType:
    try:
        if not source.endswith(".py"):
            if "" not in sys.path:
                sys.path.insert(0, "")
            with redirect_stdout(sys.stderr):
                return importlib.import_module(source)
        path = Path(source)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            seen_from = "" if path.is_absolute() else f" in {Path.cwd()}"
            raise InputError(field, source, f"there is no such file{seen_from}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        sys.path.insert(0, str(path.parent))
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
        return module
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's module does when imported
        problem = f"got {source!r}, which can't be imported ({type(error).__name__}: {error})"
        raise InputError(field, source, "give one that can", problem=problem) from error

"""The files that a network of the user's own is made of: where they are, and a hash of what is in them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxgrad.networks.names import NAMES, ONNX


def located(reference: str, folder: Path) -> str:
    """A reference as seen from the current folder, of one that is seen from ``folder``; names and modules stay.

    >>> located("nets/small.py:Net", Path("experiments")), located("lenet", Path("experiments"))
    ('experiments/nets/small.py:Net', 'lenet')
    """
    if reference in NAMES:
        return reference
    if reference.endswith(ONNX):
        return str(folder / reference)
    source, _, name = reference.rpartition(":")
    return f"{folder / source}:{name}" if source.endswith(".py") else reference


def digest(reference: str) -> str:
    """A hash of the content of a network's file, and of the files that it imports from beside it, in turn.

    Args:
        reference: of the user's own, as seen from the current folder.
    """
    hasher = hashlib.sha256()
    for path in _files(_source(reference)):
        content = path.read_bytes()
        hasher.update(f"{path.name} {len(content)}\n".encode())
        hasher.update(content)
    return hasher.hexdigest()[:16]


def _source(reference: str) -> Path | None:
    if reference.endswith(ONNX):
        return Path(reference)
    source = reference.rpartition(":")[0]
    if source.endswith(".py"):
        return Path(source)
    module = sys.modules.get(source)
    spec = importlib.util.find_spec(source) if module is None else module.__spec__
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _files(source: Path | None) -> Iterator[Path]:
    """The file, then those beside it that it imports, each once, in the order in which they are met."""
    waiting, met = [source] if source else [], set[Path]()
    while waiting:
        path = waiting.pop(0)
        if path.resolve() in met:
            continue
        met.add(path.resolve())
        yield path
        if path.suffix == ".py":
            waiting += _imported(path)


def _imported(path: Path) -> Iterator[Path]:
    """The files beside a file, or in packages beside it, that its import statements name."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # it is never run, or running it says so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names, root = [alias.name for alias in node.names], path.parent
        elif isinstance(node, ast.ImportFrom):
            above = max(0, node.level - 1)
            root = path.parent if above == 0 else path.parents[min(above, len(path.parents) - 1)]
            start = f"{node.module}." if node.module else ""
            names = [start.rstrip("."), *(f"{start}{alias.name}" for alias in node.names)]
        else:
            continue
        for name in filter(None, names):
            place = root.joinpath(*name.split("."))
            yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))

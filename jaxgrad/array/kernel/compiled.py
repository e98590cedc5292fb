"""Kernels compiled for this processor, kept on disk once one has been held against the scan, and known to XLA."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax

from jaxgrad.base import external
from jaxgrad.base.cache_folder import cache_folder
from jaxgrad.base.errors import InputError

_FLAGS = ("-O3", "-march=native", "-std=c++17", "-fwrapv", "-ffp-contract=off", "-fPIC", "-shared")
_SYMBOL = "jaxgrad_registers"


def target_of(source: str, is_right: Callable[[str], bool]) -> str | None:
    """The FFI target of a kernel: found on disk, or compiled and tried.

    Args:
        source: its text.
        is_right: whether a target gives the scan's bits; asked once for each kernel and machine.

    Returns:
        Its name; None where there is no compiler or no folder for it, it does not compile, or its bits are other ones.
    """
    compiler, folder = external.cpp_compiler(), cache_folder("kernels")
    if compiler is None or folder is None:
        return None
    return _target(source, compiler, folder, is_right)


_known: dict[str, str | None] = {}


def _target(source: str, compiler: str, folder: Path, is_right: Callable[[str], bool]) -> str | None:
    key = hashlib.sha256("\0".join([source, *_FLAGS, compiler, *_machine()]).encode()).hexdigest()[:32]
    if key not in _known:
        kept, refused = folder / f"{key}.so", folder / f"{key}.differs"
        if kept.exists():
            _known[key] = _registered(kept, f"{_SYMBOL}_{key}")
        else:
            _known[key] = None if refused.exists() else _made(source, compiler, kept, refused, is_right)
    return _known[key]


def _made(source: str, compiler: str, kept: Path, refused: Path, is_right: Callable[[str], bool]) -> str | None:
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".") as place:
        text = Path(place) / "kernel.cc"
        text.write_text(source, encoding="utf-8")
        library = Path(place) / "kernel.so"
        try:
            external.run([compiler, *_FLAGS, "-I", jax.ffi.include_dir(), text, "-o", library], Path(place))
        except InputError as error:
            warnings.warn(f"registers run as a scan, since no kernel could be compiled: {error}", stacklevel=2)
            return None
        name = _registered(library, f"{_SYMBOL}_{kept.stem}")
        if is_right(name):
            os.replace(library, kept)
            return name
        refused.touch()
        return None


def _registered(library: Path, name: str) -> str:
    handler = getattr(ctypes.CDLL(str(library)), _SYMBOL)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler), platform="cpu")
    return name


@cache
def _machine() -> tuple[str, ...]:
    """What else decides the code, and XLA's."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    processor = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    flags = os.environ.get("XLA_FLAGS", "")
    return jax.__version__, version("jaxlib"), platform.machine(), platform.processor(), flags, *sorted(processor)

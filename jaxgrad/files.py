"""Files that are written whole or not at all, however the process ends."""

from __future__ import annotations

import os
from pathlib import Path


def write_text(path: Path, text: str) -> Path:
    """Writes a file in place of what may be there, and makes its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process's number: several may write the same file, with the same content, at the same time.
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path

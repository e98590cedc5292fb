"""jaxgrad.base.external: programs found and run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jaxgrad.base import external
from jaxgrad.base.errors import InputError


def test_the_first_that_is_there() -> None:
    assert external.find("no-such-program", "sh") == external.find("sh")
    assert external.find("no-such-program") is None
    assert external.find(Path(sys.executable).name) is not None  # beside the interpreter


def test_what_it_printed_or_why_it_failed(tmp_path: Path) -> None:
    assert external.run(["sh", "-c", "pwd"], tmp_path).strip() == str(tmp_path.resolve())
    with pytest.raises(InputError, match="no such thing"):
        external.run(["sh", "-c", "echo no such thing; exit 3"], tmp_path)

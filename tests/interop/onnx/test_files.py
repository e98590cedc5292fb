"""Reading ONNX files."""

from __future__ import annotations

import sys

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.interop.onnx import files


def test_where_the_package_is_lacking_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"^onnx: got no such package; pip install 'jaxgrad\[onnx\]' first$"):
        files.package()

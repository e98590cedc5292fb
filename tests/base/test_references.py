"""References to objects in Python code of the user's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jaxgrad.base.references import load


def test_a_name_in_a_file_and_in_a_module(tmp_path: Path) -> None:
    path = tmp_path / "referred.py"
    path.write_text("class Net:\n    depth = 3\n")
    value, module = load("model", f"{path}:Net.depth")
    assert (value, module.__name__, module.Net.depth) == (3, "referred", 3)
    assert load("model", "collections:OrderedDict")[0].__name__ == "OrderedDict"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("net.py", "model: got 'net.py'; give MODULE:CLASS, such as"),
        (":Net", "model: got ':Net'; give MODULE:CLASS, such as"),
        ("none.py:Net", "model: got 'none.py'; there is no such file"),
        ("collections:Nothing", "model: got 'collections:Nothing'; collections has no Nothing"),
        ("no.such.module:x", "model: got 'no.such.module', which can't be imported (ModuleNotFoundError: "),
    ],
)
def test_what_refers_to_nothing_is_refused(reference: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        load("model", reference, "CLASS")

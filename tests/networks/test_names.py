"""Texts that may name a network."""

from __future__ import annotations

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.networks.names import NAMES, check, short


@pytest.mark.parametrize("text", [*NAMES, "net.py:Net", "a/b.py:Net.inner", "package.nets:make", "a/b.onnx"])
def test_what_may_name_one_is_taken(text: str) -> None:
    assert check("model", text) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "lenett",
            r"model: got 'lenett'; choose one of mlp, .* \(did you mean 'lenet'\?\), or give FILE.py:NAME",
        ),
        ("net.py", "model: got 'net.py'; say which network of it, net.py:NAME"),
        (":Net", "model: got ':Net'; choose one of"),
        ("net.py:", "model: got 'net.py:'; choose one of"),
        (".onnx", "model: got '.onnx'; choose one of"),
        (3, "model: got 3; choose one of"),
    ],
)
def test_what_names_none_is_refused(value: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        check("model", value)


@pytest.mark.parametrize(
    ("text", "name"),
    [("lenet", "lenet"), ("a/net.py:Net", "net.Net"), ("a.net:Net", "net.Net"), ("a/net.onnx", "net")],
)
def test_a_short_name_is_good_for_a_folder(text: str, name: str) -> None:
    assert short(text) == name

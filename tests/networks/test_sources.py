"""Where the files of the user's own networks are, and what changes their hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.networks.sources import digest, located
from tests.networks import own


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("resnet50", "resnet50"),
        ("my.py:Net", "nets/my.py:Net"),
        ("../my.py:Net.wide", "nets/../my.py:Net.wide"),
        ("/there/my.py:Net", "/there/my.py:Net"),
        ("my.onnx", "nets/my.onnx"),
        ("package.nets:Net", "package.nets:Net"),
    ],
)
def test_a_file_is_seen_from_the_folder(reference: str, expected: str) -> None:
    assert located(reference, Path("nets")) == expected


def test_the_hash_is_of_the_file_and_of_what_it_imports_from_beside_it(tmp_path: Path) -> None:
    imports = "import parts\nfrom helpers import deep\nfrom helpers.wide import width\nimport json, math\n"
    own.write(tmp_path, imports + own.SMALL)
    own.write(tmp_path, "from flax import nnx\n", "parts.py")
    own.write(tmp_path, "", "other.py")
    helpers = tmp_path / "helpers"
    helpers.mkdir()
    for name, code in (("__init__.py", ""), ("deep.py", "from . import deeper\n"), ("deeper.py", ""), ("wide.py", "")):
        own.write(helpers, code, name)
    reference = f"{tmp_path / 'my_net.py'}:Net"
    hashes = [digest(reference)]
    assert digest(f"{tmp_path / 'my_net.py'}:Fixed") == hashes[0]
    for file in (
        "my_net.py",
        "parts.py",
        "helpers/__init__.py",
        "helpers/deep.py",
        "helpers/deeper.py",
        "helpers/wide.py",
    ):
        path = tmp_path / file
        path.write_text(f"{path.read_text()}\nmore = 1\n")
        hashes.append(digest(reference))
    assert len(set(hashes)) == len(hashes)
    own.write(tmp_path, "more = 1\n", "other.py")
    assert digest(reference) == hashes[-1]


def test_the_hash_does_not_know_the_folder(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        own.write(folder)
    assert len({digest(f"{folder}/my_net.py:Net") for folder in folders}) == 1


def test_an_onnx_file_and_a_module_have_theirs(tmp_path: Path) -> None:
    file = tmp_path / "my.onnx"
    file.write_bytes(b"one")
    first = digest(str(file))
    file.write_bytes(b"two")
    assert digest(str(file)) != first
    assert digest("tests.networks.own:SMALL") == digest(f"{own.__file__}:SMALL")

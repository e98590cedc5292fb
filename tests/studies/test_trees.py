"""Files that extend another one: what they say goes, and the rest is the other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.studies import schema
from jaxgrad.studies.trees import merged, read
from tests.refusals import Refusal, assert_refused
from tests.studies.cases import tree, write


def test_tables_are_merged_and_lists_replaced() -> None:
    base = {"a": 1, "t": {"x": 1, "y": {"z": 2}}, "list": [1, 2]}
    over = {"a": 3, "t": {"y": {"w": 4}}, "list": [5], "new": {}}
    assert merged(base, over) == {"a": 3, "t": {"x": 1, "y": {"z": 2, "w": 4}}, "list": [5], "new": {}}
    assert base == {"a": 1, "t": {"x": 1, "y": {"z": 2}}, "list": [1, 2]}


def test_an_experiment_says_only_what_it_has_otherwise(tmp_path: Path) -> None:
    base = write(tmp_path, tree())
    (tmp_path / "inner").mkdir()
    other = {"extends": "../small.toml", "title": "another", "machine": {"memory": {"sram_kib": 64}}, "published": []}
    own = schema.load(write(tmp_path / "inner", other, "other.toml"))
    assert own == schema.check(tree(title="another", machine__memory__sram_kib=64, published=[]), "small.toml")
    assert own != schema.load(base)


@pytest.mark.parametrize(
    ("extends", "shown", "remedy"),
    [
        (3, "3", "the path of an experiment's file"),
        ("nowhere.toml", "nowhere.toml", "there is no such file"),
        (".", ".", "a file that can be read"),
        ("other.toml", "'other.toml', which extends", "one that does not"),
    ],
)
def test_what_cannot_be_extended_is_named(extends: object, shown: str, remedy: str, tmp_path: Path) -> None:
    write(tmp_path, tree())
    write(tmp_path, {"extends": "small.toml"}, "other.toml")
    file = write(tmp_path, {"extends": extends}, "own.toml")
    assert_refused(Refusal(lambda: read(file, "CONFIG"), f"extends in {file}", shown, remedy))

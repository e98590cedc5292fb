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
        ("other.toml", "'own.toml', which extends this file in turn", "one that does not"),
    ],
)
def test_what_cannot_be_extended_is_named(extends: object, shown: str, remedy: str, tmp_path: Path) -> None:
    write(tmp_path, tree())
    other = write(tmp_path, {"extends": "own.toml"}, "other.toml")
    file = write(tmp_path, {"extends": extends}, "own.toml")
    place = other if extends == "other.toml" else file
    assert_refused(Refusal(lambda: read(file, "CONFIG"), f"extends in {place}", shown, remedy))


def test_a_file_that_is_extended_may_extend_another_and_its_paths_are_its_own(tmp_path: Path) -> None:
    """A technology, networks and measurements are where the file that names them says, whoever extends it."""
    base = tree(
        machine__technology="own.toml",
        workload={"networks": ["lenet", "nets.py:Net", {"model": "net.onnx"}]},
        measured=[{"file": "layers.csv"}],
    )
    (tmp_path / "inner" / "most").mkdir(parents=True)
    write(tmp_path, base)
    write(tmp_path / "inner", {"extends": "../small.toml", "machine": {"rows": 3}}, "second.toml")
    own = write(tmp_path / "inner" / "most", {"extends": "../second.toml", "machine": {"cols": 5}}, "third.toml")
    found = read(own, "CONFIG")
    assert (found["machine"]["rows"], found["machine"]["cols"]) == (3, 5)
    assert found["machine"]["technology"] == "../../own.toml"
    assert found["workload"]["networks"] == ["lenet", "../../nets.py:Net", {"model": "../../net.onnx"}]
    assert found["measured"] == [{"file": "../../layers.csv"}]


def test_names_of_technologies_are_no_paths(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, tree())
    own = write(tmp_path / "inner", {"extends": "../small.toml"}, "own.toml")
    assert read(own, "CONFIG")["machine"]["technology"] == "horowitz-45nm"

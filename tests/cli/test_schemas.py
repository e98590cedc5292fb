"""JSON schemas of what users write in TOML: they say what the program says, as far as they can."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import validated
from jaxgrad.cli import main, schemas
from jaxgrad.cli.schema import SCHEMAS
from tests.command import ROOT
from tests.studies.cases import tree as with_schedules
from tests.studies.dynamics.cases import tree as on_dynamics
from tests.studies.learning.cases import tree as that_trains
from tests.studies.memory.cases import tree as on_memory
from tests.studies.pipelines.cases import tree as with_pipelines


def content(file: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / file).read_text(encoding="utf-8"))


MACHINE = content("examples/own_machine.toml")["machine"]
TREES: dict[str, dict[str, Any]] = {
    "schedules": with_schedules(),
    "pipelines": with_pipelines(),
    "learning": that_trains(),
    "dynamics": on_dynamics(),
    "memory": on_memory(),
    "control": content("experiments/rad_control.toml"),
    "space": content("experiments/sweeps/search.toml"),
    "technology": content("examples/technology.toml"),
    "machine": {"machine": MACHINE | {"technology": content("examples/technology.toml")}, "ignored": 1},
    "training": {
        "machine": content("examples/machine.toml")["machine"],
        "model": {"name": "mlp", "hidden": [30], "kernel_init": "he_normal"},
        "data": {"name": "digits", "augment": ["flip"], "batch_size": 8},
        "optimizer": {"name": "sgd", "weight_decay": 0.1, "decay": "step", "decay_at": "50%", "decay_factor": 0.1},
        "train": {"epochs": 2, "keep_checkpoints": "all", "patience": 1, "patience_for": "loss"},
        "quantization": {"weights_bits": 2, "activations_bits": 4},
        "devices": {"count": 1},
    },
}
LEFT_AS_WRITTEN = {("training",), ("variant", "training"), ("setting", "training"), ("variant", "machine")}
"""Tables that stand over others, and are checked with these when a command expands the file."""
ANY_KEYS = {("at",), ("tune",), ("pj",), ("mixed_pj",)}
"""Tables by names of the user's own, or of formats."""


def kind_of(file: Path) -> str:
    if "sweeps" in file.parts:
        return "space"
    if "technolog" in str(file.relative_to(ROOT)):
        return "technology"
    return "machine" if file.stem.endswith("machine") else "experiment"


FILES = sorted(
    file
    for folder in ("experiments", "examples", "jaxgrad/hardware/technologies")
    for file in (ROOT / folder).rglob("*.toml")
)


@cache
def validator(kind: str) -> Any:
    return Draft202012Validator(json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8")))


def refuses(kind: str, tree: Mapping[str, Any]) -> str:
    """What the program has to say of a tree."""
    (model,) = schemas.FILES[kind].models.values()
    try:
        validated(model, copy.deepcopy(tree))
    except InputError as error:
        return str(error)
    return ""


def test_shipped_ones_are_those_of_the_models() -> None:
    made = schemas.made()
    assert {file.stem for file in SCHEMAS.glob("*")} == set(made)
    old = [name for name, text in made.items() if (SCHEMAS / f"{name}.json").read_text(encoding="utf-8") != text]
    assert old == [], "write them anew: make schemas"


@pytest.mark.parametrize("kind", schemas.FILES)
def test_each_is_one_with_a_title_and_words_for_every_key(kind: str) -> None:
    schema = validator(kind).schema
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == schemas.FILES[kind].title
    tables = [schema, *schema["$defs"].values()]
    tables += [part for table in tables for part in table.get("anyOf", ())]
    keys = [(key, part) for table in tables for key, part in table.get("properties", {}).items()]
    assert len(keys) > 10
    assert [key for key, part in keys if not part.get("description", "").strip()] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_of_the_repository_is_valid(file: Path) -> None:
    tree = tomllib.loads(file.read_text(encoding="utf-8"))
    assert [(error.json_path, error.message) for error in validator(kind_of(file)).iter_errors(tree)] == []


@pytest.mark.parametrize("kind", TREES)
def test_what_the_program_takes_is_valid(kind: str) -> None:
    assert refuses(kind, TREES[kind]) == ""
    assert validator(kind).is_valid(TREES[kind])


@pytest.mark.parametrize("kind", [kind for kind in TREES if kind in ("schedules", "learning", "memory", "control")])
def test_kinds_of_experiments_are_told_apart(kind: str) -> None:
    assert validator("experiment").is_valid(TREES[kind])
    assert not validator("experiment").is_valid(TREES[kind] | {"titel": ""})
    others = [other for other in ("schedules", "learning", "memory", "control") if other != kind]
    assert not any(validator(other).is_valid(TREES[kind]) for other in others)


def test_a_file_that_extends_another_says_only_what_it_has_otherwise() -> None:
    check = validator("schedules").is_valid
    assert check({"extends": "a.toml", "machine": {"memory": {"sram_kib": 3}}})
    assert not check({"machine": {"memory": {"sram_kib": 3}}})
    assert not check({"extends": "a.toml", "machine": {"memory": {"sram_kb": 3}}})
    assert not check({"extends": "a.toml", "variant": [{"name": "a"}]})  # lists are replaced whole
    without = copy.deepcopy(TREES["schedules"])
    del without["machine"]["memory"]["dram_gb_per_s"]
    assert not check(without)
    assert check(without | {"extends": "a.toml"})


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Each value of a tree that the program checks as it reads, with its path."""
    yield path, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        inner = (*path, key)
        if tuple(part for part in inner if isinstance(part, str)) not in LEFT_AS_WRITTEN:
            yield from places(value, inner)


def changed(tree: Mapping[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(dict(tree))
    node: Any = whole
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return whole


@pytest.mark.parametrize("kind", TREES)
def test_unknown_keys_and_wrong_types_are_refused_by_both(kind: str) -> None:
    differ = []
    for path, node in places(TREES[kind]):
        if (
            not {"values", "options"}.isdisjoint(path)
            or path[-1:] in ANY_KEYS
            or (kind == "machine" and len(path) < 2 and path != ("machine",))
        ):
            continue
        if isinstance(node, dict):
            bad = changed(TREES[kind], (*path, "unknown"), 1)
        else:
            bad = changed(TREES[kind], path, {"x": {"y": True}})
        if validator(kind).is_valid(bad) or not refuses(kind, bad):
            differ.append((path, refuses(kind, bad)))
    assert differ == []


VALUES = st.one_of(
    st.integers(-2, 3),
    st.sampled_from([1 << 20, 1 << 40, (1 << 63) - 1, 0.5, -0.5, 1.0, 1.5, 1e12, True, False]),
    st.sampled_from(["", "x", "all", "ws", "rad", "bf16", "bf16_int4", "5 epochs", "a.py:b", "resnet50", "\n"]),
    st.sampled_from([[], [1], [0], ["x"], [[1, 2]], [{}], {}, {"x": 1}, {"first": 1, "last": 4, "times": 2}]),
)


@pytest.mark.parametrize("kind", TREES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_a_schema_rejects_the_program_refuses(kind: str, data: st.DataObject) -> None:
    """And so what the program takes is valid."""
    tree = TREES[kind]
    path, node = data.draw(st.sampled_from([place for place in places(tree) if place[0]]))
    if data.draw(st.booleans()):
        bad = changed(tree, path, data.draw(VALUES))
    elif isinstance(path[-1], str):
        bad = changed(tree, path, None)
        parent: Any = bad
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
    else:
        return
    if not validator(kind).is_valid(bad):
        assert refuses(kind, bad), (path, node, bad)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == sorted(schemas.FILES)
    assert main(["schema", "machine"]) == 0
    assert capsys.readouterr().out == (SCHEMAS / "machine.json").read_text(encoding="utf-8")
    assert main(["schema", "--out", str(tmp_path / "new")]) == 0
    assert {file.name for file in (tmp_path / "new").iterdir()} == {f"{kind}.json" for kind in schemas.FILES}
    assert main(["schema", "space", "--out", str(tmp_path / "one")]) == 0
    assert [file.name for file in (tmp_path / "one").iterdir()] == ["space.json"]
    capsys.readouterr()
    assert main(["schema", "machin", "--out", str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: KIND: got 'machin'; choose one of ")
    assert error.count("\n") == 1
    assert not (tmp_path / "none").exists()

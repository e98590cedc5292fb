"""Experiments' files: those there are can be run, and what will not do is one line that says where."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.studies import points, schema
from tests.studies.cases import TREE, tree

ALL = sorted((Path(__file__).resolve().parents[2] / "experiments").glob("*.toml"))
OTHERS = {"control", "memory", "pipelines", "training"}
"""Tables of other kinds of experiments."""
FILES = [file for file in ALL if OTHERS.isdisjoint(tomllib.loads(file.read_text(encoding="utf-8")))]
CHANGE = {"name": "c", "keys": ["machine.rows"], "values": [3]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_experiment_there_is_can_be_run(file: Path) -> None:
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)
    assert len(expanded) == experiment.points
    # A change may leave some of the variants as they are, and so may an axis that sweeps keys of other variants.
    distinct = set()
    for point in expanded:
        unmoved = [
            point.at[axis.name]
            for axis in experiment.sweep
            if all(key.startswith("variant.") and key.split(".")[1] != point.variant for key in axis.keys)
        ]
        distinct.add((point.change, str(point.spec), *unmoved))
    assert len(distinct) == len(expanded)
    assert all(each.source and each.assumption for each in experiment.published)


def test_there_are_those_that_the_papers_want() -> None:
    wanted = {"intergrad", "fc_layer", "cnns", "array_size", "batch", "igo_small", "igo_large", "igo_bandwidth"}
    assert wanted | {"igo_cores", "zero_gating", "training_run"} <= {file.stem for file in FILES}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"titel": "x"}, "titel in F: got 'x'; there is no such key; choose one of extends, title"),
        ({"title": None}, "title in F: got none"),
        ({"machine__rows": 0}, "machine.rows in F: got 0; give a whole number of at least 1"),
        ({"machine__memory__dram_gb_per_s": -3.0}, "machine.memory.dram_gb_per_s in F: got -3.0; give a number above"),
        ({"machine__memory__sram_kib": None}, "machine.memory.sram_kib in F: got none"),
        ({"machine__memory__sram_kib": {"x": 1}}, "machine.memory.sram_kib in F: got"),
        ({"machine__memory__sram_kib": 1 << 62}, "machine.memory.sram_kib in F: got 4611686018427387904; give a whole"),
        ({"machine__precision": {"y": "bf16"}}, "machine.precision in F: got"),
        ({"variant__2__order": "rule"}, "variant.2.order in F: got 'rule' with schedule"),
        ({"machine__memory__sram": 4}, "machine.memory.sram in F: got 4; there is no such key; choose one of sram_kib"),
        ({"machine": 3}, "machine in F: got 3; give a table"),
        ({"variant": []}, "variant in F: got []; give at least one"),
        ({"variant__0__schedule": "ws"}, "variant.0.schedule in F: got 'ws'; choose one of interleaved"),
        ({"variant__0__order": "bset"}, "variant.0.order in F: got 'bset'; choose one of separate"),
        ({"variant__1__name": "WS"}, "variant.name in F: got"),
        ({"variant__1__iso_area_with": "OS"}, "variant.iso_area_with in F: got 'OS'; choose one of WS"),
        ({"baseline": "none"}, "baseline in F: got 'none'; choose one of WS"),
        ({"workload__layers": []}, "workload in F: got neither"),
        ({"compare": "all"}, "compare in F: got 'all'; choose one of forward, backward, vector, step"),
        ({"sweep__0__values": []}, "sweep.0.values in F: got []; give at least one"),
        ({"sweep__0__name": ""}, "sweep.0.name in F: got ''; give a name, on one line"),
        ({"sweep__0__name": "a\nb"}, "sweep.0.name in F: got 'a\\nb'; give a name, on one line"),
        ({"variant__0__weight_update": "in_array"}, "variant.0.weight_update in F: got 'in_array' with schedule 'ws_o"),
        (
            {"variant__0__iso_area_along": "rows"},
            "variant.0.iso_area_along in F: got 'rows' without iso_area_with; give",
        ),
        (
            {"variant__1__iso_area_along": "sides"},
            "variant.1.iso_area_along in F: got 'sides'; choose one of both, rows",
        ),
        ({"variant__0__stationary": "w"}, "variant.0.stationary in F: got 'w'; choose one of best, x, dy"),
        ({"variant__2__stationary": "x"}, "variant.2.stationary in F: got 'x' with schedule 'interleaved'"),
        ({"variant__0__overlapped_drain": True}, "variant.0.overlapped_drain in F: got true with schedule 'ws_only'"),
        ({"variant__0__update_cycles": True}, "variant.0.update_cycles in F: got true with weight_update 'none'"),
        ({"variant__0__update_cycles": 1}, "variant.0.update_cycles in F: got 1; give true or false"),
        ({"found_by_search": 1}, "found_by_search in F: got 1; give true or false"),
        ({"count_psum_reads": "no"}, "count_psum_reads in F: got 'no'; give true or false"),
        ({"change": [CHANGE]}, "change in F: got 1 beside a sweep; leave one of the two out"),
        ({"sweep": [], "published": [], "change": [CHANGE, CHANGE]}, "change.name in F: got 'c' twice"),
        ({"sweep": [], "published": [], "change": [CHANGE | {"values": [3, 3]}]}, "change 'c' in F: got '3' twice"),
        ({"change": [CHANGE | {"keys": []}]}, "change.0.keys in F: got []; give at least one"),
        ({"change": [CHANGE | {"why": "x"}]}, "change.0.why in F: got 'x'; there is no such key"),
        ({"variant__0__iso_area_with": "WS"}, "variant.iso_area_with in F: got 'WS', whose own array"),
        ({"variant__0__iso_area_with": "WS, equal area"}, "variant.iso_area_with in F: got 'WS, equal area', whose"),
        ({"machine__technology": None}, "published.quantity in F: got 'energy'; give machine.technology or machine.e"),
        ({"published__0__ratio": -0.5}, "published.0.ratio in F: got -0.5; give a number above 0"),
        ({"published__0__at_most": 0.9}, "published.0.ratio in F: got 0.5 and a range"),
        ({"published__1__at_least": 11.0}, "published.1.at_least in F: got 11.0, above at_most; give at most 10.0"),
        ({"workload__networks": ["mlp"]}, "workload.networks.0 in F: got 'mlp'; choose one of resnet"),
        ({"workload__networks": ["resnet"]}, "workload.networks.0 in F: got 'resnet'; choose one of"),
        ({"workload__vector": True}, "workload.vector in F: got true"),
        ({"published__0__quantity": "time"}, "published.0.quantity in F: got 'time'; choose one of cycles"),
        ({"published__0__variant": "IS"}, "published.variant in F: got 'IS'"),
        ({"published__0__at": {"batch": "3"}}, "published.at in F: got batch = '3'"),
        ({"workload__layers": [[4, 5], [4, 5]]}, "workload.networks in F: got '4x5' twice"),
        ({"published__0__network": "lenet"}, "published.network in F: got 'lenet'"),
        ({"compare": "vector"}, "compare in F: got 'vector' without workload.vector"),
        ({"workload__epochs": 3}, "workload.epochs in F: got some without workload.images"),
        ({"trained": {"model": "mlp"}}, "workload in F: got 40x24 and [trained]"),
        ({"sweep__0__values": [2, 2]}, "sweep 'batch' in F: got '2' twice"),
        ({"sweep__0__labels": ["one"]}, "sweep.0.labels in F: got 1"),
        ({"published__0__mean": True, "published__0__network": "40x24"}, "published.0.mean in F: got true"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_will_not_do_is_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="got") as raised:
        schema.check(tree(**changes), "F")
    assert str(raised.value).startswith(said)
    assert len(str(raised.value).splitlines()) == 1


@given(st.data())
@settings(max_examples=150)
def test_nearly_valid_files_are_taken_or_refused_in_one_line(data: st.DataObject) -> None:
    """Any value of the file replaced by any other."""
    places: list[str] = []

    def collect(node: Any, path: str) -> None:
        if path:
            places.append(path)
        if isinstance(node, dict | list):
            for key, value in node.items() if isinstance(node, dict) else enumerate(node):
                collect(value, f"{path}__{key}" if path else str(key))

    collect(TREE, "")
    place = data.draw(st.sampled_from(places))
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    value = data.draw(st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
    parent, _, last = place.rpartition("__")
    if value is None and last.isdigit():
        value = 0
    if last.isdigit():
        whole = tree()
        node: Any = whole
        for part in parent.split("__"):
            node = node[int(part)] if part.isdigit() else node[part]
        node[int(last)] = value
    else:
        whole = tree(**{place: value})
    message = refusal(whole)
    assert message is None or ("got" in message and len(message.splitlines()) == 1)


def refusal(whole: dict[str, Any]) -> str | None:
    """What is said of a tree that will not do; anything but a ValueError is a bug."""
    try:
        points.expand(schema.check(whole, "F"), Path("F"))
    except ValueError as error:
        return str(error)
    return None

"""Points: every combination once, each with the machine and the data that decide its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.costs.area import iso_area
from jaxgrad.hardware import Memory, PerOperand, Precision
from jaxgrad.studies import points, schema
from tests.studies.cases import tree

FILE = Path("small.toml")


def expand(**changes: Any) -> list[points.Point]:
    return points.expand(schema.check(tree(**changes), "small.toml"), FILE)


def test_each_combination_is_there_once() -> None:
    found = expand()
    assert [(point.network, point.at["batch"], point.variant) for point in found] == [
        ("40x24", batch, variant) for batch in ("2", "16") for variant in ("WS", "WS, equal area", "interleaved")
    ]
    assert [point.spec["batch"] for point in found] == [2, 2, 2, 16, 16, 16]


def test_a_machine_is_what_its_section_says() -> None:
    (first, *_) = expand(
        machine__precision={"x": "int8", "accumulator": "int32"},
        machine__cores=3,
        variant=[{"name": "WS", "schedule": "ws_only"}, {"name": "interleaved", "schedule": "interleaved"}],
        machine__memory={
            "sram_kib": {"x": 1, "w": 2, "dy": 3, "dx": 4, "dw": 5},
            "dram_gb_per_s": 7.0,
            "clock_ghz": 0.5,
            "double_buffered": False,
            "im2col": "dram",
        },
    )
    machine = first.machine
    sizes = PerOperand(1024, 2048, 3072, 4096, 5120)
    assert machine.memory == Memory(sizes, 7.0, 0.5, False, "dram")
    assert machine.precision == Precision(x="int8", accumulator="int32")
    assert (machine.cores, machine.array.rows, machine.array.cols) == (3, 8, 4)


def test_an_array_of_equal_area_is_found_for_its_variant() -> None:
    _, equal, interleaved, *_ = expand()
    expected = iso_area(interleaved.machine, "interleaved", "ws_only")
    assert equal.iso_area == expected
    assert equal.machine.array == expected.array
    assert equal.spec["array"] == [expected.array.rows, expected.array.cols]


def test_an_array_of_equal_area_has_the_pes_of_its_own_formats() -> None:
    narrow = {"precision": {"x": "int4", "w": "int1", "dy": "bf16"}}
    wide, equal, *_ = expand(
        machine__precision="bf16",
        machine__rows=64,
        machine__cols=64,
        baseline="interleaved",
        variant=[
            {"name": "interleaved", "schedule": "interleaved"},
            {"name": "narrow", "schedule": "interleaved", "iso_area_with": "interleaved", "machine": narrow},
        ],
        published=[],
    )
    assert equal.iso_area == iso_area(wide.machine, "interleaved", "interleaved", precision=equal.machine.precision)
    assert equal.machine.array.pes > wide.machine.array.pes
    assert equal.machine.precision == Precision(x="int4", w="int1", dy="bf16")


def test_several_keys_take_their_values_together_and_labels_name_them() -> None:
    sweep = [
        {"name": "array", "keys": ["machine.rows", "machine.cols"], "values": [[2, 3], [4, 5]], "labels": ["s", "l"]},
        {"name": "GB/s", "keys": ["machine.memory.dram_gb_per_s"], "values": [1.0, 2.0]},
    ]
    found = expand(sweep=sweep, published=[], variant=[{"name": "WS", "schedule": "ws_only"}])
    seen = [(dict(point.at), point.machine.array.rows, point.machine.array.cols) for point in found]
    assert seen == [
        ({"array": array, "GB/s": rate}, rows, cols)
        for array, rows, cols in (("s", 2, 3), ("l", 4, 5))
        for rate in ("1.0", "2.0")
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sweep__0__keys": ["machine.rwos"], "published": []}, "sweep.keys in small.toml: got 'machine.rwos'"),
        ({"sweep__0__keys": ["workload.vector"], "published": []}, "sweep.keys in small.toml: got 'workload.vector'"),
        ({"sweep__0__keys": ["machine"], "published": []}, "sweep.keys in small.toml: got 'machine'"),
        ({"sweep__0__keys": ["foo"], "published": []}, "sweep.keys in small.toml: got 'foo'"),
        ({"sweep__0__values": ["many"], "published": []}, "workload.batch in small.toml: got 'many'"),
        ({"variant__0__machine": {"rows": -1}}, "machine.rows in small.toml (variant 'WS'): got -1"),
        ({"machine__technology": "horowitz"}, "machine in small.toml: technology: got 'horowitz'"),
        ({"machine__technology": "nowhere.toml"}, "machine in small.toml: technology: got 'nowhere.toml'"),
        ({"machine__memory": None}, "machine in small.toml: technology: got one without a memory"),
        ({"machine__precision": "fp32"}, "variant.iso_area_with in small.toml: precision: got 'fp32'"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_runs(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"small\.toml") as raised:
        expand(**changes)
    assert str(raised.value).startswith(said), raised.value
    assert len(str(raised.value).splitlines()) == 1


def test_a_variant_may_have_an_estimator() -> None:
    """Whose keys can be swept; those of RAD need it."""
    kept = {"name": "kept", "schedule": "interleaved", "estimator": "rad", "mode": "same", "keep": 0.5}
    sweep = [{"name": "share", "keys": ["variant.kept.keep"], "values": [0.5, 0.1]}]
    found = expand(variant=[{"name": "WS", "schedule": "ws_only"}, kept], baseline="WS", sweep=sweep, published=[])
    settings = [[point.spec["variant"][key] for key in ("estimator", "keep", "mode")] for point in found]
    assert settings == [["exact", None, None], ["rad", 0.5, "same"], ["exact", None, None], ["rad", 0.1, "same"]]
    with pytest.raises(InputError, match="exact gradients have none"):
        expand(variant=[{"name": "WS", "schedule": "ws_only", "keep": 0.5}], baseline="WS", sweep=[], published=[])

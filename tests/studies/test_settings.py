"""Settings: a sweep's axes cross, changes come one at a time, and each is an experiment that is checked as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.studies import points, schema
from jaxgrad.studies.settings import Change, applied, settings
from tests.studies.cases import tree

ROWS = {"name": "rows", "keys": ["machine.rows"], "values": [6, 7]}
GROWS = {"name": "WS grows", "keys": ["variant.WS, equal area.iso_area_along"], "values": ["rows"]}
ALONE = {
    "name": "WS rows",
    "keys": ["variant.WS, equal area.machine.rows"],
    "values": [11],
    "without": ["variant.WS, equal area.iso_area_with"],
}


def experiment(*changes: dict[str, Any], **others: Any) -> schema.Experiment:
    return schema.check(tree(sweep=[], published=[], change=list(changes), **others), "F")


def test_each_value_of_a_change_is_a_setting_of_its_own() -> None:
    own = experiment(ROWS, GROWS)
    found = list(settings(own))
    assert [each.change for each in found] == [
        None,
        Change("rows", "6"),
        Change("rows", "7"),
        Change("WS grows", "rows"),
    ]
    assert [each.keys for each in found[1:3]] == [{"machine.rows": 6}, {"machine.rows": 7}]
    assert all(not each.at for each in found)
    assert applied(own, found[0], "F") is own
    assert own.points == 3 * 4


def test_a_change_leaves_all_else_as_it_is_written() -> None:
    own = experiment(ROWS, GROWS, ALONE)
    by_place = {(point.change, point.variant): point for point in points.expand(own, Path("F"))}

    def arrays(change: Change | None) -> list[tuple[int, int]]:
        machines = [by_place[change, variant.name].machine for variant in own.variant]
        return [(machine.array.rows, machine.array.cols) for machine in machines]

    written, equal, interleaved = arrays(None)
    assert (written, interleaved) == ((8, 4), (8, 4))
    assert arrays(Change("WS grows", "rows")) == [(8, 4), (9, 4), (8, 4)]  # 1.19 times the area of a PE
    assert arrays(Change("WS rows", "11")) == [(8, 4), (11, 4), (8, 4)]
    assert arrays(Change("rows", "6"))[0] == arrays(Change("rows", "6"))[2] == (6, 4)
    assert by_place[None, "WS, equal area"].iso_area is not None
    assert by_place[Change("WS rows", "11"), "WS, equal area"].iso_area is None
    assert by_place[Change("WS rows", "11"), "WS"].spec == by_place[None, "WS"].spec
    assert equal != (11, 4)


def test_a_variant_s_name_may_have_dots_and_a_table_of_its_machine_may_be_new() -> None:
    names = ["WS", "WS.5", "interleaved"]
    variants = [{"name": name, "schedule": "ws_only"} for name in names]
    keys = ["variant.WS.5.machine.memory.dram_gb_per_s", "variant.WS.machine.double_buffered"]
    own = experiment({"name": "c", "keys": keys, "values": [[9.0, True]]}, variant=variants)
    *_, ws, ws5, interleaved = points.expand(own, Path("F"))
    assert [point.machine.array.double_buffered for point in (ws, ws5, interleaved)] == [True, False, False]
    rates = [point.machine.memory.dram_gb_per_s for point in (ws, ws5, interleaved) if point.machine.memory]
    assert rates == [2.0, 9.0, 2.0]


def test_what_is_read_off_a_result_may_change_and_the_result_is_the_same() -> None:
    own = experiment(
        {"name": "part", "keys": ["compare"], "values": ["step"]},
        {"name": "psum", "keys": ["count_psum_reads"], "values": [False]},
    )
    (written, *_), (step, *_), (without, *_) = (points.expand(own, Path("F"))[start : start + 3] for start in (0, 3, 6))
    assert written.spec == step.spec == without.spec
    assert [point.measure for point in (written, step, without)] == [
        ("backward", True),
        ("step", True),
        ("backward", False),
    ]


def test_a_sweep_may_have_a_variant_s_keys() -> None:
    axis = {
        "name": "rows",
        "keys": ["variant.WS.machine.rows", "variant.interleaved.machine.rows"],
        "values": [5, [6, 7]],
    }
    variants = [{"name": "WS", "schedule": "ws_only"}, {"name": "interleaved", "schedule": "interleaved"}]
    own = schema.check(tree(sweep=[axis], published=[], variant=variants), "F")
    assert [point.machine.array.rows for point in points.expand(own, Path("F"))] == [5, 5, 6, 7]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keys": ["machine.rwos"]}, "change.keys in F: got 'machine.rwos'; give workload.batch or a key of machine"),
        ({"keys": ["variant.OS.machine.rows"]}, "change.keys in F: got 'variant.OS.machine.rows'"),
        ({"keys": ["variant.WS.name"]}, "change.keys in F: got 'variant.WS.name'"),
        ({"keys": ["variant"]}, "change.keys in F: got 'variant'"),
        ({"keys": ["title"]}, "change.keys in F: got 'title'"),
        ({"keys": ["machine.rows.x"]}, "change.keys in F: got 'machine.rows.x'"),
        ({"without": ["variant.WS.iso_area_with"]}, "change.without in F: got 'variant.WS.iso_area_with', which the f"),
        ({"without": ["workload.vector"]}, "change.without in F: got 'workload.vector'"),
        ({"values": [0]}, "change 'c: 0': machine.rows in F: got 0; give a whole number of at least 1"),
        (
            {"keys": ["variant.WS.stationary"]},
            "change 'c: 5': variant.0.stationary in F: got 5; choose one of best, x,",
        ),
        (
            {"keys": ["variant.WS.iso_area_with"], "values": ["OS"]},
            "change 'c: OS': variant.iso_area_with in F: got 'OS'",
        ),
        ({"keys": ["compare"], "values": ["all"]}, "change 'c: all': compare in F: got 'all'; choose one of forward"),
        ({"without": ["machine.memory"]}, "change 'c: 5': machine in F: technology: got one without a memory"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_will_not_do_is_one_line(change: dict[str, Any], said: str) -> None:
    own = experiment({"name": "c", "keys": ["machine.rows"], "values": [5]} | change)
    with pytest.raises(ValueError, match="got") as raised:
        points.expand(own, Path("F"))
    assert str(raised.value).startswith(said), raised.value
    assert len(str(raised.value).splitlines()) == 1

"""What a search says of itself: how often descents found the best, how far off the relaxed cost is, what was missed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jaxgrad.designs import schema
from jaxgrad.designs.space import Kind, chunks
from jaxgrad.designs.sweep import Table
from jaxgrad.studies.design_search import Outcome, Strategy, Task, strategy, tasks, truth
from tests.refusals import Refusal, assert_refused

SWEEP = schema.check(
    {
        "workload": {"layers": [[4, 3], [5, 6]], "batch": [2, 7]},
        "space": {"rows": [1, 2, 4], "cols": [3, 5], "schedule": ["interleaved", "ws_only"], "precision": ["bf16"]},
        "descent": {"max_pes": 12},
    },
    "F",
)
OUTCOME = Outcome(
    designs={"rows": [1, 2, 4], "cols": [3, 3, 3], "cycles": [200, 100, None], "relaxed": [180.0, 101.0, 7.0]},
    best=1,
    ends=[1, 0, None, 1],
    losses=[[5.0, 4.6]] * 4,
)


def test_a_task_for_each_network_batch_and_kind() -> None:
    found = tasks(SWEEP)
    assert len(found) == len(set(map(str, found))) == 2 * 2 * 2
    assert found[0] == Task({"layer": [4, 3]}, 2, Kind("interleaved", "separate", False, "bf16"))


def test_how_often_descents_found_it_and_how_far_off_the_relaxed_cost_is() -> None:
    assert OUTCOME.found_it("cycles") == 0.5
    assert OUTCOME.gaps("cycles") == pytest.approx([0.1, 0.01])
    nothing = Outcome({"rows": [], "cols": [], "relaxed": []}, None, [None], [[1.0]])
    assert (nothing.found_it("cycles"), nothing.gaps("cycles")) == (0.0, [])


def test_the_truth_is_the_best_within_the_limits_of_the_tasks_own_designs() -> None:
    table: Table = {}
    for chunk in chunks(SWEEP):
        for name, values in chunk.designs().items():
            table.setdefault(name, []).extend(values)
    count = len(table["rows"])
    table["cycles"] = [1000 - rows * cols for rows, cols in zip(table["rows"], table["cols"], strict=True)]
    for task in tasks(SWEEP):
        own = truth(table, task, SWEEP, None)
        assert own.designs == count / len(tasks(SWEEP)) == 6
        assert own.best is not None
        assert (own.best["rows"], own.best["cols"]) == (4, 3)  # 4x5 has more PEs than allowed
        assert own.best["schedule"] == task.kind.schedule
        assert (own.best["network"], own.best["batch"]) == (task.chunk(SWEEP, []).network, task.batch)


def test_designs_with_levels_are_all_costed_and_descents_refuse_them() -> None:
    level = {"name": "buffer", "size_kib": 64, "gb_per_s": 8.0}
    space = {"rows": [2], "cols": [2], "sram_kib": [1, 4], "dram_gb_per_s": [1.0, 2.0]}
    machine = {"levels": [level]}
    own = schema.check({"workload": {"layers": [[4, 3]]}, "space": space, "machine": machine}, "F")
    work: Any = SimpleNamespace(sweep=own)
    assert strategy(work, "auto") == strategy(work, "every") == Strategy("every", None)
    descents = Refusal(lambda: strategy(work, "descents"), "machine.levels", "['buffer']", "give --method every")
    assert_refused(descents)

"""jaxgrad.array.dataflows: the records of passes. (One of a user's own: test_own_schedule.)"""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from jaxgrad.array.dataflows import DATAFLOWS, Dataflow, find
from jaxgrad.array.passes.combinators import interleave
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.weight_stationary import weight_stationary
from tests.refusals import Refusal, assert_refused


def test_those_there_are() -> None:
    assert {name: find(name).keeps for name in DATAFLOWS} == {
        "ws": "operand",
        "os": "result",
        "ws_transposed": "nothing",
    }


@pytest.mark.parametrize("name", DATAFLOWS)
def test_what_it_keeps_is_what_its_pass_keeps(name: str) -> None:
    assert find(name).new_pass().keeps == (find(name).keeps,)


def test_records_are_values() -> None:
    own = Dataflow("mine", weight_stationary)
    assert own == Dataflow("mine", weight_stationary) != Dataflow("mine", output_stationary)
    assert len({own, Dataflow("mine", weight_stationary)}) == 1
    assert pickle.loads(pickle.dumps(own)) == own


@pytest.mark.parametrize(
    ("new_pass", "shown"),
    [
        (None, "a NoneType"),
        (weight_stationary(), "a Pass"),
        (lambda: "ws", "'ws'"),
        (lambda: interleave(weight_stationary(), output_stationary()), "a pass of 2 slots"),
    ],
    ids=["nothing", "a pass", "no pass", "two slots"],
)
def test_no_pass_is_refused(new_pass: Any, shown: str) -> None:
    assert_refused(Refusal(lambda: Dataflow("mine", new_pass), "new_pass", shown, "makes a Pass of one slot"))

"""jaxgrad.array.mapping: which tensor plays which role in a pass, and which counter each role's events become."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jaxgrad.array import forwards
from jaxgrad.array.counts import by_name
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import AXES, RESULTS, Mapping, Product, Result, named, oriented
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.schedules import DW_OS, DW_WS, DX_OS, DX_WS, INTERLEAVED, INTERLEAVED_K, SEQUENTIAL
from tests.refusals import Refusal, assert_refused

GEMM = Gemm(batch=2, in_features=3, out_features=5)

# mapping -> the horizontal operand, then each slot's operand and result, each with its axes as the pass sees them:
# [s, p] streams from the left; a slot holds [p, q] and gives [s, q] (ws), or streams [s, q] and gives [p, q] (os), or
# streams [s, q] past what the slot before holds and gives [s, p] (ws_transposed).
ROLES: dict[str, tuple[Mapping, tuple[str, str], list[tuple[str, str]], list[tuple[str, str]]]] = {
    "dX on ws": (DX_WS[0], ("dy", "bn"), [("w", "nk")], [("dx", "bk")]),
    "dW on os": (DW_OS[0], ("dy", "bn"), [("x", "bk")], [("dw", "nk")]),
    "interleaved": (INTERLEAVED, ("dy", "bn"), [("w", "nk"), ("x", "bk")], [("dx", "bk"), ("dw", "nk")]),
    "sequential": (SEQUENTIAL, ("dy", "bn"), [("w", "nk"), ("x", "bk")], [("dx", "bk"), ("dw", "nk")]),
    "interleaved_k": (INTERLEAVED_K, ("w", "kn"), [("dy", "nb"), ("x", "kb")], [("dx", "kb"), ("dw", "kn")]),
    "dX on ws, dY stays": (DX_WS[1], ("w", "kn"), [("dy", "nb")], [("dx", "kb")]),
    "dW on os, k in rows": (DW_OS[1], ("x", "bk"), [("dy", "bn")], [("dw", "kn")]),
    "dW on ws, dY stays": (DW_WS[0], ("x", "kb"), [("dy", "bn")], [("dw", "kn")]),
    "dW on ws, X stays": (DW_WS[1], ("dy", "nb"), [("x", "bk")], [("dw", "nk")]),
    "dX on os, b in rows": (DX_OS[0], ("dy", "nb"), [("w", "nk")], [("dx", "bk")]),
    "dX on os, k in rows": (DX_OS[1], ("w", "nk"), [("dy", "nb")], [("dx", "kb")]),
    "Y on ws": (forwards.find("ws").mapping, ("x", "bk"), [("w", "kn")], [("y", "bn")]),
    "Y on os": (forwards.find("os").mapping, ("x", "kb"), [("w", "kn")], [("y", "bn")]),
    "Y on is": (forwards.find("is").mapping, ("w", "nk"), [("x", "kb")], [("y", "nb")]),
}


@pytest.mark.parametrize("name", ROLES)
def test_roles(name: str) -> None:
    mapping, stream, operands, results = ROLES[name]
    slots = range(len(mapping.products))
    assert mapping.stream == stream
    assert [mapping.operand(slot) for slot in slots] == operands
    assert [mapping.result(slot) for slot in slots] == results


@pytest.mark.parametrize("name", ROLES)
def test_roles_multiply_to_the_product(name: str) -> None:
    """What the passes compute from the tensors in their roles is the product that the mapping names."""
    mapping, *_ = ROLES[name]
    rng = np.random.default_rng(0)
    x, w, dy = (rng.integers(-4, 5, shape) for shape in ((2, 3), (3, 5), (2, 5)))
    tensors = {"x": x, "w": w, "dy": dy}
    products = {"y": x @ w, "dx": dy @ w.T, "dw": x.T @ dy}
    h = oriented(tensors[mapping.stream[0]], *mapping.stream)
    s, p, q = mapping.sizes(GEMM)
    held = np.zeros((p, q))
    assert h.shape == (s, p)
    for slot, keeps in enumerate(mapping.keeps):
        operand_name, axes = mapping.operand(slot)
        operand = oriented(tensors[operand_name], operand_name, axes)
        assert operand.shape == ((p, q) if keeps == "operand" else (s, q))
        factors = {"operand": (h, operand), "result": (h.T, operand), "nothing": (operand, held.T)}
        computed = np.matmul(*factors[keeps])
        held = operand
        result, axes = mapping.result(slot)
        np.testing.assert_array_equal(oriented(computed, result, axes), products[result])


def test_sizes_follow_the_axes() -> None:
    assert Mapping((Product("ws", "dx"),), "bnk").sizes(GEMM) == (2, 5, 3)
    assert Mapping((Product("os", "dx"),), "nkb").sizes(GEMM) == (5, 3, 2)


def test_oriented_turns_and_turns_back() -> None:
    for name, axes in AXES.items():
        values = np.arange(6).reshape(2, 3)
        assert oriented(values, name, axes) is values
        turned = oriented(values, name, axes[::-1])
        np.testing.assert_array_equal(turned, values.T)
        np.testing.assert_array_equal(oriented(turned, name, axes[::-1]), values)


def test_split_leaves_each_slot_as_it_was() -> None:
    assert SEQUENTIAL.split() == (DX_WS[0], DW_OS[0])
    assert DX_WS[0].split() == (DX_WS[0],)
    assert replace(INTERLEAVED, order="overlapped drain").split() == (DX_WS[0], DW_OS[0])


def test_alone_a_slot_that_kept_nothing_keeps_its_operand() -> None:
    """dW by its own: dY stays as before, and its sums flow down with rows and columns exchanged."""
    assert INTERLEAVED_K.split() == (Mapping((Product("ws", "dx"),), "knb"), DW_WS[0])


# Each event a number of its own, so that none can stand in for another.
WS = SlotEvents(
    macs=11, effectual_macs=13, operand_reads=17, psum_reads=19, psum_writes=23, psum_hops=29,
)  # fmt: skip
OS = SlotEvents(
    macs=31, effectual_macs=37, operand_reads=41, operand_hops=43, result_writes=47, acc_updates=53,
)  # fmt: skip
TRANSPOSED = SlotEvents(
    macs=31, effectual_macs=37, operand_reads=41, operand_hops=43, psum_reads=47, psum_writes=53, psum_hops=59,
)  # fmt: skip
PSUMS = {"psum_reads": [19], "psum_writes": [23], "psum_hops": [29]}
DRAINED = {"psum_writes": [47]}
WS_MACS = {"macs": [11], "effectual_macs": [13]}
OS_MACS = {"macs": [31], "effectual_macs": [37], "acc_updates": [53]}


@pytest.mark.parametrize(
    ("name", "slots", "expected"),
    [
        ("dX on ws", (WS,), {"dy_reads": [3], "dy_hops": [5], "w_reads": [17], **WS_MACS, **PSUMS}),
        (
            "dW on os",
            (OS,),
            {"dy_reads": [3], "dy_hops": [5], "x_reads": [41], "x_hops": [43], "dw_writes": [47], **OS_MACS},
        ),
        (
            "interleaved",
            (WS, OS),
            {
                "dy_reads": [3],
                "dy_hops": [5],
                "w_reads": [17],
                "x_reads": [41],
                "x_hops": [43],
                "dw_writes": [47],
                "acc_updates": [53],
                "macs": [11, 31],
                "effectual_macs": [13, 37],
                **PSUMS,
            },
        ),
        (
            "interleaved_k",
            (WS, TRANSPOSED),
            {
                "w_reads": [3],
                "dy_reads": [17],
                "x_reads": [41],
                "x_hops": [43],
                "macs": [11, 31],
                "effectual_macs": [13, 37],
                "psum_reads": [19, 47],
                "psum_writes": [23, 53],
                "psum_hops": [29, 59],
            },
        ),
        ("dW on ws, dY stays", (WS,), {"x_reads": [3], "x_hops": [5], "dy_reads": [17], **WS_MACS, **PSUMS}),
        # Moves of weights have no counter; dX drained from the PEs is psum traffic.
        ("dX on os, k in rows", (OS,), {"w_reads": [3], "dy_reads": [41], "dy_hops": [43], **DRAINED, **OS_MACS}),
        ("dX on os, b in rows", (OS,), {"dy_reads": [3], "dy_hops": [5], "w_reads": [41], **DRAINED, **OS_MACS}),
        ("Y on os", (OS,), {"x_reads": [3], "x_hops": [5], "w_reads": [41], **DRAINED, **OS_MACS}),
        ("Y on is", (WS,), {"w_reads": [3], "x_reads": [17], **WS_MACS, **PSUMS}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_events_by_role_become_counters_by_name(name: str, slots: tuple[SlotEvents, ...], expected: Any) -> None:
    mapping, *_ = ROLES[name]
    assert by_name(named(Events(2, 3, 5, slots), mapping)) == {"cycles": [2], **expected}


def test_what_is_in_the_pes_together() -> None:
    """w and dW meet where one product keeps its operand w and the other its result dW, at once."""
    swapped = Mapping((Product("ws", "dw"), Product("os", "dx")), "nbk")
    others = (SEQUENTIAL, swapped, INTERLEAVED_K, DX_WS[0], DW_OS[0])
    assert [own.updates_in_array for own in (INTERLEAVED, *others)] == [True, *[False] * 5]
    assert [own.fused for own in (INTERLEAVED, *others)] == [True, False, True, True, False, False]
    assert swapped.results == INTERLEAVED.results == ("dx", "dw")
    overlapped = replace(INTERLEAVED, order="overlapped drain")
    assert overlapped.fused
    assert overlapped.updates_in_array


def test_tiles_that_depend_on_each_other() -> None:
    coupled = (INTERLEAVED_K, replace(INTERLEAVED, order="overlapped drain"))
    assert [mapping.couples_tiles for mapping in (*coupled, INTERLEAVED, SEQUENTIAL)] == [True, True, False, False]


DY: Any = "dy"
NO_PRODUCTS: Any = ("ws", "dx")
AT_ONCE: Any = "at once"
NO_MAPPINGS: list[tuple[Any, str, str, str]] = [
    (lambda: Product("xs", "dx"), "dataflow", "'xs'", "choose one of ws, os, ws_transposed"),
    (lambda: Product("ws", DY), "result", "'dy'", "choose one of y, dx, dw"),
    (lambda: Mapping((), "bnk"), "products", "()", "at least one Product"),
    (lambda: Mapping(NO_PRODUCTS, "bnk"), "products", "('ws', 'dx')", "at least one Product"),
    (lambda: Mapping((Product("ws", "dx"),), "bn"), "axes", "'bn'", "the letters b, k and n"),
    (lambda: Mapping((Product("ws", "dx"),), "spq"), "axes", "'spq'", "the letters b, k and n"),
    (lambda: Mapping((Product("ws", "dx"),), "bnk", AT_ONCE), "order", "'at once'", "alternate, in turn"),
]
WS_DX, TRANSPOSED_DW = Product("ws", "dx"), Product("ws_transposed", "dw")
ALONE: list[tuple[Any, str]] = [
    (lambda: Mapping((TRANSPOSED_DW,), "knb"), "[\"dw by 'ws_transposed'\"]"),
    (lambda: Mapping((TRANSPOSED_DW, WS_DX), "knb"), "[\"dw by 'ws_transposed'\", \"dx by 'ws'\"]"),
    (lambda: Mapping((Product("os", "y"), TRANSPOSED_DW), "knb"), "[\"y by 'os'\", \"dw by 'ws_transposed'\"]"),
    (lambda: Mapping((WS_DX, TRANSPOSED_DW), "knb", "in turn"), "[\"dx by 'ws'\", \"dw by 'ws_transposed'\"]"),
]
NO_MAPPINGS += [(call, "products", shown, "put it last, after one that keeps its operand") for call, shown in ALONE]
"""What is called, and as of ``Refusal`` the field, what is shown and the remedy."""


@pytest.mark.parametrize(("call", "field", "shown", "remedy"), NO_MAPPINGS)
def test_no_mapping_is_refused(call: Any, field: str, shown: str, remedy: str) -> None:
    assert_refused(Refusal(call, field, shown, remedy))


@pytest.mark.parametrize("axes", ["".join(order) for order in itertools.permutations("bkn")])
@pytest.mark.parametrize("dataflow", ["ws", "os", "ws_transposed"])
@pytest.mark.parametrize("result", RESULTS)
def test_axes_along_which_a_product_does_not_add_up_are_refused(dataflow: str, result: Result, axes: str) -> None:
    """Along the rows if the operand stays, along the stream if the result does, along the columns if neither does."""
    summed = {"y": "k", "dx": "n", "dw": "b"}[result]
    if axes[{"ws": 1, "os": 0, "ws_transposed": 2}[dataflow]] == summed:
        if dataflow != "ws_transposed":
            assert Mapping((Product(dataflow, result),), axes).results == (result,)
    else:
        with pytest.raises(
            ValueError, match=rf"axes: got '{axes}' for {result} by '{dataflow}'.*give '{summed}' there"
        ):
            Mapping((Product(dataflow, result),), axes)

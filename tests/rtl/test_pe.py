"""jaxgrad.rtl.pe, jaxgrad.rtl.wiring: the PE of a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import pytest
from jax import Array

from jaxgrad.array.passes.base import Pass, Step, Wave, shift_down
from jaxgrad.array.passes.combinators import double_buffered, interleave, transposed
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.weight_stationary import weight_stationary
from jaxgrad.base.errors import InputError
from jaxgrad.rtl.datapath import datapath
from jaxgrad.rtl.pe import pe_of
from jaxgrad.rtl.wiring import Wiring, wire

BOTH = interleave(double_buffered(weight_stationary()), double_buffered(output_stationary()))


def wired(pass_: Pass, name: str = "int8") -> Wiring:
    return wire(pe_of(pass_), datapath(name))


def expressions(wiring: Wiring) -> dict[str, tuple[str, ...]]:
    return {driven.wire: driven.by_slot for driven in wiring.driven}


def test_weight_stationary() -> None:
    pe = pe_of(weight_stationary())
    assert pe.kinds == {"w": "operand", "h_in": "operand", "v_in": "sum"}
    found = expressions(wired(weight_stationary()))
    assert found["multiplicand"] == ("w",)
    assert found["multiplier"] == ("h_in",)
    assert found["addend"] == ("v_in",)
    assert found["augend"] == ("product",)
    assert found["v_out_d"] == ("sum",)
    assert found["w_d"] == ("(shift0 ? top0 : w)",)


def test_output_stationary_has_a_link_as_narrow_as_an_operand() -> None:
    assert pe_of(output_stationary()).kinds == {"acc": "sum", "h_in": "operand", "v_in": "operand"}


def test_slots_share_one_multiplier_and_one_adder() -> None:
    wiring = wired(BOTH)
    assert [unit.kind for unit in wiring.units] == ["multiply", "add"]
    found = expressions(wiring)
    assert found["multiplicand"] == ("(first ? w_next : w)", "v_operand")
    assert found["multiplier"] == ("h_in", "h_in")
    assert found["addend"] == ("v_in", "acc")
    assert found["acc_next_d"][1] == "(last ? sum : (shift1 ? top1 : acc_next))"
    assert wiring.flags == ("first", "last")
    assert wiring.chains == {0: "w_next", 1: "acc_next"}


def test_a_transposable_pe_has_links_as_wide_as_sums() -> None:
    both_ways = interleave(weight_stationary(), transposed(weight_stationary()))
    assert pe_of(both_ways).kinds == {"w": "operand", "h_in": "sum", "v_in": "sum"}
    found = expressions(wired(both_ways))
    assert found["h_out_d"] == ("h_in", "sum")
    assert found["v_out_d"] == ("sum", "v_in")


class Compensated(NamedTuple):
    acc: Array
    lost: Array


def compensated(step: Callable[..., Any] | None = None) -> Pass:
    """Kahan's sum in the PE: four additions more, and a second register."""

    def init(rows: int, cols: int, dtype: Any) -> Compensated:
        return Compensated(jnp.zeros((rows, cols), dtype), jnp.zeros((rows, cols), dtype))

    def kahan(registers: Compensated, h: Array, v: Array, wave: Wave) -> Step:
        wanted = v * h - registers.lost
        acc = registers.acc + wanted
        return Step(Compensated(acc, (acc - registers.acc) - wanted), v, v)

    def shift(registers: Compensated, slot: int, top: Array, enable: Any) -> tuple[Compensated, Array]:
        acc, bottom = shift_down(registers.acc, top, enable)
        return registers._replace(acc=acc), bottom

    return Pass(("result",), init, step or kahan, shift, lambda h, operands, psums: (h.T @ operands[0],))


def test_a_dataflow_of_one_s_own_brings_its_pe() -> None:
    assert pe_of(compensated()).kinds == {"acc": "sum", "lost": "sum", "h_in": "operand", "v_in": "operand"}
    wiring = wired(compensated(), "bf16")
    assert [unit.out for unit in wiring.units] == ["product", "sum", "sum2", "sum3", "sum4"]
    assert expressions(wiring)["augend"] == ("{~lost[31], lost[30:0]}",)


def test_a_product_of_sums_is_refused() -> None:
    def squared(registers: Compensated, h: Array, v: Array, wave: Wave) -> Step:
        return Step(Compensated(registers.acc * registers.acc + v * h, registers.lost), v, v)

    with pytest.raises(InputError, match="got a product of sums in a PE"):
        pe_of(compensated(squared))


@pytest.mark.parametrize(
    ("name", "said"), [("bf16", "got a pass that compares floats"), ("int8", "got the constant 2.0 in a pass")]
)
def test_what_a_format_has_no_gate_for_is_refused(name: str, said: str) -> None:
    def clipped(registers: Compensated, h: Array, v: Array, wave: Wave) -> Step:
        return Step(Compensated(jnp.where(registers.acc > 2.0, registers.acc, v * h), registers.lost), v, v)

    with pytest.raises(InputError, match=said):
        wired(compensated(clipped), name)

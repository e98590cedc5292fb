"""jaxgrad.costs.shares: which share of a network each schedule ran, and which axes were too short for the array."""

from __future__ import annotations

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import Schedule
from jaxgrad.costs import step_cost, time_cycles
from jaxgrad.costs.anatomy import Fit
from jaxgrad.costs.shares import Share, shares, short_axes
from jaxgrad.hardware import Accelerator, Machine, Memory
from jaxgrad.programs import LayerGemm

ARRAY = Accelerator(8, 4, True)


def test_an_axis_is_short_against_its_own_side() -> None:
    """b streams beside the 8 rows, n lies along them, k along the 4 columns; along n the rows are b's."""
    assert short_axes("interleaved", Gemm(7, 3, 8), ARRAY) == (Fit("b", 7, 8), Fit("k", 3, 4))
    assert short_axes("interleaved", Gemm(8, 4, 7), ARRAY) == (Fit("n", 7, 8),)
    assert short_axes("interleaved_n", Gemm(8, 4, 8), ARRAY) == ()
    # One gradient alone, or two one after the other: the axes of what runs, each once.
    assert short_axes("ws", Gemm(7, 3, 8), ARRAY) == (Fit("b", 7, 8), Fit("k", 3, 4))
    assert short_axes("interleaved", Gemm(7, 9, 9), ARRAY, dx=False, dw=False) == ()


def test_shares_add_up_and_say_what_is_short() -> None:
    gemms = {"early": Gemm(500, 40, 3), "mid": Gemm(500, 40, 5), "late": Gemm(5, 40, 40), "unasked": Gemm(5, 6, 7)}
    layers = [LayerGemm(name, gemm, 1, needs_dx=True, needs_dw=name != "unasked") for name, gemm in gemms.items()]
    layers[-1] = LayerGemm("unasked", gemms["unasked"], 1, needs_dx=False, needs_dw=False)
    mine = Schedule("mine", among=["interleaved", "interleaved_n"])
    cost = step_cost(layers, Emulation(ARRAY), [mine, "interleaved"])
    cycles = {layer.path: time_cycles(layer.backward["mine"]) for layer in cost.layers}
    assert shares(cost, "mine", ARRAY) == (
        Share("interleaved_n", 2, cycles["early"] + cycles["mid"], (("n", 2),)),
        Share("interleaved", 1, cycles["late"], (("b", 1),)),
    )
    assert [(share.schedule, share.layers) for share in shares(cost, "interleaved", ARRAY)] == [("interleaved", 3)]


def test_what_ran_together_is_one_share() -> None:
    """One layer of two shapes, for which a choice takes different schedules."""
    shapes = [LayerGemm("shared", gemm, 1, needs_dx=True) for gemm in (Gemm(500, 40, 3), Gemm(5, 40, 40))]
    mine = Schedule("mine", among=["interleaved", "interleaved_n"])
    machine = Machine(ARRAY, Memory(1 << 20, 1e4))
    (share,) = shares(step_cost(shapes, Emulation(ARRAY), [mine], machine=machine), "mine", ARRAY)
    assert (share.schedule, share.layers, dict(share.short)) == ("interleaved_n + interleaved", 1, {"b": 1, "n": 1})

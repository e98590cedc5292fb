"""A dataflow and a schedule of one's own, defined here without touching the package: the recipe of DESIGN.md section 7.

The dataflow, ``compensated``, is output-stationary and sums as Kahan does: beside its sum each PE keeps what rounding
took from it. The schedule, ``x_stays``, interleaves dX and dW the other way round than ``interleaved`` does: rows hold
b, columns hold k and n is streamed, so that X stays in the PEs for dW, dX is summed in place, and each dY is read once
for the two.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import Array, lax
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from rich.console import Console

from jaxgrad import Accelerator, Counters, Emulation, Gemm, Machine, Memory, count, emulate, load_technology
from jaxgrad.array import choice, dataflows, execute, schedules
from jaxgrad.array.choice import choose
from jaxgrad.array.counts import MACS, STALLS, by_name
from jaxgrad.array.dataflows import Dataflow
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.array.mapping import AXES, Mapping, Product
from jaxgrad.array.passes.base import Pass, Step, Wave, product, shift_down
from jaxgrad.array.schedules import Schedule
from jaxgrad.costs import hierarchy, step_cost, summary, time_cycles
from jaxgrad.costs.area import area, iso_area, pe_um2
from jaxgrad.costs.transfers import Shapes
from jaxgrad.designs import unblocked
from jaxgrad.designs.questions import Question
from jaxgrad.hardware import Precision
from jaxgrad.programs import LayerGemm
from jaxgrad.reports import figures, style
from jaxgrad.reports import schedules as report
from jaxgrad.reports.numbers import short
from jaxgrad.reports.plots import canvas
from jaxgrad.reports.timeline.runs import first_tiles
from tests.costs.layers import arrayed
from tests.costs.walker import array_counts, walk
from tests.keys import KEY

# The recipe, step 1: a pass, as in passes/output_stationary.py.


class Compensated(NamedTuple):
    acc: Array
    lost: Array  # by rounding, to be added to the next product


def compensated() -> Pass:
    """``result[p, q] = sum_s h[s, p] operand[s, q]``, by Kahan's compensated summation."""

    def init(rows: int, cols: int, dtype: Any) -> Compensated:
        return Compensated(jnp.zeros((rows, cols), dtype), jnp.zeros((rows, cols), dtype))

    def step(registers: Compensated, h: Array, v: Array, wave: Wave) -> Step:
        term = product(v, h) + registers.lost
        acc = registers.acc + term
        return Step(Compensated(acc, term - (acc - registers.acc)), v, v)

    def shift(registers: Compensated, slot: int, top: Array, enable: Any) -> tuple[Compensated, Array]:
        acc, bottom = shift_down(registers.acc, top, enable)
        lost, _ = shift_down(registers.lost, jnp.zeros_like(top), enable)
        return Compensated(acc, lost), bottom

    def tile(h: Array, operands: tuple[Array, ...], psums: tuple[Array | None, ...]) -> tuple[Array, ...]:
        (operand,) = operands
        return (jnp.matmul(h.T, operand, precision=lax.Precision.HIGHEST),)

    return Pass(("result",), init, step, shift, tile)


# Steps 2 and 3: records. They may be used as they are; registered, they are found by their names.
COMPENSATED = Dataflow("compensated", compensated)
PAIR = Mapping((Product("ws", "dw"), Product(COMPENSATED, "dx")), "nbk")
X_STAYS = Schedule(
    "x_stays", [PAIR], description="both at once, X in the PEs and dX summed there", label="X stays", colour="#D55E00"
)


@pytest.fixture(autouse=True, scope="module")
def registered() -> Iterator[None]:
    dataflows.register(COMPENSATED)
    schedules.register(X_STAYS)
    yield
    schedules.unregister("x_stays")
    dataflows.unregister("compensated")


class Case(NamedTuple):
    b: int
    k: int
    n: int
    array: Accelerator

    @property
    def gemm(self) -> Gemm:
        return Gemm(self.b, self.k, self.n)


sizes, lanes = st.integers(1, 9), st.integers(1, 5)
cases = st.builds(Case, sizes, sizes, sizes, st.builds(Accelerator, lanes, lanes, st.booleans()))
large = st.builds(
    Case, *[st.integers(1, 200)] * 3, st.builds(Accelerator, st.integers(1, 32), st.integers(1, 32), st.booleans())
)


def data(case: Case) -> dict[str, np.ndarray]:
    """Integers, a third of them zero, that float32 adds up exactly."""
    rng = np.random.default_rng(case.b * 100 + case.k * 10 + case.n)
    return {
        name: rng.integers(-1, 2, tuple(case.gemm.sizes[axis] for axis in AXES[name])).astype(np.float32)
        for name in ("x", "w", "dy")
    }


def expected_counts(case: Case) -> dict[str, int]:
    """By the formulas that DESIGN.md derives for such a pair: R rows hold b, C columns hold k, n is streamed."""
    b, k, n, (rows, cols) = case.b, case.k, case.n, (case.array.rows, case.array.cols)
    n_b, n_k = -(-b // rows), -(-k // cols)
    tiles = n_b * n_k
    serial = tiles * (3 * rows + cols + 2 * n - 2)
    overlapped = rows + (tiles - 1) * max(2 * n, rows) + (2 * n + rows + cols - 2) + rows
    return {
        "cycles": overlapped if case.array.double_buffered else serial,
        "macs": 2 * b * k * n,
        "effectual_macs": 2 * b * k * n,
        "x_reads": b * k,  # loaded once
        "dy_reads": b * n * n_k,  # once for both
        "w_reads": k * n * n_b,
        "psum_reads": k * n * (n_b - 1),
        "psum_writes": k * n * n_b + b * k,  # dW on its way through the rows, and dX
        "dy_hops": b * n * n_k * cols,
        "psum_hops": k * n * n_b * rows,
        "acc_updates": b * k * n,
        **dict.fromkeys(("w_writes", "dw_reads", "dw_writes", "x_hops"), 0),
    }


@given(case=large)
def test_closed_form(case: Case) -> None:
    assert count(case.gemm, case.array, "x_stays").as_dict() == expected_counts(case)


@settings(max_examples=6)
@given(case=cases)
def test_registers_tiles_and_closed_form_are_one_truth(case: Case) -> None:
    tensors = data(case)
    dense = expected_counts(case)
    ones = {name: (values != 0).astype(int) for name, values in tensors.items()}
    met = int(np.einsum("bn,kn->", ones["dy"], ones["w"]) + np.einsum("bk,bn->", ones["x"], ones["dy"]))
    for fidelity in FIDELITIES:
        dx, dw, counters = emulate(tensors["x"], tensors["w"], tensors["dy"], case.array, "x_stays", fidelity)
        np.testing.assert_array_equal(dx, tensors["dy"] @ tensors["w"].T)
        np.testing.assert_array_equal(dw, tensors["x"].T @ tensors["dy"])
        assert counters.as_dict() == dense | {"effectual_macs": met}, fidelity


@pytest.mark.parametrize("double_buffered", [False, True])
def test_what_rounding_takes_is_added_again(double_buffered: bool) -> None:
    """2^24 and 1 four times: in float32 each 1 alone is lost; 2 tiles, so that the first leaves nothing behind."""
    array = Accelerator(1, 2, double_buffered)
    x, w, dy = np.ones((2, 2), np.float32), np.ones((2, 5), np.float32), np.ones((2, 5), np.float32)
    dy[:, 0] = 2**24
    plain = Schedule("plain", [Mapping((Product("ws", "dw"), Product("os", "dx")), "nbk")])
    lossy, *_ = emulate(x, w, dy, array, plain, "register")
    exact, *_ = emulate(x, w, dy, array, X_STAYS, "register")
    np.testing.assert_array_equal(lossy, np.full((2, 2), 2**24))
    np.testing.assert_array_equal(exact, np.full((2, 2), 2**24 + 4))


# Pairs that share another operand than dY: a forward product with a gradient.
SHARED = {
    "Y and dW share X, W stays": (Mapping((Product("ws", "y"), Product(COMPENSATED, "dw")), "bkn"), "x"),
    "dX and Y share W, dY stays": (Mapping((Product("ws", "dx"), Product("os", "y")), "knb"), "w"),
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("double_buffered", [False, True])
def test_pairs_that_share_another_operand(name: str, double_buffered: bool) -> None:
    mapping, stream = SHARED[name]
    case = Case(5, 4, 7, Accelerator(3, 2, double_buffered))
    tensors = data(case)
    assert mapping.stream[0] == stream
    x, w, dy = (tensors[operand] for operand in ("x", "w", "dy"))
    products = {"y": x @ w, "dx": dy @ w.T, "dw": x.T @ dy}
    counts = []
    for fidelity in FIDELITIES:
        outputs, counters = jax.jit(partial(execute.run, mapping, array=case.array, fidelity=fidelity))(tensors)
        assert outputs.keys() == set(mapping.results)
        for result, values in outputs.items():
            np.testing.assert_array_equal(values, products[result])
        counts.append(counters.as_dict())
    assert counts[0] == counts[1] == counts[2]
    s, _, q = (case.gemm.sizes[axis] for axis in mapping.axes)
    words = np.prod([case.gemm.sizes[axis] for axis in AXES[stream]])
    assert counts[0][f"{stream}_reads"] == words * -(-q // 2)  # once for the two
    assert counts[0]["cycles"] > 2 * s


def test_where_one_gradient_is_wanted_its_slot_runs_alone() -> None:
    case = Case(5, 6, 7, Accelerator(3, 2))
    alone = PAIR.split()
    assert choice.backward_mappings("x_stays", case.gemm, case.array, dx=False) == alone[:1]
    assert choice.backward_mappings("x_stays", case.gemm, case.array, dw=False) == alone[1:]
    only = count(case.gemm, case.array, "x_stays", dx=False).as_dict()
    assert (only["w_reads"], only["x_reads"], only["acc_updates"]) == (0, 30, 0)


def test_what_follows_from_the_record() -> None:
    assert X_STAYS.gives == ("dx", "dw")
    assert X_STAYS.trains
    assert X_STAYS.fused
    assert not X_STAYS.updates_in_array
    assert X_STAYS.pe_kind == "interleaved"
    assert "x_stays" in schedules.TRAINING_SCHEDULES
    assert "x_stays" not in schedules.BASELINES
    one = Schedule("dx_compensated", [Mapping((Product("compensated", "dx"),), "nbk")])
    assert (one.gives, one.pe_kind, one.trains) == (("dx",), "os", False)


def test_a_record_is_taken_wherever_a_name_is() -> None:
    case = Case(5, 6, 7, Accelerator(3, 2))
    by_name, by_record = (Emulation(case.array, schedule) for schedule in ("x_stays", X_STAYS))
    assert by_name == by_record
    assert hash(by_name) == hash(by_record)
    assert by_name.schedule is X_STAYS
    assert "schedule=Schedule('x_stays')" in repr(by_name)
    assert pickle.loads(pickle.dumps(by_name)) == by_record
    traced = jax.jit(
        lambda x, w, dy, emulation: emulate(x, w, dy, emulation.array, emulation.schedule), static_argnums=3
    )
    _, _, counters = traced(*data(case).values(), by_name)
    assert counters.as_dict()["cycles"] == count(case.gemm, case.array, X_STAYS).as_dict()["cycles"]


def test_a_choice_among_schedules_takes_mine_where_it_is_cheapest() -> None:
    """A layer of many rows and few outputs fills the array's tiles with b and k, and streams little."""
    mine = Schedule("better", among=("x_stays", "auto"))
    array = Accelerator(8, 8)
    for gemm, chosen in ((Gemm(8, 8, 300), "x_stays"), (Gemm(300, 8, 8), "interleaved")):
        assert choose(mine, gemm, array).schedule.name == chosen
    each = [
        LayerGemm("tall", Gemm(8, 8, 300), 1, needs_dx=True),
        LayerGemm("wide", Gemm(300, 8, 8), 1, needs_dx=True),
    ]
    for machine in (Machine(array), machine_of(array, gb_per_s=1e4)):
        cost = step_cost(each, Emulation(array), [mine, "x_stays"], machine=machine)
        assert [layer.ran["better"] for layer in cost.layers] == [("x_stays",), ("interleaved",)]
        assert cost.layers[0].backward["better"] == cost.layers[0].backward["x_stays"]
        assert cost.as_dict()["layers"]["wide"]["ran"]["better"] == ["interleaved"]


def test_a_dataflow_that_nobody_registered_is_refused_by_name() -> None:
    listed = "ws, os, ws_transposed, compensated"
    with pytest.raises(ValueError, match=rf"dataflow: got 'compensate'; choose one of {listed} \(did you"):
        Product("compensate", "dx")
    with pytest.raises(ValueError, match=r"schedule: got 'x_stay'; choose one of .*, best, x_stays"):
        count(Gemm(1, 1, 1), Accelerator(1, 1), "x_stay")


def test_no_other_schedule_takes_its_name() -> None:
    other = Schedule("x_stays", [schedules.INTERLEAVED])
    for take in (schedules.register, partial(Emulation, Accelerator(1, 1))):
        with pytest.raises(ValueError, match="schedule: got a Schedule named 'x_stays', as another one"):
            take(other)
    assert schedules.register(X_STAYS) is X_STAYS


# Costs, area, tables and plots.
LAYERS = [
    LayerGemm("first", Gemm(6, 5, 7), 2, needs_dx=False),
    LayerGemm("second", Gemm(6, 7, 4), 3, needs_dx=True),
]


def machine_of(array: Accelerator, sram_bytes: int = 1 << 20, gb_per_s: float = 8.0, **more: Any) -> Machine:
    technology = load_technology("horowitz-45nm")
    return Machine(array, Memory(sram_bytes, gb_per_s, 1.0), Precision.of("bf16"), technology=technology, **more)


def test_cost_of_a_step_without_a_memory() -> None:
    array = Accelerator(3, 2)
    cost = step_cost(LAYERS, Emulation(array), ["interleaved", "x_stays"])
    first, second = cost.layers
    assert first.phases["x_stays"].keys() == {"forward", "dw"}
    assert second.phases["x_stays"].keys() == {"forward", "dx+dw"}
    only = count(Gemm(6, 5, 7), array, X_STAYS, dx=False).times(2).counts()
    both = count(Gemm(6, 7, 4), array, X_STAYS).times(3).counts()
    assert (first.backward["x_stays"], second.backward["x_stays"]) == (only, both)
    assert first.ran["x_stays"] == second.ran["x_stays"] == ("x_stays",)


@settings(max_examples=40)
@given(
    layer=st.tuples(*[st.integers(1, 8)] * 3),
    array=st.builds(Accelerator, st.integers(1, 3), st.integers(1, 3), st.booleans()),
    sram_bytes=st.integers(600, 4000),
    order=st.sampled_from(["best", "dx_major", "dw_major", "k_major"]),
)
def test_plans_count_what_walking_them_counts(
    layer: tuple[int, int, int], array: Accelerator, sram_bytes: int, order: str
) -> None:
    b, k, n = layer
    machine, shapes = machine_of(array, sram_bytes), Shapes(b, k, n, b * k)
    (plan,) = hierarchy.Planner(machine, arrayed(shapes)).backward("x_stays", order)
    assert isinstance(plan, hierarchy.Plan)
    assert plan.schedule == "x_stays"
    (run,) = plan.runs
    assert run.mappings == (PAIR,)
    counts = hierarchy.counts(plan, shapes, machine)["dx+dw"]
    walked = walk(run.nests, dict(shapes.sizes), run.block)
    expected = array_counts(walked.steps, run.mappings, array)
    expected |= walked.moved(shapes)
    assert {key: value for key, value in counts.items() if value and key != STALLS} == expected


def test_block_orders_that_it_can_run() -> None:
    """Like any schedule that computes both gradients at once; where none is given, the best of those it can."""
    machine = machine_of(Accelerator(2, 2))
    planner = hierarchy.Planner(machine, arrayed(Shapes(8, 8, 8, 64)))
    for order in ("separate", "alternating", "rule"):
        assert not hierarchy.can_run(X_STAYS, order)
        with pytest.raises(ValueError, match=f"order: got '{order}' with schedule 'x_stays', which computes both"):
            planner.backward(X_STAYS, order)
    gemms = [LayerGemm("dense", Gemm(8, 8, 8), 1, needs_dx=True)]
    unsaid = step_cost(gemms, Emulation(machine.array), [X_STAYS], machine=machine)
    best = step_cost(gemms, Emulation(machine.array), [X_STAYS], machine=machine, order="best")
    assert unsaid.total("x_stays") == best.total("x_stays")


@pytest.mark.parametrize("cores", [1, 2])
def test_cost_of_a_step_with_a_memory(cores: int) -> None:
    machine = machine_of(Accelerator(3, 2), cores=cores)
    cost = step_cost(LAYERS, Emulation(machine.array), machine=machine)
    assert cost.schedules == tuple(schedules.TRAINING_SCHEDULES)
    assert cost.schedules[-1] == "x_stays"
    assert cost.layers[1].phases["x_stays"].keys() == {"forward", "dx+dw"}
    total = cost.total("x_stays")
    assert total[MACS] == cost.total("interleaved")[MACS]
    # dW passes through the rows as partial sums, so that no accumulator of it is drained.
    assert (total[KEY["dw_writes"]], total[KEY["dram_dw_writes"]] > 0) == (0, True)
    assert summary(cost, "x_stays").select("step").energy_pj["mac"] > 0


def test_w_and_dw_never_meet_in_its_array() -> None:
    array = Accelerator(3, 2)
    with pytest.raises(ValueError, match=r"weight_update: got 'in_array' with schedule 'x_stays'.*'interleaved'"):
        Emulation(array, "x_stays", weight_update="in_array")
    cost = step_cost(LAYERS, Emulation(array, weight_update="in_array"), [X_STAYS])
    assert all(layer.phases["x_stays"]["update"][KEY["w_writes"]] for layer in cost.layers)


def test_area() -> None:
    machine = machine_of(Accelerator(32, 32))
    assert pe_um2(machine, "x_stays") == pe_um2(machine, "interleaved") > pe_um2(machine, "os_only")
    assert area(machine, X_STAYS) == area(machine, "interleaved")
    assert iso_area(machine, X_STAYS, "ws_only").array.pes > 1024


def test_sweeps_cost_it_with_the_same_formulas() -> None:
    case = Case(5, 6, 7, Accelerator(3, 2))
    question = Question(None, "x_stays", "", False, True, Precision.of("fp32"))
    found = unblocked.counted(question, case.gemm.sizes, case.array, True, True)
    assert Counters.from_counts(found).as_dict() == expected_counts(case)


def test_tables_say_what_it_is() -> None:
    array = Accelerator(3, 2)
    cost = step_cost(
        LAYERS, Emulation(array), ["interleaved", "x_stays", Schedule("better", among=("x_stays", "auto"))]
    )
    file = io.StringIO()
    Console(file=file, width=80).print(report.report(cost, "interleaved", array, measured=False))
    text = file.getvalue()
    row = next(line for line in text.splitlines() if "6x7x4 x3" in line)
    assert row.split()[2:5] == ["X", "stays", short(time_cycles(cost.layers[1].backward["x_stays"]))]
    assert "both at once, X in the PEs and dX summed there" in text
    assert "than X stays" in text
    assert "better: " in text


def test_plots_show_its_label_and_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    save = canvas.save
    monkeypatch.setattr(canvas, "save", lambda figure, *rest: (drawn.append(figure), save(figure, *rest))[1])
    cost = step_cost(LAYERS, Emulation(Accelerator(3, 2)), ["interleaved", "x_stays"])
    figures.cycles_by_layer(cost, tmp_path / "cycles", "a title")
    figures.accesses_by_kind(cost, tmp_path / "accesses", "a title")
    containers: Any = drawn[0].axes[0].containers
    bars = {bars.get_label(): bars.patches[0].get_facecolor() for bars in containers}
    assert bars["X stays"] == to_rgba("#D55E00")
    assert "X stays" in [tick.get_text() for tick in drawn[1].axes[0].get_yticklabels()]
    assert style.colours(["x_stays", "someone's"])["x_stays"] == "#D55E00"


def test_its_tiles_over_time() -> None:
    case = Case(4, 4, 5, Accelerator(2, 2, True))
    shown = first_tiles("x_stays", case.gemm, case.array, 99)
    own = list(shown.activities)
    assert shown.cycles == expected_counts(case)["cycles"] == max(one.stop for one in own)
    assert {(one.kind, one.what) for one in own if one.kind in ("load", "drain")} == {("load", "x"), ("drain", "dx")}
    words: dict[str, int] = {}
    for one in own:
        for name, many in by_name(one.words).items():
            words[name] = words.get(name, 0) + many
    wanted = expected_counts(case)
    assert words == {name: wanted[name] for name in words}
    assert words.keys() >= {"x_reads", "dy_reads", "psum_writes"}

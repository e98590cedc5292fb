"""Comparison of schedules: tables and figures, a legend of their terms, and the verdict in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from jaxgrad.array.counts import SRAM, WRITES, Key
from jaxgrad.array.schedules import TRAINING_SCHEDULES, Schedule, find, known
from jaxgrad.base.files import whole
from jaxgrad.costs import Counts, StepCost, accesses, summary, time_cycles
from jaxgrad.costs.shares import Share, is_choice, shares
from jaxgrad.hardware import Accelerator
from jaxgrad.reports import figures, levels, screen, stored, tables, tabular
from jaxgrad.reports.numbers import percent, saving
from jaxgrad.reports.plots.choices import choices
from jaxgrad.reports.style import SCREEN, FigureStyle, schedule_label

_FILE_WIDTH = 100
_SHOWN_LAYERS = 8  # more would scroll off the screen


def report(
    cost: StepCost,
    chosen: str,
    array: Accelerator,
    *,
    measured: bool,
    whole: bool = False,
    of: str | None = None,
    layers_in: str = "tables.txt",
    on_machine: StepCost | None = None,
) -> Group:
    """Tables of what the backward pass costs under each schedule, with how to read them.

    Args:
        cost: the counts.
        chosen: the schedule to which the others are compared.
        array: what they were counted on.
        measured: whether ``chosen`` was counted as a network trained, or all come from shapes alone.
        whole: show every layer of a deep network too; otherwise its totals alone.
        of: what was counted; training steps by default.
        layers_in: where its layers are, if they are not shown.
        on_machine: the same steps through a machine's memories, where ``cost`` is of the array alone.
    """
    through = on_machine or cost
    layers = whole or len(cost.layers) <= _SHOWN_LAYERS
    steps = of or ("one training step" if cost.steps == 1 else f"{cost.steps:,} training steps")
    buffered = ", double-buffered" if array.double_buffered else ""
    hidden = "" if layers else f" The {len(cost.layers)} layers one by one are in {layers_in}."
    machine = f"a {array.rows}x{array.cols} array{buffered}"
    return Group(
        tables.summary_table(cost, chosen, f"Backward pass of {steps} on {machine}", layers=layers),
        tables.accesses_table(cost, chosen, "SRAM accesses of the backward pass by operand [words]", layers=layers),
        *_stored(cost, layers=layers),
        *_machine(through, chosen, steps),
        _legend(cost, chosen, array, through, measured=measured),
        "",
        Text(_verdict(cost, chosen) + hidden),
        Text(_pays(cost, chosen, array)),
    )


def write_tables(
    path: Path,
    cost: StepCost,
    chosen: str,
    array: Accelerator,
    *,
    measured: bool,
    on_machine: StepCost | None = None,
) -> list[Path]:
    """The report with every layer, as a text file; its tables also in each of ``tabular.FORMATS``.

    Args:
        path: of the files, without their suffixes.
        cost, chosen, array, measured, on_machine: see ``report``.
    """
    shown = report(cost, chosen, array, measured=measured, whole=True, on_machine=on_machine)
    file_path = path.with_name(f"{path.name}.txt")
    with whole(file_path) as partial, partial.open("w", encoding="utf-8") as file:
        screen.console(file=file, width=_FILE_WIDTH).print(shown)
    return [file_path, *tabular.write(path, shown)]


def draw(folder: Path, cost: StepCost, title: str, array: Accelerator, *, style: FigureStyle = SCREEN) -> list[Path]:
    """The figures of cycles, of accesses, and of what choices among schedules took, in ``folder``: their paths."""
    made = {schedule_label(name): shares(cost, name, array) for name in cost.schedules if is_choice(cost, name)}
    files = choices(made, folder / "choices", f"Which schedules were chosen ({title})", style=style) if made else []
    for draws, name, of in (
        (figures.cycles_by_layer, "cycles", "cycles by layer"),
        (figures.accesses_by_kind, "accesses", "SRAM accesses by operand"),
    ):
        files += draws(cost, folder / name, f"Backward pass: {of} ({title})", style=style)
    return files


def _stored(cost: StepCost, *, layers: bool) -> list[Table]:
    """What one step keeps, where it keeps something."""
    title = "Stored activations of a step"
    return [stored.stored_table(cost.stored, title, layers=layers)] if cost.stored.total else []


def _machine(cost: StepCost, chosen: str, steps: str) -> list[Table]:
    """Memory, energy and work beside the array, where the machine has them."""
    if cost.machine is None or not (cost.machine.memory or cost.vector):
        return []
    summaries = {schedule: summary(cost, schedule) for schedule in cost.schedules}
    whole = f"All phases of {steps}: forward, gradients, update, vector unit"
    shown = [tables.machine_table(summaries, chosen, whole)]
    if cost.machine.memory and cost.machine.memory.levels:
        shown.append(levels.levels_table(summaries, chosen, "Memories of the step, in all phases"))
    return shown


def _legend(cost: StepCost, chosen: str, array: Accelerator, through: StepCost, *, measured: bool) -> Table:
    if measured:
        source = (
            f"{chosen} was counted as the network trained; the others are what the same steps take on the same array, "
            "from the layers' shapes"
        )
    else:
        source = "from the layers' shapes alone, as for data without zeros"
    words = {
        "layer": "batch x inputs x outputs of Y = X W under its name (a convolution's batch counts every output "
        "position); the backward pass is dX = dY W^T, which the input layer does not need, and dW = X^T dY",
        **{schedule_label(name): meaning for name in cost.schedules if (meaning := _meaning(name, cost, array))},
        "counts": source,
        "ratio": f"cycles or accesses, normalised to {chosen}",
        "accesses": "words read from and written to on-chip SRAM",
        "psum": "partial sums, and dX (and dW where it is computed weight-stationary)",
    }
    if any(cost.total(schedule)[Key(SRAM, "w", WRITES)] for schedule in cost.schedules):
        words["W write"] = (
            "the weights after their update; dW read: the gradients for it, unless W is updated in the array"
        )
    if cost.stored.total:
        words["stored"] = stored.MEANING
    if through.machine and (through.machine.memory or through.vector):
        has_levels = through.machine.memory is not None and bool(through.machine.memory.levels)
        awaited = "memory" if has_levels else "DRAM"
        words["stalls"] = f"cycles in which the array or the vector unit waits for {awaited}; all cycles include them"
        words |= levels.MEANINGS if has_levels else {}
        if through is not cost:
            words["all phases"] = (
                "the run's steps in blocks through the machine's memories, from shapes, with the zeros that the array "
                "counted; a choice among schedules is made there by the whole of a layer's cost"
            )
    if through.machine and (through.machine.technology or through.machine.energies):
        words["regs"] = "registers of the PEs, and moves between them"
    if any(is_choice(cost, name) for name in cost.schedules):
        words["short"] = (
            "shorter than the array's side along which the axis lies, or than its rows where it is streamed"
        )
    if through.vector:
        words["vector"] = "the vector unit's own energy, its SRAM and DRAM accesses included"
    if tables.has_zeros(cost):
        words["effectual"] = "share of the MACs (multiply-accumulates) with both operands non-zero, under any schedule"
    return tables.legend(words | {"k, M, G": "10^3, 10^6, 10^9"})


def _meaning(name: str, cost: StepCost, array: Accelerator) -> str:
    """What a schedule does; of a choice among others also which share each of them ran, and which axes are short."""
    schedule = known(name)
    parts = [schedule.description] if schedule else []
    if is_choice(cost, name):
        ran = shares(cost, name, array)
        cycles = sum(share.cycles for share in ran)
        parts.append(f"here, of {len(cost.layers):,} layers, " + ", ".join(_shared(share, cycles) for share in ran))
    return "; ".join(part for part in parts if part)


def _shared(share: Share, cycles: int) -> str:
    """A schedule's layers, its share of all cycles, and the axes that are short in its layers."""
    short = "".join(f", {axis} short in {count:,}" for axis, count in share.short)
    return f"{schedule_label(share.schedule)} for {share.layers:,} ({percent(share.cycles, cycles)} of cycles{short})"


def _verdict(cost: StepCost, chosen: str) -> str:
    total = cost.total(chosen)
    others = [name for name in cost.schedules if name != chosen and not is_choice(cost, name)]

    def than(of: Callable[[Counts], int]) -> str:
        return ", ".join(f"{saving(of(total), of(cost.total(name)))} than {schedule_label(name)}" for name in others)

    return f"All layers, {schedule_label(chosen)}: cycles {than(time_cycles)}; accesses {than(accesses)}."


def _pays(cost: StepCost, chosen: str, array: Accelerator) -> str:
    """Where interleaving pays, in a sentence, and what the best schedule for each layer takes."""
    interleaved = [record for name in TRAINING_SCHEDULES if (record := find(name)).fused]
    counts = [f"{axis} ({record.label}) in {_short_streams(cost, record, array):,}" for record in interleaved
              for axis in _streamed(record)]  # fmt: skip
    rule = (
        f"Interleaving pays where the axis it streams is shorter than the array's {array.rows:,} rows: of "
        f"{len(cost.layers):,} {'layer' if len(cost.layers) == 1 else 'layers'} {', '.join(counts)}"
    )
    choices = [name for name in cost.schedules if is_choice(cost, name)]
    cheapest = min(choices, key=lambda name: time_cycles(cost.total(name)), default=None)
    if cheapest is not None:
        spent = saving(time_cycles(cost.total(cheapest)), time_cycles(cost.total(chosen)))
        rule += f"; {schedule_label(cheapest)} takes {spent} cycles than {schedule_label(chosen)}"
    return f"{rule}. For one layer, jaxgrad explain says why."


def _streamed(record: Schedule) -> list[str]:
    """The axes that an interleaved schedule streams."""
    return list(dict.fromkeys(mapping.axes[0] for choice in record.runs for mapping in choice if mapping.fused))


def _short_streams(cost: StepCost, record: Schedule, array: Accelerator) -> int:
    """In how many layers one of them is shorter than the rows behind whose stream loads and drains hide."""
    return sum(
        any(gemm.gemm.sizes[axis] < array.rows for gemm in layer.gemms for axis in _streamed(record))
        for layer in cost.layers
    )

"""``jaxgrad search``: the best designs of a space, by descents from many starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from experiments import design_search, design_sweep
from experiments.design_search import Outcome, Task, Truth
from experiments.store import Store
from jaxgrad.cli import cache, designs, screen
from jaxgrad.cli.errors import bad_input, typed
from jaxgrad.designs import schema
from jaxgrad.designs.schema import COLUMNS, Sweep
from jaxgrad.designs.sweep import Table
from jaxgrad.files import check_folder
from jaxgrad.reports import plots

_RESULTS = Path("results")
_NAMES = {"cycles": "cycles", "energy": "energy", "area": "area", "edp": "energy-delay product"}
_UNITS = {"cycles": ("cycles", 1.0), "energy": ("energy [uJ]", 1e-6), "area": ("area [mm2]", 1e-6),
          "edp": ("EDP [nJ s]", 1e9)}  # fmt: skip


def run(config: str, *, out: str | None, store: str | None, exhaustive: bool, check: bool) -> int:
    """Searches for each network and batch, and prints the best design of each kind."""
    cache.turn_on()
    file, terminal = Path(config), screen.console()
    with bad_input():
        sweep = schema.load(file)
        path = Path(out) if out is not None else _RESULTS / f"{file.stem}_search.csv"
        write = designs.writer(path)
        kept = Store(check_folder("--store", store if store is not None else _RESULTS / "store"))
        tasks = design_search.tasks(sweep)
        if check:
            terminal.print(f"{file}: {sweep.title}. {_planned(len(tasks), sweep)}", soft_wrap=True)
            return 0
        with terminal.status("tracing the networks"):
            work = design_search.Work(sweep, file, kept)
            whole = design_sweep.Work(sweep, file, kept) if exhaustive else None
    try:
        outcomes = _searched(work)
        table = _whole(whole) if whole else None
    except KeyboardInterrupt:
        again = typed("search", config, out=out, store=store) + (" --exhaustive" if exhaustive else "")
        raise KeyboardInterrupt(f"what is done is kept; go on with: {again}") from None
    truths = [design_search.truth(table, task, sweep, work.technology) for task in tasks] if table else None
    terminal.print(f"[bold]{sweep.title}[/bold]: {_planned(len(tasks), sweep)}")
    files = [path]
    with bad_input(), terminal.status("writing"):
        write(path, _all(tasks, outcomes, sweep))
        for name, rows in _by_workload(tasks).items():
            terminal.print(_best(name, rows, tasks, outcomes, truths, sweep))
            drawn = path.with_name(f"{path.stem}_{name.replace(', ', '_').replace(' ', '')}_descents")
            files += _draw(drawn, name, rows, tasks, outcomes, truths, sweep)
    _tell(outcomes, truths, sweep)
    terminal.print(f"\nIn {path.parent}: {', '.join(each.name for each in files)}", soft_wrap=True)
    return 0


def _planned(count: int, sweep: Sweep) -> str:
    return f"least {_sought(sweep)}; {count} x {sweep.descent.starts} descents of {sweep.descent.steps} steps"


def _sought(sweep: Sweep) -> str:
    wanted = sweep.descent
    limits = []
    if wanted.max_area_mm2 is not None:
        limits.append(f"{wanted.max_area_mm2:g} mm2")
    if wanted.max_pes is not None:
        limits.append(f"{wanted.max_pes} PEs")
    return _NAMES[wanted.objective] + (f" in at most {' and '.join(limits)}" if limits else "")


def _searched(work: design_search.Work) -> list[Outcome]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    outcomes = []
    with Progress(*columns, console=screen.console(), transient=True) as bar:
        own = bar.add_task("searches", total=len(work.tasks))
        for task in work.tasks:
            bar.update(own, description=f"{_workload(task)}, {task.kind.schedule}")
            outcomes.append(work.compute(task))
            bar.advance(own)
    return outcomes


def _whole(work: design_sweep.Work) -> Table:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tables = []
    with Progress(*columns, console=screen.console(), transient=True) as bar:
        own = bar.add_task("every design", total=sum(chunk.points for chunk in work.chunks))
        for chunk in work.chunks:
            tables.append(work.compute(chunk))
            bar.advance(own, chunk.points)
    return design_sweep.merged(tables)


def _workload(task: Task) -> str:
    name = task.workload.get("network") or "x".join(map(str, task.workload["layer"]))
    return f"{name}, batch {task.batch}"


def _by_workload(tasks: Sequence[Task]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for index, task in enumerate(tasks):
        rows.setdefault(_workload(task), []).append(index)
    return rows


def _kind(task: Task, sweep: Sweep) -> dict[str, Any]:
    """What tells a kind from the others of the space."""
    own = task.kind._asdict()
    several = [name for name in own if len(getattr(sweep.space, name)) > 1]
    return {name: own[name] for name in ("schedule", *several)}


def _all(tasks: Sequence[Task], outcomes: Sequence[Outcome], sweep: Sweep) -> Table:
    """Every design that was costed exactly."""
    table: Table = {}
    for task, outcome in zip(tasks, outcomes, strict=True):
        count = len(outcome.designs["rows"])
        network, _, batch = _workload(task).rpartition(", batch ")
        same = {"network": network, "batch": int(batch), **task.kind._asdict()}
        own = {name: [value] * count for name, value in same.items()} | outcome.designs
        own[f"relaxed_{COLUMNS[sweep.descent.objective]}"] = own.pop("relaxed")
        for name, values in own.items():
            table.setdefault(name, []).extend(values)
    return table


def _best(
    name: str,
    rows: Sequence[int],
    tasks: Sequence[Task],
    outcomes: Sequence[Outcome],
    truths: Sequence[Truth] | None,
    sweep: Sweep,
) -> Any:
    """The best design of each kind, the best of all first."""
    column, shown = COLUMNS[sweep.descent.objective], []
    axes = [name for name, values in sweep.axes.items() if len(values) > 1]
    for index in rows:
        outcome, best = outcomes[index], outcomes[index].best
        row: dict[str, Any] = {**_kind(tasks[index], sweep), **dict.fromkeys(axes, "-")}
        row |= {"at it\n[%]": f"{100 * outcome.found_it(column):.0f}", "costed": len(outcome.designs["rows"])}
        if truths is not None:
            row |= {"of": truths[index].designs, "off\n[%]": _missed(outcome, truths[index], column)}
        names = list(row)
        for own in (*axes, *COLUMNS.values()):
            if own in outcome.designs:
                row[own] = row.get(own) if best is None else outcome.designs[own][best]
        shown.append(row)
    shown.sort(key=lambda row: math.inf if row.get(column) is None else row[column])
    return designs.on_screen(f"{name}: least {_sought(sweep)}", names, shown, list(COLUMNS.values()))


def _missed(outcome: Outcome, truth: Truth, column: str) -> str:
    if truth.best is None or outcome.best is None:
        return "-" if truth.best is None else "missed"
    return f"{100 * (outcome.designs[column][outcome.best] / truth.best[column] - 1):.2f}"


def _tell(outcomes: Sequence[Outcome], truths: Sequence[Truth] | None, sweep: Sweep) -> None:
    """How far the relaxed cost is from the exact one, and how often the search found the best."""
    terminal, column = screen.console(), COLUMNS[sweep.descent.objective]
    off = "; off: how far it is from the best of all designs" if truths is not None else ""
    terminal.print(
        f"at it: descents that ended at this design, or within 1 % of it; costed: designs costed exactly{off}",
        soft_wrap=True,
    )
    gaps = [gap for outcome in outcomes for gap in outcome.gaps(column)]
    if gaps:
        terminal.print(
            f"At the {len(gaps)} designs costed that fit, the relaxed cost ({_NAMES[sweep.descent.objective]}) differs "
            f"from the exact one by "
            f"{100 * sum(gaps) / len(gaps):.1f} % in the mean and {100 * max(gaps):.1f} % at most.", soft_wrap=True,
        )  # fmt: skip
    else:
        terminal.print("No design that was looked at fits: give more SRAM, smaller arrays or wider limits.")
    if truths is not None:
        met = [
            outcome.best is not None and outcome.designs[column][outcome.best] <= truth.best[column]
            for outcome, truth in zip(outcomes, truths, strict=True) if truth.best is not None
        ]  # fmt: skip
        looked, every = sum(len(own.designs["rows"]) for own in outcomes), sum(truth.designs for truth in truths)
        terminal.print(
            f"Of {len(met)} searches {sum(met)} found the best design, costing {looked:,} of {every:,} designs "
            f"({100 * looked / every:.2g} %).", soft_wrap=True,
        )  # fmt: skip


def _draw(
    path: Path,
    name: str,
    rows: Sequence[int],
    tasks: Sequence[Task],
    outcomes: Sequence[Outcome],
    truths: Sequence[Truth] | None,
    sweep: Sweep,
) -> list[Path]:
    label, scale = _UNITS[sweep.descent.objective]
    column = COLUMNS[sweep.descent.objective]
    descents, found, best = {}, {}, {}
    for index in rows:
        outcome = outcomes[index]
        kind = " ".join(_written(each) for each in _kind(tasks[index], sweep).items())
        descents[kind] = [[math.exp(loss) * scale for loss in losses] for losses in outcome.losses]
        if outcome.best is not None:
            found[kind] = outcome.designs[column][outcome.best] * scale
        if truths is not None and (truth := truths[index].best) is not None:
            best[kind] = truth[column] * scale
    title = f"{name}: descents to the least {_sought(sweep)}"
    return plots.descents(descents, found, path, title, y_label=f"relaxed {label}", best=best)


def _written(each: tuple[str, Any]) -> str:
    name, value = each
    return ("double-buffered" if value else "serial") if name == "double_buffered" else str(value)

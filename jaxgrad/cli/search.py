"""``jaxgrad search``: the best designs of a space, by descents from many starts or by costing every design."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices, stored
from jaxgrad.cli.cluster import CLUSTER, RETRIES, TRIES_AGAIN
from jaxgrad.cli.options import IN_SOURCES, Choice, config_file, option, table_out
from jaxgrad.cli.output_options import NO_TITLE, STYLE, WIDTH, figure_style, typed_style
from jaxgrad.cli.stored import CHECK, KEPT, STORE

if TYPE_CHECKING:
    from jaxgrad.designs.schema import Sweep
    from jaxgrad.designs.sweep import Table
    from jaxgrad.reports.style import FigureStyle
    from jaxgrad.studies import design_search
    from jaxgrad.studies.design_search import Outcome, Strategy, Task, Truth

_NAMES = {"cycles": "cycles", "energy": "energy", "area": "area", "edp": "energy-delay product"}


def search(
    config: Annotated[Path, config_file(f"A TOML file, as those in experiments/sweeps {IN_SOURCES}.")],
    out: Annotated[
        Path | None,
        table_out("The table of all designs looked at, .csv or .parquet.", "results/NAME_search.csv"),
    ] = None,
    store: Annotated[str, STORE] = KEPT,
    cluster: Annotated[str | None, CLUSTER] = None,
    retries: Annotated[int, RETRIES] = TRIES_AGAIN,
    method: Annotated[
        str,
        option(
            "--method",
            "NAME",
            "descents, every (cost every design), or auto: what is estimated to take less.",
            rule=Choice(choices.search_methods),
        ),
    ] = "auto",
    exhaustive: Annotated[
        bool, option("--exhaustive", None, "Descents, and every design besides: says what the descents missed.")
    ] = False,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
    check: Annotated[bool, CHECK] = False,
) -> int:
    """Find the best designs of a space: every design costed or, in a large space, those that descents reach."""
    from jaxgrad.cli import cache, designs, progress, screen
    from jaxgrad.cli.cluster import executor, following, typed
    from jaxgrad.designs.space import check_together
    from jaxgrad.reports import tabular
    from jaxgrad.reports.screen import headed
    from jaxgrad.studies import design_search, design_sweep

    typed_method = None if method == "auto" else method
    cache.turn_on()
    if exhaustive and method == "every":
        raise InputError("method", method, "leave one of the two out", problem="got 'every' and --exhaustive")
    terminal = screen.console()
    space, table_file, write, results = designs.opened(config, out, store, "_search")
    tasks = design_search.tasks(space, config)
    if check:
        terminal.print(f"{config}: {space.title}. {_intended(len(tasks), space, method)}", soft_wrap=True)
        return 0
    with progress.busy("tracing the networks", terminal):
        work = design_search.SearchWork(space, config, results)
        strategy = design_search.strategy(work, "descents" if exhaustive else method)
        by_descents = strategy.method == "descents"
        if not by_descents or exhaustive:
            check_together(space)
        every_design = None if by_descents and not exhaustive else design_sweep.SweepWork(space, config, results)
    terminal.print(headed(space.title, f": {_strategy_text(len(tasks), space, strategy)}"), soft_wrap=True)
    options = {
        "exhaustive": exhaustive,
        "method": typed_method,
        **typed(cluster, retries),
        **typed_style(style, width, no_title),
    }
    with stored.resuming(stored.again("search", config, out, store, **options)), executor(cluster, retries) as workers:
        outcomes = list(work.results(workers, following)) if by_descents else None
        table = design_sweep.merged(every_design.results(workers, following)) if every_design else None
    rows = _rows(work, outcomes, table)
    files = [table_file]
    with progress.busy("writing", terminal):
        looked_at = _all_designs(rows, space)
        with write() as put:
            put(looked_at)
        for name in dict.fromkeys(row.workload for row in rows):
            workload_rows = [row for row in rows if row.workload == name]
            shown = _best_designs(name, workload_rows, space)
            terminal.print(shown)
            place = table_file.with_name(f"{table_file.stem}_{name.replace(', ', '_').replace(' ', '')}")
            files += tabular.write(place, shown, ("md", "tex"))
            if by_descents:
                files += _draw(place, name, workload_rows, space, figure_style(style, width, no_title))
        objectives = list(dict.fromkeys([space.descent.objective, *space.pareto.objectives]))
        files += designs.page(table_file, space, design_sweep.gathered([looked_at], objectives), files)
    _print_summary(rows, space)
    terminal.print(f"\nIn {table_file.parent}: {', '.join(file.name for file in files)}", soft_wrap=True)
    return 0


class _Row(NamedTuple):
    """One search and what came of it; ``truth`` only where every design was costed."""

    task: Task
    outcome: Outcome
    truth: Truth | None

    @property
    def workload(self) -> str:
        return f"{self.task.network}, batch {self.task.batch}"

    def kind(self, sweep: Sweep) -> dict[str, Any]:
        """What tells it from the other kinds of the space."""
        parameters = self.task.kind._asdict()
        several = [name for name in parameters if len(getattr(sweep.space, name)) > 1]
        return {name: parameters[name] for name in ("schedule", *several)}

    def missed(self, column: str) -> float | None:
        """By how much the best design found is above the best there is, as a ratio; None where one of them is none."""
        if self.truth is None or self.truth.best is None or self.outcome.best is None:
            return None
        return self.outcome.designs[column][self.outcome.best] / self.truth.best[column] - 1


def _rows(work: design_search.SearchWork, outcomes: Sequence[Outcome] | None, table: Table | None) -> list[_Row]:
    """A row for each search.

    Args:
        work: the searches.
        outcomes: of descents; None where there were none.
        table: of every design; None where not all were costed.
    """
    from jaxgrad.studies import design_search

    sweep, technology = work.sweep, work.technology
    if outcomes is None:
        assert table is not None  # one of the two is there
        return [_Row(task, design_search.costed(table, task, sweep, technology), None) for task in work.parts]
    return [
        _Row(task, outcome, None if table is None else design_search.truth(table, task, sweep, technology))
        for task, outcome in zip(work.parts, outcomes, strict=True)
    ]


def _intended(count: int, sweep: Sweep, method: str) -> str:
    """What would be done, as far as it can be told before the networks are traced."""
    descents, every = _descents_text(count, sweep), f"every one of {sweep.points:,} designs costed"
    ways = {"descents": descents, "every": every, "auto": f"{descents}, or {every} if that takes less"}
    return f"least {_objective_text(sweep)}; {ways[method]}"


def _strategy_text(count: int, sweep: Sweep, strategy: Strategy) -> str:
    """What is done and, where there was a choice, why."""
    from jaxgrad.array.pace import duration

    text, effort = _intended(count, sweep, strategy.method), strategy.effort
    if effort is None:
        return text
    if math.isinf(effort.every_s):
        return f"{text}: too many designs to cost them all"
    seconds = effort.descents_s, effort.every_s
    other, flag = f"all {sweep.points:,} designs", "every"
    if strategy.method == "every":
        seconds, other, flag = seconds[::-1], _descents_text(count, sweep), "descents"
    taken, avoided = map(duration, seconds)
    return f"{text}, estimated at {taken}; {other} would take {avoided} (--method {flag})"


def _descents_text(count: int, sweep: Sweep) -> str:
    return f"{count} x {sweep.descent.starts} descents of {sweep.descent.steps} steps"


def _objective_text(sweep: Sweep) -> str:
    from jaxgrad.reports.numbers import given

    descent = sweep.descent
    limits = []
    if descent.max_area_mm2 is not None:
        limits.append(f"{given(descent.max_area_mm2)} mm2")
    if descent.max_pes is not None:
        limits.append(f"{descent.max_pes} PEs")
    return _NAMES[descent.objective] + (f" in at most {' and '.join(limits)}" if limits else "")


def _all_designs(rows: Sequence[_Row], sweep: Sweep) -> Table:
    """Every design that was costed exactly."""
    from jaxgrad.designs.schema import COLUMNS

    table: Table = {}
    for row in rows:
        count = len(row.outcome.designs["rows"])
        constants = {"network": row.task.network, "batch": row.task.batch, **row.task.kind._asdict()}
        columns = {name: [value] * count for name, value in constants.items()} | row.outcome.designs
        if "relaxed" in columns:
            columns[f"relaxed_{COLUMNS[sweep.descent.objective]}"] = columns.pop("relaxed")
        for name, values in columns.items():
            table.setdefault(name, []).extend(values)
    return table


def _best_designs(name: str, rows: Sequence[_Row], sweep: Sweep) -> Any:
    """The best design of each kind, the best of all first."""
    from jaxgrad.cli import designs
    from jaxgrad.designs.schema import COLUMNS
    from jaxgrad.reports.numbers import fixed

    column, shown = COLUMNS[sweep.descent.objective], []
    axes = [axis for axis, values in sweep.axes.items() if len(values) > 1]
    for row in rows:
        costed, best, missed = row.outcome.designs, row.outcome.best, row.missed(column)
        cells: dict[str, Any] = {**row.kind(sweep), **dict.fromkeys(axes, "-")}
        if row.outcome.ends:
            cells["at it\n[%]"] = fixed(100 * row.outcome.found_it(column), 0)
        cells["costed"] = str(len(costed["rows"]))
        if row.truth is not None:
            cells["costed"] += f"/{row.truth.designs}"
            cells["off\n[%]"] = fixed(None if missed is None else 100 * missed, 2)
        names = list(cells)
        for name_shown in (*axes, *COLUMNS.values()):
            if name_shown in costed:
                cells[name_shown] = cells.get(name_shown) if best is None else costed[name_shown][best]
        shown.append(cells)
    shown.sort(key=lambda cells: math.inf if cells.get(column) is None else cells[column])
    return designs.on_screen(f"{name}: least {_objective_text(sweep)}", names, shown, list(COLUMNS.values()))


def _print_summary(rows: Sequence[_Row], sweep: Sweep) -> None:
    """How far the relaxed cost is from the exact one, and how often the search found the best."""
    from jaxgrad.cli import screen
    from jaxgrad.designs.schema import COLUMNS
    from jaxgrad.reports.numbers import fixed, significant

    terminal, column = screen.console(), COLUMNS[sweep.descent.objective]
    compared = [row for row in rows if row.truth is not None]
    has_ends = any(row.outcome.ends for row in rows)
    meanings = ["at it: descents that ended at this design, or within 1 % of it"] if has_ends else []
    meanings += ["costed: designs within the limits, costed exactly"]
    meanings += ["off: how far it is from the best of all designs"] if compared else []
    lines, gaps = ["; ".join(meanings)], [gap for row in rows for gap in row.outcome.gaps(column)]
    if gaps:
        mean, most = sum(gaps) / len(gaps), max(gaps)
        lines.append(
            f"At the {len(gaps)} designs costed that fit, the relaxed cost ({_NAMES[sweep.descent.objective]}) differs "
            f"from the exact one by {fixed(100 * mean, 1)} % in the mean and {fixed(100 * most, 1)} % at most."
        )
    if all(row.outcome.best is None for row in rows):
        lines.append("No design that was looked at fits: give more SRAM, smaller arrays or wider limits.")
    if compared:
        possible = [row for row in compared if row.truth and row.truth.best is not None]
        met = sum(missed is not None and missed <= 0 for missed in (row.missed(column) for row in possible))
        looked = sum(len(row.outcome.designs["rows"]) for row in compared)
        all_designs = sum(row.truth.designs for row in compared if row.truth)
        lines.append(
            f"Of {len(possible)} searches {met} found the best design, costing {looked:,} of {all_designs:,} designs "
            f"({significant(100 * looked / all_designs, 2)} %)."
        )
    for line in lines:
        terminal.print(line, soft_wrap=True)


def _draw(path: Path, name: str, rows: Sequence[_Row], sweep: Sweep, style: FigureStyle) -> list[Path]:
    from jaxgrad.cli import designs
    from jaxgrad.designs.schema import COLUMNS
    from jaxgrad.reports import plots
    from jaxgrad.reports.quantities import of_column

    column = COLUMNS[sweep.descent.objective]
    descents, best_found, best = {}, {}, {}
    for row in rows:
        kind = " ".join(designs.parameter_text(*parameter) for parameter in row.kind(sweep).items())
        descents[kind] = [list(map(math.exp, losses)) for losses in row.outcome.losses]
        if row.outcome.best is not None:
            best_found[kind] = row.outcome.designs[column][row.outcome.best]
        if row.truth is not None and row.truth.best is not None:
            best[kind] = row.truth.best[column]
    quantity = of_column(column, [*best_found.values(), *best.values()])
    size = quantity.unit.size
    return plots.descents(
        {
            kind: [[value / size for value in descent] for descent in kind_descents]
            for kind, kind_descents in descents.items()
        },
        {kind: value / size for kind, value in best_found.items()},
        path.with_name(f"{path.name}_descents"),
        f"{name}: descents to the least {_objective_text(sweep)}",
        y_label=f"relaxed {quantity.label}",
        best={kind: value / size for kind, value in best.items()},
        style=style,
    )

"""``jaxgrad pipeline``: a network's training on P arrays, under each pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaxgrad.base.errors import InputError, one_of
from jaxgrad.cli import choices
from jaxgrad.cli.compare import images_of
from jaxgrad.cli.machine import machine_of
from jaxgrad.cli.options import MODEL, OUTPUT, PIPELINE, RATE, SIZE, Choice, Shape, given, option, path
from jaxgrad.cli.output_options import FORMAT, NO_TITLE, STYLE, WIDTH, check_one, figure_style, print_tables
from jaxgrad.cli.shared_options import (
    BATCH,
    CLASSES,
    COLS,
    DOUBLE_BUFFERED,
    JSON,
    MACHINE,
    PIPELINE_TIME,
    ROWS,
    TRAINING_SCHEDULE,
)
from jaxgrad.networks.names import short
from jaxgrad.training import defaults

if TYPE_CHECKING:
    from jaxgrad.hardware import Machine
    from jaxgrad.pipelines.network import Network
    from jaxgrad.pipelines.plans import Plan, Row
    from jaxgrad.reports.style import FigureStyle

_MOST_PROCESSORS = 4096
_COMPARED = ("single", "pipedream")


@dataclass(frozen=True)
class Counts:
    """Numbers of arrays: ``4``, ``2-10``, or ``2,4,8``."""

    values: tuple[int, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.values))

    @classmethod
    def parsed(cls, name: str, value: Any) -> Counts:
        """A rule: numbers and ranges with commas between."""
        if isinstance(value, cls):
            return value
        found: list[int] = []
        for part in value.split(","):
            ends = part.split("-")
            if len(ends) > 2 or not all(end.strip().isdecimal() and len(end) < 9 for end in ends):
                raise InputError(name, value, "give numbers of arrays, such as 4, 2-10 or 2,4,8")
            first, last = int(ends[0]), int(ends[-1])
            if not 1 <= first <= last <= _MOST_PROCESSORS:
                raise InputError(name, value, f"give numbers from 1 to {_MOST_PROCESSORS}, the lesser first")
            found += range(first, last + 1)
        return cls(tuple(sorted(set(found))))


@dataclass(frozen=True)
class Pipelines:
    """Names of pipelines."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.names)

    @classmethod
    def parsed(cls, name: str, value: Any) -> Pipelines:
        """A rule: names with commas between, or ``all``."""
        if isinstance(value, cls):
            return value
        known = choices.pipelines()
        if value == "all":
            return cls(tuple(known))
        return cls(tuple(dict.fromkeys(one_of(name, part.strip(), known) for part in value.split(","))))


def pipeline(
    context: typer.Context,
    model: Annotated[
        str,
        option(
            "--model",
            "NAME",
            "As in compare: lenet, vgg16, resnet50, ...; or your own, FILE.py:NAME.",
            MODEL,
            rule=Choice(choices.models, choices.network),
        ),
    ] = defaults.MODEL,
    input_shape: Annotated[
        Shape | None, option("--input-shape", "HxWxC", "The size of an image, as 32x32x3.", MODEL, rule=Shape.of)
    ] = None,
    classes: Annotated[int | None, CLASSES] = None,
    batch: Annotated[int, BATCH] = defaults.BATCH_SIZE,
    processors: Annotated[
        Counts, option("--processors", "N", "Arrays: 4, 2-10 or 2,4,8.", PIPELINE, rule=Counts.parsed)
    ] = Counts((2, 4)),
    pipelines: Annotated[
        Pipelines,
        option(
            "--pipelines",
            "NAMES",
            "With commas between: single, pipedream, pipedream_replicated, layerpipe_intra, layerpipe, data_parallel, "
            "gpipe, 1f1b, interleaved_1f1b, zb_h1, zb_h2; or all.",
            PIPELINE,
            rule=Pipelines.parsed,
        ),
    ] = Pipelines(("single", "pipedream", "layerpipe_intra", "layerpipe")),
    time: Annotated[str, PIPELINE_TIME] = defaults.TIME,
    microbatches: Annotated[
        int, option("--microbatches", "N", "Into which flushed pipelines cut a batch.", PIPELINE, rule=SIZE)
    ] = 8,
    chunks: Annotated[
        int, option("--chunks", "N", "Stages an array has under interleaved_1f1b.", PIPELINE, rule=SIZE)
    ] = 2,
    words_per_cycle: Annotated[
        float | None,
        option(
            "--words-per-cycle",
            "RATE",
            "What a link to a neighbour carries each way in a unit of time.",
            PIPELINE,
            rule=RATE,
            default="words take no time",
        ),
    ] = None,
    overlapped: Annotated[
        bool,
        option("--overlapped/--blocking", None, "Whether arrays work on while their words leave.", PIPELINE),
    ] = True,
    update_cycles: Annotated[
        bool,
        option(
            "--update-cycles/--no-update-cycles",
            None,
            "Whether the update of weights takes time, once a batch: R cycles a tile of W.",
            PIPELINE,
        ),
    ] = False,
    rows: Annotated[int, ROWS] = defaults.ROWS,
    cols: Annotated[int, COLS] = defaults.COLS,
    double_buffered: Annotated[bool, DOUBLE_BUFFERED] = defaults.DOUBLE_BUFFERED,
    machine: Annotated[Path | None, MACHINE] = None,
    schedule: Annotated[str, TRAINING_SCHEDULE] = "sequential",
    out: Annotated[
        Path | None,
        option(
            "--out",
            "DIR",
            "Where the figures and the trace go, new or empty.",
            OUTPUT,
            rule=path,
            default="runs/pipeline-MODEL-NUMBER",
        ),
    ] = None,
    style: Annotated[str, STYLE] = "screen",
    width: Annotated[str | None, WIDTH] = None,
    no_title: Annotated[bool, NO_TITLE] = False,
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Train a network on several arrays, in cycles, words and versions of weights: LayerPipe beside other pipelines."""
    from jaxgrad.base.files import write_text
    from jaxgrad.cli import cache, progress, screen
    from jaxgrad.pipelines.partitions import Link
    from jaxgrad.pipelines.plans import plans
    from jaxgrad.pipelines.plans import rows as in_numbers
    from jaxgrad.reports import pipelines as report
    from jaxgrad.reports import tabular
    from jaxgrad.training import runs

    check_one(format_, as_json)
    cache.turn_on()
    hardware = machine_of(machine, rows, cols, double_buffered, given(context))
    link = None if words_per_cycle is None else Link(words_per_cycle, overlapped)
    networks = _networks(model, input_shape, classes, hardware, schedule, time, update_cycles)
    folder = None if out is None else runs.check_vacant(out)
    terminal = screen.console()
    sizes = {"microbatches": microbatches, "chunks": chunks, "link": link}
    with progress.busy("laying the network out", terminal):
        # What the others are compared with is laid out too, and once where it is shown.
        names = list(dict.fromkeys((*pipelines.names, *_COMPARED)))
        planned = plans(networks, batch, processors.values, names, **sizes)
        found = {key: plan for key, plan in planned.items() if key[1] in pipelines.names}
        pipedream = {count: plan.period for (count, name), plan in planned.items() if name in _COMPARED}
        table = in_numbers(found, networks(batch), pipedream)
    data = json.dumps({"model": model, "batch": batch, "time": time, "rows": [asdict(row) for row in table]})
    if as_json:
        print(data)
    on = f" on {hardware.array.rows}x{hardware.array.cols} arrays" if time == "cycles" else ""
    shown = report.table(table, f"{short(model)}, batch {batch}: a training step{on}, time in {time}")
    only_data = as_json or format_ is not None
    if format_:
        print_tables(shown, format_)
    elif not as_json:
        terminal.print(shown)
        terminal.print(report.legend(found, time))
    if folder is None and not only_data:
        folder = runs.vacant(Path("runs"), f"pipeline-{short(model)}")
    if folder:
        runs.create_folder(folder)
        with progress.busy("drawing", terminal):
            write_text(folder / "pipeline.json", data)
            _draw(found, table, folder, f"{short(model)}, batch {batch}", time, figure_style(style, width, no_title))
            tabular.write(folder / "tables", shown)
        if not only_data:
            terminal.print(f"\nIn {folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}")
    return 0


def _draw(
    found: Mapping[tuple[int, str], Plan], rows: Sequence[Row], folder: Path, title: str, time: str, style: FigureStyle
) -> None:
    from jaxgrad.reports import pipelines as report
    from jaxgrad.reports.timeline import pipelines as timeline

    report.speedups(rows, folder / "speedup", f"Speed-up over one array ({title})", style=style)
    most = max(count for count, _ in found)
    shown = {name: plan for (count, name), plan in found.items() if count == most}
    timeline.gantt(shown, folder / "gantt", f"Warm-up and steady state on {most} arrays ({title})", time, style=style)
    timeline.write(shown, folder / "trace.json", {"title": title, "time": f"1 us is 1 {time[:-1]}"})


def _networks(
    model: str,
    input_shape: Shape | None,
    classes: int | None,
    machine: Machine,
    schedule: str,
    time: str,
    update_cycles: bool,
) -> Callable[[int], Network]:
    """The network at a batch size, each traced once."""
    import functools

    from jaxgrad.array.emulation import Emulation
    from jaxgrad.cli.compare import classes_of
    from jaxgrad.flax import step_work
    from jaxgrad.networks.network import resolve
    from jaxgrad.pipelines.network import network

    named = resolve(model)
    shape, _ = images_of(named, None, input_shape)
    emulation = Emulation(machine.array, schedule)

    @functools.cache
    def at(batch: int) -> Network:
        abstract = named.abstract(input_shape=shape, classes=classes or classes_of(named, shape))
        work = step_work(abstract, named.batch(batch, shape))
        return network(work.graph, emulation, machine=machine, time=time, update_cycles=update_cycles)

    return at

"""What ``jaxgrad scalesim`` counts, and how it is written and shown."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jaxgrad.interop.scalesim.cfg import Config
    from jaxgrad.interop.scalesim.layers import Layer
    from jaxgrad.interop.scalesim.model import Figures
    from jaxgrad.interop.scalesim.quirks import Correction


class Result(NamedTuple):
    """The figures of one topology: layer by layer, with the corrections of SCALE-Sim's quirks.

    Args:
        layers: as the machine takes them.
        representation: of sparse filters, on a machine that makes use of them.
    """

    layers: list[Layer]
    figures: list[Figures]
    corrections: list[list[Correction]]
    representation: str | None


def count(layers: list[Layer], machine: Config) -> Result:
    """The figures of every layer on a machine."""
    from jaxgrad.cli import progress, screen
    from jaxgrad.interop.scalesim.layers import with_sparsity
    from jaxgrad.interop.scalesim.model import figures
    from jaxgrad.interop.scalesim.quirks import corrections

    layers = [with_sparsity(layer, machine.sparsity is not None, machine.row_wise) for layer in layers]
    followed = progress.follow(layers, screen.console(), total=len(layers), label=lambda layer: layer.name)
    counted = [figures(layer, machine) for layer in followed]
    corrected = [list(corrections(layer, machine, figure)) for layer, figure in zip(layers, counted, strict=True)]
    return Result(layers, counted, corrected, machine.sparsity)


def files(folder: Path | None, run_name: str, result: Result) -> dict[Path, str]:
    """The texts of a run's reports, by path; none without a folder for them."""
    from jaxgrad.interop.scalesim.reports import quirks_report, reports

    if folder is None:
        return {}
    named = [(layer.name, rows) for layer, rows in zip(result.layers, result.corrections, strict=True)]
    quirks = quirks_report((number, *row) for number, row in enumerate(named))
    texts = reports(result.figures, result.representation) | {"QUIRKS_REPORT.csv": quirks}
    return {folder / run_name / name: text for name, text in texts.items()}


def write(texts: Mapping[Path, str]) -> None:
    """Writes all files or, where one can't be written, none; they replace older ones."""
    from jaxgrad.base.files import whole

    with contextlib.ExitStack() as stack:
        for path, text in texts.items():
            stack.enter_context(whole(path)).write_text(text, encoding="utf-8")


def as_dicts(result: Result) -> list[dict[str, Any]]:
    """A record for each layer, as ``--json`` prints it."""
    return [
        {
            "name": layer.name,
            "line": layer.line,
            **layer.product._asdict(),
            **{name: _plain(value) for name, value in vars(figure).items() if value is not None},
            "cycles_with_prefetch": figure.cycles_with_prefetch,
            "stall_cycles": figure.stall_cycles,
            "overall_utilisation": figure.overall_utilisation,
            "corrections": [correction._asdict() for correction in rows],
        }
        for layer, figure, rows in zip(result.layers, result.figures, result.corrections, strict=True)
    ]


def _plain(value: Any) -> Any:
    from jaxgrad.interop.scalesim.storage import Storage
    from jaxgrad.interop.scalesim.traffic import Traffic

    return value._asdict() if isinstance(value, (Traffic, Storage)) else value


def print_data(shown: Mapping[str, Result], form: str) -> None:
    """Prints the tables of results, by title, in a format; with every layer."""
    from jaxgrad.cli.output_options import print_tables
    from jaxgrad.interop.scalesim import tables

    print_tables(
        [
            table
            for title, result in shown.items()
            for table in (
                tables.layers_table(title, result.layers, result.figures, result.corrections, most=len(result.layers)),
                tables.quirks_table(result.corrections),
            )
        ],
        form,
    )


def show(title: str, result: Result, notes: Sequence[str], paths: Sequence[Path]) -> None:
    """Prints the tables, then notes, then the paths of the files that were written."""
    from jaxgrad.cli import screen
    from jaxgrad.interop.scalesim import tables

    terminal = screen.console()
    terminal.print(tables.layers_table(title, result.layers, result.figures, result.corrections))
    terminal.print(tables.quirks_table(result.corrections))
    for line in tables.meanings(result.corrections):
        terminal.print(line, soft_wrap=False)
    for note in notes:
        terminal.print(f"note: {note}")
    if paths:
        names = ", ".join(path.name for path in paths)
        terminal.print(f"\nIn {paths[0].parent}: {names}", soft_wrap=True)

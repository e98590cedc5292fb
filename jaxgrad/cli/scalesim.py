"""``jaxgrad scalesim``: SCALE-Sim's reports from SCALE-Sim's files. Only ``--model`` needs JAX, and imports it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli.compare import classes_of, models
from jaxgrad.cli.options import JSON, MODEL, RESULTS, SIZE, Choice, Shape, file, given, option, path

if TYPE_CHECKING:
    from jaxgrad.interop.scalesim.cfg import Config
    from jaxgrad.interop.scalesim.layers import Layer
    from jaxgrad.interop.scalesim.model import Figures
    from jaxgrad.interop.scalesim.quirks import Correction
    from jaxgrad.interop.scalesim.training import Phase
    from jaxgrad.programs import LayerGemm

_OWN = "SCALE-Sim's own"


class Result(NamedTuple):
    """The figures of one topology."""

    layers: list[Layer]
    figures: list[Figures]
    corrections: list[list[Correction]]


def _kinds() -> Sequence[str]:
    from jaxgrad.interop.scalesim.topology import KINDS

    return KINDS


def _phases() -> Sequence[str]:
    from jaxgrad.interop.scalesim.training import PHASES

    return PHASES


def scalesim(
    context: typer.Context,
    config: Annotated[
        Path | None, option("-c --config", "CFG", "The machine, a SCALE-Sim .cfg.", _OWN, rule=file)
    ] = None,
    topology: Annotated[
        Path | None,
        option(
            "-t --topology",
            "CSV",
            "The layers, a SCALE-Sim topology; columns Stride width, Padding, Batch and Groups may follow its own.",
            _OWN,
            rule=file,
        ),
    ] = None,
    kind: Annotated[
        str, option("-i --input", "KIND", "What the topology holds: conv or gemm.", _OWN, rule=Choice(_kinds))
    ] = "conv",
    folder: Annotated[
        Path | None,
        option(
            "-p --path",
            "DIR",
            "Where the reports go, in a folder of the run's name.",
            _OWN,
            rule=path,
            default="results; none with --json",
        ),
    ] = None,
    layout: Annotated[
        Path | None,
        option("-l --layout", "CSV", "Taken and left unread: no figure depends on it.", _OWN, rule=file),
    ] = None,
    save_trace: Annotated[
        str | None,
        option(
            "-s --save-trace",
            "Y|N",
            "Taken without effect: traces are never written.",
            _OWN,
            rule=Choice(lambda: ("Y", "N")),
        ),
    ] = None,
    calc: Annotated[bool, option("--calc", None, "Count as in CALC mode although the .cfg says USER.")] = False,
    model: Annotated[
        str | None,
        option(
            "--model",
            "NAME",
            "Instead of -t: write the GEMMs of a model as topologies (lenet, resnet50, ...).",
            MODEL,
            rule=Choice(models),
        ),
    ] = None,
    phase: Annotated[
        str | None,
        option(
            "--phase",
            "NAME",
            "The GEMMs of forward, dx or dw alone.",
            MODEL,
            rule=Choice(_phases),
            default="all three",
        ),
    ] = None,
    batch: Annotated[int, option("--batch", "N", "Images a step.", MODEL, rule=SIZE)] = 1,
    input_shape: Annotated[
        Shape | None,
        option(
            "--input-shape",
            "HxWxC",
            "The size of an image.",
            MODEL,
            rule=Shape.of,
            default="that of the model's paper",
        ),
    ] = None,
    classes: Annotated[
        int | None,
        option("--classes", "N", "Outputs of the model.", MODEL, rule=SIZE, default="10, or 1000 from 128 pixels up"),
    ] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """SCALE-Sim 3.0.0's reports from its own files in a moment, its quirks named and each figure put right beside."""
    if (topology is None) == (model is None):
        problem = f"got {str(topology)!r} and --model {model}" if topology else f"got {topology} and --model {model}"
        raise InputError("topology", topology, "give one of the two", problem=problem)
    place = RESULTS if folder is None and not as_json else folder
    if topology is not None:
        if config is None:
            raise InputError("config", None, "give a SCALE-Sim .cfg", problem="got none")
        machine = _machine(config, calc)
        _refuse(context, ("phase", "batch", "input_shape", "classes"), "it goes with --model")
        notes = ["-s Y: no traces are written"] if save_trace == "Y" else []
        if layout is not None:
            notes.append(f"-l: {layout} is left unread, no figure of CALC mode depends on it")
        return _from_files(topology, kind, machine, place, notes, as_json)
    machine = None if config is None else _machine(config, calc)
    _refuse(context, ("layout", "save_trace"), "it goes without --model")
    assert model is not None  # one of the two is given
    traced = _traced(model, input_shape, classes, batch)
    return _from_model(model, traced, phase, machine, place, as_json)


def _refuse(context: typer.Context, names: Sequence[str], remedy: str) -> None:
    for name in names:
        if name in given(context):
            raise InputError(name, context.params[name], remedy)


def _machine(file: Path, calc: bool) -> Config:
    from jaxgrad.interop.scalesim.cfg import read_cfg

    machine = read_cfg(file)
    if not machine.user_bandwidth:
        return machine
    if not calc:
        problem = f"got {str(file)!r}, whose InterfaceBandwidth is USER"
        raise InputError("config", file, "give CALC there, or --calc here", problem=problem)
    note = f"{file} says USER: by --calc these are the figures of CALC, not SCALE-Sim's with this file"
    return replace(machine, notes=(*machine.notes, note))


def _from_files(
    topology: Path, kind: str, machine: Config, place: Path | None, own_notes: list[str], as_json: bool
) -> int:
    from jaxgrad.interop.scalesim.topology import KINDS, read_topology

    read = read_topology(topology, next(known for known in KINDS if known == kind))
    result = _count(read.layers, machine)
    notes = [*machine.notes, *read.notes, *own_notes]
    files = _files(place, machine.run_name, result)
    _write(files)
    if as_json:
        print(json.dumps({"config": asdict(machine), "notes": notes, "layers": _as_dicts(result)}))
        return 0
    title = f"{topology.name} on {machine.rows}x{machine.cols}, {machine.dataflow}"
    _show(title, result, notes, list(files))
    return 0


def _from_model(
    name: str, traced: list[LayerGemm], phase: str | None, machine: Config | None, place: Path | None, as_json: bool
) -> int:
    from jaxgrad.cli import screen
    from jaxgrad.interop.scalesim.layers import gemm_layer
    from jaxgrad.interop.scalesim.topology import write_gemms
    from jaxgrad.interop.scalesim.training import PHASES, products

    phases: list[Phase] = [known for known in PHASES if phase in (None, known)]
    files: dict[Path, str] = {}
    shown: list[tuple[str, Result]] = []
    record: dict[str, Any] = {"notes": [*(machine.notes if machine else ())]}
    for phase in phases:
        gemms = products(traced, phase)
        if place is not None:
            files[place / f"{name}_{phase}.csv"] = write_gemms(gemms)
        record[phase] = [{"name": layer, **product._asdict()} for layer, product in gemms]
        if machine is not None:
            result = _count([gemm_layer(layer, *product) for layer, product in gemms], machine)
            files |= _files(place, f"{machine.run_name}_{name}_{phase}", result)
            shown.append((f"{name} {phase} on {machine.rows}x{machine.cols}, {machine.dataflow}", result))
            record[phase] = _as_dicts(result)
    _write(files)
    if as_json:
        print(json.dumps({"config": machine and asdict(machine), "model": name, **record}))
        return 0
    for title, result in shown:
        _show(title, result, [], [])
    terminal = screen.console()
    for note in record["notes"]:
        terminal.print(f"note: {note}")
    for each in files:
        terminal.print(str(each), soft_wrap=True)
    return 0


def _traced(name: str, input_shape: Shape | None, classes: int | None, batch: int) -> list[LayerGemm]:
    """What a model's training step asks for, from shapes alone: the GEMMs of its layers and, in attention, of its
    activations."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    import jaxgrad_models
    from jaxgrad.flax import step_gemms

    shape = input_shape or jaxgrad_models.INPUT_SHAPES.get(name, (8, 8, 1))
    outputs = classes or classes_of(shape)
    model = nnx.eval_shape(lambda: jaxgrad_models.build(name, input_shape=shape, classes=outputs, rngs=nnx.Rngs(0)))
    return step_gemms(model, jax.ShapeDtypeStruct((batch, *shape), jnp.float32))


def _count(layers: list[Layer], machine: Config) -> Result:
    from jaxgrad.cli import progress, screen
    from jaxgrad.interop.scalesim.model import figures
    from jaxgrad.interop.scalesim.quirks import corrections

    followed = progress.follow(layers, screen.console(), total=len(layers), label=lambda layer: layer.name)
    found = [figures(layer, machine) for layer in followed]
    put_right = [list(corrections(layer, machine, of)) for layer, of in zip(layers, found, strict=True)]
    return Result(layers, found, put_right)


def _files(place: Path | None, run_name: str, result: Result) -> dict[Path, str]:
    """The reports of a run, by path; none if there is no place for them."""
    from jaxgrad.interop.scalesim.reports import quirks_report, reports

    if place is None:
        return {}
    named = [(layer.name, rows) for layer, rows in zip(result.layers, result.corrections, strict=True)]
    quirks = quirks_report((number, *row) for number, row in enumerate(named))
    texts = reports(result.figures) | {"QUIRKS_REPORT.csv": quirks}
    return {place / run_name / name: text for name, text in texts.items()}


def _write(files: dict[Path, str]) -> None:
    """Writes all of the files or, as long as there is room for them, none; they take the place of older ones."""
    from jaxgrad.base.files import whole

    with contextlib.ExitStack() as stack:
        for path, text in files.items():
            stack.enter_context(whole(path)).write_text(text, encoding="utf-8")


def _as_dicts(result: Result) -> list[dict[str, Any]]:
    from jaxgrad.interop.scalesim.traffic import Traffic

    return [
        {
            "name": layer.name,
            "line": layer.line,
            **layer.product._asdict(),
            **{name: value._asdict() if isinstance(value, Traffic) else value for name, value in vars(of).items()},
            "cycles_with_prefetch": of.cycles_with_prefetch,
            "stall_cycles": of.stall_cycles,
            "overall_utilisation": of.overall_utilisation,
            "corrections": [correction._asdict() for correction in rows],
        }
        for layer, of, rows in zip(result.layers, result.figures, result.corrections, strict=True)
    ]


def _show(title: str, result: Result, notes: list[str], files: list[Path]) -> None:
    from jaxgrad.cli import screen
    from jaxgrad.interop.scalesim import tables

    terminal = screen.console()
    terminal.print(tables.layers_table(title, result.layers, result.figures, result.corrections))
    terminal.print(tables.quirks_table(result.corrections))
    for line in tables.meanings(result.corrections):
        terminal.print(line, soft_wrap=False)
    for note in notes:
        terminal.print(f"note: {note}")
    if files:
        names = ", ".join(path.name for path in files)
        terminal.print(f"\nIn {files[0].parent}: {names}", soft_wrap=True)

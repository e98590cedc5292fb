"""``jaxgrad scalesim``: SCALE-Sim's reports from SCALE-Sim's files. Only ``--model`` needs JAX, and imports it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices
from jaxgrad.cli import scalesim_results as results
from jaxgrad.cli.compare import classes_of
from jaxgrad.cli.options import MODEL, RESULTS, Choice, Shape, file, given, option, path
from jaxgrad.cli.output_options import FORMAT, check_one
from jaxgrad.cli.shared_options import BATCH, CLASSES, JSON

if TYPE_CHECKING:
    from jaxgrad.interop.scalesim.cfg import Config
    from jaxgrad.interop.scalesim.training import Phase
    from jaxgrad.programs import LayerGemm

_OWN = "SCALE-Sim's own"


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
        str,
        option(
            "-i --input", "KIND", "What the topology holds: conv or gemm.", _OWN, rule=Choice(choices.topology_kinds)
        ),
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
        option("-l --layout", "CSV", "Accepted and ignored: no figure depends on it.", _OWN, rule=file),
    ] = None,
    save_trace: Annotated[
        str | None,
        option(
            "-s --save-trace",
            "Y|N",
            "Accepted and ignored: traces are never written.",
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
            "Instead of -t: write the GEMMs of a model as topologies (lenet, resnet50, ...; your own, FILE.py:NAME).",
            MODEL,
            rule=Choice(choices.models, choices.network),
        ),
    ] = None,
    phase: Annotated[
        str | None,
        option(
            "--phase",
            "NAME",
            "The GEMMs of forward, dx or dw alone.",
            MODEL,
            rule=Choice(choices.gemm_phases),
            default="all three",
        ),
    ] = None,
    batch: Annotated[int, BATCH] = 1,
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
    classes: Annotated[int | None, CLASSES] = None,
    format_: Annotated[str | None, FORMAT] = None,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """SCALE-Sim 3.0.0's reports from its own files in a moment, its quirks named and each figure corrected."""
    if (topology is None) == (model is None):
        problem = f"got {str(topology)!r} and --model {model}" if topology else f"got {topology} and --model {model}"
        raise InputError("topology", topology, "give one of the two", problem=problem)
    check_one(format_, as_json)
    reports = RESULTS if folder is None and not (as_json or format_) else folder
    if topology is not None:
        if config is None:
            raise InputError("config", None, "give a SCALE-Sim .cfg", problem="got none")
        machine = _machine(config, calc)
        _refuse(context, ("phase", "batch", "input_shape", "classes"), "it goes with --model")
        notes = ["-s Y: no traces are written"] if save_trace == "Y" else []
        if layout is not None:
            notes.append(f"-l: {layout} is ignored, no figure of CALC mode depends on it")
        return _from_files(topology, kind, machine, reports, notes, as_json, format_)
    machine = None if config is None else _machine(config, calc)
    _refuse(context, ("layout", "save_trace"), "it goes without --model")
    assert model is not None  # one of the two is given
    traced = _traced(model, input_shape, classes, batch)
    return _from_model(model, traced, phase, machine, reports, as_json, format_)


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
    topology: Path,
    kind: str,
    machine: Config,
    folder: Path | None,
    option_notes: list[str],
    as_json: bool,
    form: str | None,
) -> int:
    from jaxgrad.interop.scalesim.topology import KINDS, read_topology

    read = read_topology(topology, next(name for name in KINDS if name == kind))
    result = results.count(read.layers, machine)
    notes = [*machine.notes, *read.notes, *option_notes]
    files = results.files(folder, machine.run_name, result)
    results.write(files)
    if as_json:
        print(json.dumps({"config": asdict(machine), "notes": notes, "layers": results.as_dicts(result)}))
        return 0
    title = f"{topology.name} on {machine.rows}x{machine.cols}, {machine.dataflow}"
    if form:
        results.print_data({title: result}, form)
    else:
        results.show(title, result, notes, list(files))
    return 0


def _from_model(
    name: str,
    traced: list[LayerGemm],
    phase: str | None,
    machine: Config | None,
    folder: Path | None,
    as_json: bool,
    form: str | None,
) -> int:
    from jaxgrad.cli import screen
    from jaxgrad.interop.scalesim.layers import gemm_layer
    from jaxgrad.interop.scalesim.topology import write_gemms
    from jaxgrad.interop.scalesim.training import PHASES, products
    from jaxgrad.networks.names import short

    called = short(name)
    phases: list[Phase] = [name for name in PHASES if phase in (None, name)]
    files: dict[Path, str] = {}
    shown: list[tuple[str, results.Result]] = []
    record: dict[str, Any] = {"notes": [*(machine.notes if machine else ())]}
    for phase in phases:
        gemms = products(traced, phase)
        if folder is not None:
            files[folder / f"{called}_{phase}.csv"] = write_gemms(gemms)
        record[phase] = [{"name": layer, **product._asdict()} for layer, product in gemms]
        if machine is not None:
            result = results.count([gemm_layer(layer, *product) for layer, product in gemms], machine)
            files |= results.files(folder, f"{machine.run_name}_{called}_{phase}", result)
            shown.append((f"{called} {phase} on {machine.rows}x{machine.cols}, {machine.dataflow}", result))
            record[phase] = results.as_dicts(result)
    results.write(files)
    if as_json:
        print(json.dumps({"config": machine and asdict(machine), "model": name, **record}))
        return 0
    if form:
        results.print_data(dict(shown), form)
        return 0
    for title, result in shown:
        results.show(title, result, [], [])
    terminal = screen.console()
    for note in record["notes"]:
        terminal.print(f"note: {note}")
    for report in files:
        terminal.print(str(report), soft_wrap=True)
    return 0


def _traced(name: str, input_shape: Shape | None, classes: int | None, batch: int) -> list[LayerGemm]:
    """The GEMMs of a model's training step, those of attention's activations included, from shapes alone."""

    from jaxgrad.cli import progress, screen
    from jaxgrad.flax import step_gemms
    from jaxgrad.networks.network import resolve

    network = resolve(name)
    shape = input_shape or network.input_shape or (8, 8, 1)
    outputs = classes or classes_of(network, shape)
    with progress.busy("tracing the model", screen.console()):
        model = network.abstract(input_shape=shape, classes=outputs)
        return step_gemms(model, network.batch(batch, shape))

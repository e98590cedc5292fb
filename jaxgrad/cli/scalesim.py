"""``jaxgrad scalesim``: SCALE-Sim's reports from SCALE-Sim's files. Only ``--model`` needs JAX, and imports it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.progress import track

from jaxgrad.base.errors import one_of, positive_integer
from jaxgrad.base.files import whole
from jaxgrad.base.literals import parse_text
from jaxgrad.cli import screen
from jaxgrad.cli.errors import bad_input
from jaxgrad.interop.scalesim import tables
from jaxgrad.interop.scalesim.cfg import Config, read_cfg
from jaxgrad.interop.scalesim.layers import Layer, gemm_layer
from jaxgrad.interop.scalesim.model import Figures, figures
from jaxgrad.interop.scalesim.quirks import Correction, corrections
from jaxgrad.interop.scalesim.reports import quirks_report, reports
from jaxgrad.interop.scalesim.topology import KINDS, Kind, read_topology, write_gemms
from jaxgrad.interop.scalesim.traffic import Traffic
from jaxgrad.interop.scalesim.training import PHASES, Phase, products

if TYPE_CHECKING:
    from jaxgrad.programs import LayerGemm

_NAMES = {
    "config": "-c",
    "topology": "-t",
    "kind": "-i",
    "path": "-p",
    "layout": "-l",
    "save_trace": "-s",
    "model": "--model",
    "phase": "--phase",
    "batch": "--batch",
    "input_shape": "--input-shape",
    "classes": "--classes",
}
_RESULTS = "results"
_IMAGENET_FROM = 128  # pixels


class Result(NamedTuple):
    """The figures of one topology."""

    layers: list[Layer]
    figures: list[Figures]
    corrections: list[list[Correction]]


def run(*, config: str | None, as_json: bool, **options: Any) -> int:
    """Writes the reports, or a model's topologies, or both; with ``as_json`` only where a path says to."""
    with bad_input(_NAMES):
        if (options["topology"] is None) == (options["model"] is None):
            raise ValueError(
                f"topology: got {options['topology']!r} and --model {options['model']}; give one of the two"
            )
        if options["save_trace"] is not None:
            one_of("save_trace", options["save_trace"], ("Y", "N"))
        place = None if options["path"] is None and as_json else Path(options["path"] or _RESULTS)
        if options["path"] == "":
            raise ValueError("path: got ''; give the path of a folder")
        if options["model"] is None:
            if config is None:
                raise ValueError("config: got none; give a SCALE-Sim .cfg")
            return _from_files(_machine(config, options["calc"]), place, as_json, options)
        machine = None if config is None else _machine(config, options["calc"])
        return _from_model(machine, place, as_json, options)


def _machine(path: str, calc: bool) -> Config:
    machine = read_cfg(path)
    if not machine.user_bandwidth:
        return machine
    if not calc:
        raise ValueError(f"config: got {path!r}, whose InterfaceBandwidth is USER; give CALC there, or --calc here")
    note = f"{path} says USER: by --calc these are the figures of CALC, not SCALE-Sim's with this file"
    return replace(machine, notes=(*machine.notes, note))


def _from_files(machine: Config, place: Path | None, as_json: bool, options: dict[str, Any]) -> int:
    for name in ("phase", "batch", "input_shape", "classes"):
        if options[name] is not None:
            raise ValueError(f"{name}: got {options[name]!r}; it goes with --model")
    kind: Kind = next(known for known in KINDS if known == one_of("kind", options["kind"], KINDS))
    topology = read_topology(options["topology"], kind)
    result = _count(topology.layers, machine)
    notes = [*machine.notes, *topology.notes]
    if options["save_trace"] == "Y":
        notes.append("-s Y: no traces are written")
    if options["layout"] is not None:
        notes.append(f"-l: {options['layout']} is left unread, no figure of CALC mode depends on it")
    files = _files(place, machine.run_name, result)
    _write(files)
    if as_json:
        print(json.dumps({"config": asdict(machine), "notes": notes, "layers": _as_dicts(result)}))
        return 0
    title = f"{Path(options['topology']).name} on {machine.rows}x{machine.cols}, {machine.dataflow}"
    _show(title, result, notes, list(files))
    return 0


def _from_model(machine: Config | None, place: Path | None, as_json: bool, options: dict[str, Any]) -> int:
    name, traced = _traced(options)
    chosen = PHASES if options["phase"] is None else (one_of("phase", options["phase"], PHASES),)
    phases: list[Phase] = [known for known in PHASES if known in chosen]
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
        terminal.print(f"note: {note}", markup=False)
    for path in files:
        terminal.print(str(path), markup=False, soft_wrap=True)
    return 0


def _traced(options: dict[str, Any]) -> tuple[str, list[LayerGemm]]:
    """A model's name and what its training step asks for, from shapes alone: the GEMMs of its layers and, in attention,
    of its activations."""
    for name in ("topology", "layout", "save_trace"):
        if options[name] is not None:
            raise ValueError(f"{name}: got {options[name]!r}; it goes without --model")
    import jax
    import jax.numpy as jnp
    from flax import nnx

    import jaxgrad_models
    from jaxgrad.flax import step_gemms

    name = one_of("model", options["model"], (*jaxgrad_models.MODELS, *jaxgrad_models.PAPERS))
    shape = (
        _shape(options["input_shape"]) if options["input_shape"] else jaxgrad_models.INPUT_SHAPES.get(name, (8, 8, 1))
    )
    wanted = options["classes"] or ("1000" if min(shape[:2]) >= _IMAGENET_FROM else "10")
    classes = positive_integer("classes", parse_text(wanted, int))
    batch = positive_integer("batch", parse_text(options["batch"] or "1", int))
    model = nnx.eval_shape(lambda: jaxgrad_models.build(name, input_shape=shape, classes=classes, rngs=nnx.Rngs(0)))
    return name, step_gemms(model, jax.ShapeDtypeStruct((batch, *shape), jnp.float32))


def _shape(text: str) -> tuple[int, ...]:
    sizes = [parse_text(part, int) for part in text.lower().split("x")]
    if len(sizes) != 3 or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ValueError(f"input_shape: got {text!r}; give height, width and channels, such as 32x32x3")
    return tuple(sizes)


def _count(layers: list[Layer], machine: Config) -> Result:
    terminal = screen.console()
    shown = track(layers, "counting", console=terminal, transient=True, disable=not terminal.is_terminal)
    found = [figures(layer, machine) for layer in shown]
    put_right = [list(corrections(layer, machine, of)) for layer, of in zip(layers, found, strict=True)]
    return Result(layers, found, put_right)


def _files(place: Path | None, run_name: str, result: Result) -> dict[Path, str]:
    """The reports of a run, by path; none if there is no place for them."""
    if place is None:
        return {}
    named = [(layer.name, rows) for layer, rows in zip(result.layers, result.corrections, strict=True)]
    quirks = quirks_report((number, *row) for number, row in enumerate(named))
    texts = reports(result.figures) | {"QUIRKS_REPORT.csv": quirks}
    return {place / run_name / name: text for name, text in texts.items()}


def _write(files: dict[Path, str]) -> None:
    """Writes all of the files or, as long as there is room for them, none; they take the place of older ones."""
    with contextlib.ExitStack() as stack:
        for path, text in files.items():
            stack.enter_context(whole(path)).write_text(text, encoding="utf-8")


def _as_dicts(result: Result) -> list[dict[str, Any]]:
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
    terminal = screen.console()
    terminal.print(tables.layers_table(title, result.layers, result.figures, result.corrections))
    terminal.print(tables.quirks_table(result.corrections))
    for line in tables.meanings(result.corrections):
        terminal.print(line, soft_wrap=False)
    for note in notes:
        terminal.print(f"note: {note}", markup=False)
    if files:
        names = ", ".join(path.name for path in files)
        terminal.print(f"\nIn {files[0].parent}: {names}", markup=False, soft_wrap=True)

"""A chunk of designs -> a table of what each takes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgrad.array import forwards, schedules
from jaxgrad.array.counts import ACCESSES, CYCLES, KEYS, STALLS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import Schedule
from jaxgrad.base.arithmetic import exact
from jaxgrad.base.errors import InputError
from jaxgrad.base.whole import concatenate
from jaxgrad.costs import area, energy, step_cost, summary
from jaxgrad.costs.cuts import CUTS
from jaxgrad.costs.transfers import Storage, dram_bytes
from jaxgrad.designs import bounds, direct, engine
from jaxgrad.designs.engine import Memories
from jaxgrad.designs.problems import problems
from jaxgrad.designs.questions import Arrays, Counts, Question
from jaxgrad.designs.schema import Sweep
from jaxgrad.designs.space import Chunk, machine, machines
from jaxgrad.hardware import Precision, Technology
from jaxgrad.programs import LayerGemm

Table = dict[str, list[Any]]
"""Columns of equal length; None is what there is not."""

RESULTS: tuple[str, ...] = (
    "cycles",
    "stall_cycles",
    "sram_accesses_words",
    "dram_bytes",
    "energy_pj",
    "area_um2",
    "edp_js",
)
"""Columns of results: of a whole training step, ``cycles`` with stalls. None where a layer does not fit the design."""

INTEGERS: tuple[str, ...] = RESULTS[:4]
"""Those that are whole numbers; the others are floats."""


def compute(chunk: Chunk, sweep: Sweep, gemms: Sequence[LayerGemm], technology: Technology | None) -> Table:
    """Every point of a chunk, its design and its results.

    Args:
        chunk: of ``sweep``.
        gemms: of its network at its batch.
        technology: the technology, if energies and areas are wanted.

    Raises:
        ValueError: counts could pass 64 bits, or a design can't be built.
    """
    if sweep.machine.levels:
        return _by_one(chunk, sweep, gemms, technology)
    together = _swept if chunk.sram_kib else _direct
    try:
        return chunk.designs() | together(chunk, sweep, gemms, technology)
    except InputError as refusal:
        # The full search knows no bounds where it looks at one design after the other.
        if refusal.field != "batch" or sweep.search.plans != "full":
            raise
        return _by_one(chunk, sweep, gemms, technology)


def check(chunk: Chunk, sweep: Sweep, gemms: Sequence[LayerGemm], technology: Technology | None) -> None:
    """Refuses what can't be costed, before anything runs."""
    rows, cols = (max(sizes) for sizes in zip(*chunk.arrays, strict=True))
    rates = [
        Storage.of(memory)[1:3]
        for gb in chunk.dram_gb_per_s
        if (memory := machine(sweep, chunk, technology, rows, cols, 1, gb).memory)
    ]
    if sweep.search.plans == "coarse":
        layers = problems(gemms, patches_in_dram=_patches_in_dram(chunk, sweep))
        arrays = _arrays(chunk)
        for question in _questions(chunk, sweep):
            for group in question.groups(layers):
                bounds.check(question, group, arrays.rows, arrays.cols, rates, chunk.network)
    if technology:
        priced = machine(sweep, chunk, technology, rows, cols, 1, chunk.dram_gb_per_s[0])
        energy.table(priced)
        if "area" in sweep.pareto.objectives:
            for schedule in chunk.schedules:
                area.area(priced, schedule)


def _direct(chunk: Chunk, sweep: Sweep, gemms: Sequence[LayerGemm], _: Technology | None) -> Table:
    """Without a memory: the scratchpad holds everything."""
    layers = problems(gemms, patches_in_dram=True)
    arrays = _arrays(chunk)
    ahead, *back = _questions(chunk, sweep)
    forward = direct.without_memory(ahead, layers, arrays, chunk.network)
    results = []
    for question in back:
        backward = direct.without_memory(question, layers, arrays, chunk.network)
        counts = {key: forward.get(key, 0) + backward.get(key, 0) for key in KEYS}
        results.append([counts[CYCLES], sum(counts[key] for key in ACCESSES)])
    cycles, accesses = (concatenate(column).tolist() for column in zip(*results, strict=True))
    return {"cycles": cycles, "sram_accesses_words": accesses}


def _swept(chunk: Chunk, sweep: Sweep, gemms: Sequence[LayerGemm], technology: Technology | None) -> Table:
    layers = problems(gemms, patches_in_dram=_patches_in_dram(chunk, sweep))
    rows, cols = chunk.arrays[0]
    storages = {
        (kib, gb): Storage.of(memory)
        for kib in chunk.sram_kib
        for gb in chunk.dram_gb_per_s
        if (memory := machine(sweep, chunk, None, rows, cols, kib, gb).memory)
    }
    memories = Memories(
        np.array([storages[kib, chunk.dram_gb_per_s[0]].usable_bytes for kib in chunk.sram_kib], np.int64),
        np.array([storages[chunk.sram_kib[0], gb].cycles for gb in chunk.dram_gb_per_s], np.int64),
        np.array([storages[chunk.sram_kib[0], gb].of_bytes for gb in chunk.dram_gb_per_s], np.int64),
        sweep.machine.memory_double_buffered,
    )

    questions = _questions(chunk, sweep)
    (forward, forward_fits), *results = engine.with_memory(
        questions, layers, _arrays(chunk), memories, chunk.network, CUTS[sweep.search.plans]
    )
    tables = []
    for question, (counts, fits) in zip(questions[1:], results, strict=True):
        quantities = _quantities({**forward, **counts}, chunk, sweep, technology, question.schedule)
        possible = _listed((fits & forward_fits)[:, :, None], chunk)
        tables.append(
            {
                name: [value if fit else None for value, fit in zip(_listed(values, chunk), possible, strict=True)]
                for name, values in quantities.items()
            }
        )
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def _questions(chunk: Chunk, sweep: Sweep) -> list[Question]:
    """The forward pass, then the gradients by schedule and order."""
    fixed, precision = sweep.machine, Precision.of(chunk.precision)
    forward = Question(
        forwards.find(fixed.forward), "", "", chunk.double_buffered, fixed.memory_double_buffered, precision
    )
    backward = itertools.product(map(schedules.find, chunk.schedules), chunk.orders)
    return [forward, *(forward._replace(forward=None, schedule=entry, order=order) for entry, order in backward)]


def _listed(values: Any, chunk: Chunk) -> list[Any]:
    """One value for each array, scratchpad and bandwidth."""
    return np.broadcast_to(np.asarray(values), chunk.shape[2:]).ravel().tolist()


def _quantities(
    phases: Counts, chunk: Chunk, sweep: Sweep, technology: Technology | None, schedule: str | Schedule
) -> dict[str, np.ndarray]:
    """The results from counts by phase, each an array [arrays, scratchpads, bandwidths]; the costs' own formulas."""
    zero = exact(np.zeros(chunk.shape[2:], np.int64))
    precision = Precision.of(chunk.precision)
    stalls = sum((counts[STALLS] for counts in phases.values()), zero)
    cycles = time_cycles(phases)
    results = {
        "cycles": cycles,
        "stall_cycles": stalls,
        "sram_accesses_words": sum(
            (counts[key] for counts in phases.values() for key in ACCESSES if key in counts), zero
        ),
        "dram_bytes": sum((dram_bytes(counts, precision) for counts in phases.values()), zero),
    }
    if technology is None:
        return results
    prices = _prices([energy.table(entry) for entry in machines(sweep, chunk, technology)], chunk)
    results |= {"energy_pj": np.asarray(energy_pj(phases, prices))}
    areas = _areas(sweep, chunk, technology, schedule)
    if areas is not None:
        results["area_um2"] = areas
    results["edp_js"] = edp_js(results["energy_pj"], cycles, sweep.machine.clock_ghz)
    return results


def time_cycles(phases: Counts) -> Any:
    """Clock cycles of all phases, stalls included; numbers or arrays."""
    return sum(counts[CYCLES] + counts.get(STALLS, 0) for counts in phases.values())


def energy_pj(phases: Counts, prices: energy.Table) -> Any:
    """Energy of all phases; numbers or arrays."""
    full = [dict.fromkeys(KEYS, 0) | counts for counts in phases.values()]
    return sum(sum(energy.energy_pj(counts, prices).values()) for counts in full)


def edp_js(energy_pj: Any, cycles: Any, clock_ghz: float) -> Any:
    """Energy-delay product in joule seconds."""
    return energy_pj * 1e-12 * (cycles / (clock_ghz * 1e9))


def _prices(tables: Sequence[energy.Table], chunk: Chunk) -> Mapping[str, Mapping[str, Any]]:
    """Prices as arrays [arrays, scratchpads, 1]."""
    shape = (len(chunk.arrays), len(chunk.sram_kib), 1)
    return {
        component: {
            action: np.array([table[component][action] for table in tables]).reshape(shape) for action in actions
        }
        for component, actions in tables[0].items()
    }


def _areas(sweep: Sweep, chunk: Chunk, technology: Technology, schedule: str | Schedule) -> np.ndarray | None:
    try:
        results = [area.area(entry, schedule).total_um2 for entry in machines(sweep, chunk, technology)]
    except InputError:  # no figure for this datapath: results do without
        return None
    return np.array(results).reshape(len(chunk.arrays), len(chunk.sram_kib), 1)


def _by_one(chunk: Chunk, sweep: Sweep, gemms: Sequence[LayerGemm], technology: Technology | None) -> Table:
    """Every point as ``step_cost`` has it."""
    designs = chunk.designs()
    results: Table = {}
    for index in range(chunk.points):
        point = {name: values[index] for name, values in designs.items()}
        for name, value in one(point, chunk, sweep, gemms, technology).items():
            results.setdefault(name, []).append(value)
    return designs | results


def one(
    point: Mapping[str, Any], chunk: Chunk, sweep: Sweep, gemms: Sequence[LayerGemm], technology: Technology | None
) -> dict[str, Any]:
    """One point by the full search, ``jaxgrad run``'s own."""
    hardware = machine(
        sweep, chunk, technology, point["rows"], point["cols"], point.get("sram_kib"), point.get("dram_gb_per_s")
    )
    names = RESULTS if technology else RESULTS[:4] if hardware.memory else ("cycles", "sram_accesses_words")
    schedule = point["schedule"]
    emulation = Emulation(hardware.array, forward=sweep.machine.forward, schedule=schedule)
    try:
        cost = step_cost(gemms, emulation, [schedule], machine=hardware, order=point["order"])
    except InputError as error:
        if error.field != "sram_bytes":
            raise
        return dict.fromkeys(names)
    whole = summary(cost, schedule)
    step = whole.select("step")
    spent = sum(step.energy_pj.values())
    results = {
        "cycles": step.time_cycles,
        "stall_cycles": step.counts.get(STALLS, 0),
        "sram_accesses_words": sum(step.counts[key] for key in ACCESSES),
        "dram_bytes": step.dram_bytes,
        "energy_pj": spent,
        "area_um2": sum(whole.area_um2.values()) if whole.area_um2 else None,
        "edp_js": edp_js(spent, step.time_cycles, sweep.machine.clock_ghz),
    }
    return {name: results[name] for name in names}


def _arrays(chunk: Chunk) -> Arrays:
    rows, cols = (np.array(sizes, np.int64) for sizes in zip(*chunk.arrays, strict=True))
    return Arrays(rows, cols, chunk.double_buffered)


def _patches_in_dram(chunk: Chunk, sweep: Sweep) -> bool:
    return not chunk.sram_kib or sweep.machine.im2col == "dram"

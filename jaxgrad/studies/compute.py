"""A point's result: the network traced (or trained), its step costed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from jaxgrad.array.convolution import Convolution
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.restrictions import overlapped_drain, restricted
from jaxgrad.costs import Summary, sparse, step_cost, summary
from jaxgrad.networks import entries, sources
from jaxgrad.programs import LayerGemm, VectorWork
from jaxgrad.studies.points import Point
from jaxgrad.studies.store import Store
from jaxgrad.training.methods import EstimatorSection


def compute(point: Point, store: Store) -> Summary:
    """The summary of a point's training step; traces and trainings are kept in ``store`` for other points.

    Raises:
        ValueError: the network does not fit the machine.
    """
    return costed(point, demand(point.spec, store, point.folder))


def costed(point: Point, asked: Demand) -> Summary:
    """The summary of what a training step under a point's variant, on its machine, asks for.

    Raises:
        ValueError: it does not fit the machine.
    """
    settings, machine = point.spec["variant"], point.machine
    schedule = restricted(settings["schedule"], settings["stationary"], stationary_dx=settings["stationary_dx"])
    if settings["overlapped_drain"]:
        schedule = overlapped_drain(schedule)
    cost = step_cost(
        asked.gemms,
        Emulation(
            machine.array,
            forward=settings["forward"],
            objective=settings["objective"],
            schedule=schedule,
            weight_update=settings["weight_update"],
        ),
        [schedule],
        machine=machine,
        order=settings["order"],
        plan_for=settings["plan_for"],
        update_cycles=settings["update_cycles"],
        vector_work=asked.vector,
        estimator=EstimatorSection.of(settings["estimator"], settings["keep"], settings["mode"]).built(),
    )
    if asked.effectual:
        cost = sparse(cost, asked.effectual)
    return summary(cost, schedule)


class Demand(NamedTuple):
    """What a training step asks of the hardware; ``effectual`` MACs by layer where they were measured."""

    gemms: list[LayerGemm]
    vector: list[VectorWork]
    effectual: Mapping[str, tuple[Sequence[int], Sequence[int]]]


def demand(spec: Mapping[str, Any], store: Store, folder: Path = Path()) -> Demand:
    """What a point's data ask for, traced once.

    Args:
        spec: ``network``, ``layer`` or ``trained``, ``batch``, ``vector``.
        store: keeps traces and trainings.
        folder: from which the user's own network is seen.
    """
    records = _demand(spec, store, folder)
    return Demand(
        [_gemm(record) for record in records["gemms"]],
        [VectorWork(**record) for record in records["vector"]],
        {path: (ahead, back) for path, (ahead, back) in records.get("effectual", {}).items()},
    )


def _demand(spec: Mapping[str, Any], store: Store, folder: Path) -> dict[str, Any]:
    """What a training step asks of the hardware, as plain data: ``gemms``, ``vector`` and, measured, ``effectual``."""
    if "layer" in spec:
        k, n = spec["layer"]
        gemm = LayerGemm("dense", Gemm(spec["batch"], k, n), 1, needs_dx=True)
        return {"gemms": [asdict(gemm)], "vector": []}
    batch = spec["batch"]
    if "trained" in spec:
        trained = spec["trained"]
        return store.cached("trainings", {**trained, "batch": batch}, lambda: _train(trained, folder, batch))
    network, vector = spec["network"], spec["vector"]
    return store.cached(
        "traces", {"network": network, "batch": batch, "vector": vector}, lambda: _trace(network, folder, batch, vector)
    )


def _trace(network: entries.Described, folder: Path, batch: int, vector: bool) -> dict[str, Any]:
    import optax

    from jaxgrad.flax import step_gemms, step_work

    model, images = entries.abstract(network, folder, batch)
    if not vector:
        return {"gemms": [asdict(gemm) for gemm in step_gemms(model, images)], "vector": []}
    # Momentum: what the papers of these networks train with.
    work = step_work(model, images, optimizer=optax.sgd(0.1, momentum=0.9))
    return {
        "gemms": [asdict(gemm) for gemm in work.gemms],
        "vector": [asdict(record) for record in work.vector],
    }


def _train(trained: Mapping[str, Any], folder: Path, batch: int) -> dict[str, Any]:
    """Trains a network on digits as ``jaxgrad train`` does, and reads the zeros off its counters."""
    from jaxgrad.training.config import Override, resolve
    from jaxgrad.training.job import train_whole

    name = sources.located(trained["model"], folder)
    settings = {"model.name": name, "train.epochs": trained["epochs"], "train.seed": trained["seed"]}
    settings["data.batch_size"] = batch
    config = resolve(overrides=[Override(key, value, key) for key, value in settings.items()])
    with tempfile.TemporaryDirectory() as run:
        layers, counters = train_whole(config, Path(run))
    effectual = {
        path: [_share(layer.forward.as_dict()), _share(layer.backward.as_dict())] for path, layer in counters.items()
    }
    return {"gemms": [asdict(gemm) for gemm in layers], "vector": [], "effectual": effectual}


def _share(counts: Mapping[str, int]) -> list[int]:
    """Effectual MACs and all MACs: a fraction, exact."""
    return [counts["effectual_macs"], counts["macs"]]


def _gemm(record: Mapping[str, Any]) -> LayerGemm:
    geometry = record["convolution"]
    return LayerGemm(**{**record, "gemm": Gemm(**record["gemm"]), "convolution": geometry and _convolution(geometry)})


def _convolution(record: Mapping[str, Any]) -> Convolution:
    """From plain data, which have lists where it has tuples."""
    fields = {name: tuple(value) if isinstance(value, list | tuple) else value for name, value in record.items()}
    return Convolution(**{**fields, "padding": tuple(map(tuple, record["padding"]))})

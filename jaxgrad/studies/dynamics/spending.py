"""What the array spends on a run, in closed form, and how much of it after the loss stopped falling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
from flax import nnx

from jaxgrad.costs import step_cost, summary
from jaxgrad.flax import step_gemms
from jaxgrad.hardware.files import build
from jaxgrad.studies.dynamics.points import Point
from jaxgrad.training.job import plain_model

_PJ = 1e-12


class Spending(NamedTuple):
    """Of one seed's run.

    Args:
        cycles: of the array in a step, forward and backward.
        joules: in a step; None without a technology.
        steps: of the run.
        after: those after the loss stopped falling; None where it falls on.
    """

    cycles: int
    joules: float | None
    steps: int
    after: int | None


def spending(point: Point, file: Path, stopped: int | None) -> Spending:
    """What a variant's run takes on the experiment's machine, or on its configuration's array.

    Args:
        point: the variant.
        file: of the experiment; paths of its machine are relative to the folder.
        stopped: the step after which the loss no longer fell.
    """
    config, section = point.config, point.experiment.machine
    emulation = config.emulation_settings()
    machine = None if section is None else build(section, file)
    if machine is not None:
        emulation = replace(emulation, array=machine.array)
    model = nnx.eval_shape(lambda: plain_model(config, point.dataset))
    examples = point.dataset.train_images
    batch = jax.ShapeDtypeStruct((config.data.batch_size, *examples.shape[1:]), examples.dtype)
    schedule = emulation.schedule
    cost = step_cost(step_gemms(model, batch), emulation, [schedule], machine=machine)
    step = summary(cost, schedule).select("step")
    joules = sum(step.energy_pj.values()) * _PJ if step.energy_pj else None
    steps = point.experiment.dynamics.steps
    return Spending(step.time_cycles, joules, steps, None if stopped is None else steps - stopped)

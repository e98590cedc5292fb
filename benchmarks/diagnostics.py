"""What it costs that a run measures itself: measurements beside the training steps between them."""

from __future__ import annotations

import statistics

from benchmarks.figure import Figure, seconds

_EVERY, _TARGET = 200, 1.05


def figures(rounds: int) -> list[Figure]:
    """Of the run that ``jaxgrad train`` makes of no options, a LeNet on digits, with ``--diagnostics 200``."""
    ratio = _ratio(rounds)
    return [
        Figure(
            f"training on digits, measured every {_EVERY} steps", ratio, "x without", f"<= {_TARGET}", ratio <= _TARGET,
            "gradients of four batches; every second time the next step, and a product with the Hessian",
        )
    ]  # fmt: skip


def _ratio(rounds: int) -> float:
    """In turn, 200 steps and measurements: as many of each kind as there are in a long run, in proportion."""
    import tempfile
    from pathlib import Path

    import jax

    from jaxgrad.training import data
    from jaxgrad.training.config import Config
    from jaxgrad.training.diagnostics import Records, meter_of
    from jaxgrad.training.diagnostics.measuring import SHARPNESS_EVERY, STEP_EVERY
    from jaxgrad.training.job import prepare

    job = prepare(Config())
    meter, state = meter_of(job), job.trainer.initial
    assert meter.steps > _EVERY  # so that the step after them is one of the run, and measured
    batches = [*data.batches(job.dataset, job.plan.batch_size, 0, 0)]

    def steps() -> None:
        nonlocal state
        state = job.trainer.initial
        for number in range(_EVERY):
            state = job.trainer.step(state, *batches[number % len(batches)])
        jax.block_until_ready(state.params)

    _, memory = meter.measure(state, None)
    with tempfile.TemporaryDirectory() as folder:
        records = Records(Path(folder))

        def measured(**kinds: bool) -> float:
            return seconds(lambda: records.append(*meter.measure(state, memory, **kinds), needed_from=0))

        steps()
        ratios = []
        for _ in range(rounds):
            training = seconds(steps)
            plain, step, sharp = measured(steps=False, sharp=False), measured(sharp=False), measured()
            mean = plain + (step - plain) / STEP_EVERY + (sharp - step) / SHARPNESS_EVERY
            ratios.append(1 + mean / training)
    return statistics.median(ratios)

"""The meter of a run, and what its numbers are of."""

from __future__ import annotations

from flax import nnx

from jaxgrad.training.diagnostics.measuring import Meter
from jaxgrad.training.job import Job


def meter_of(job: Job, images: int | None = None) -> Meter:
    """What measures a run.

    Args:
        job: of it.
        images: of a sample; None for as many as its configuration says.

    Raises:
        InputError: its epochs have one batch alone.
    """
    config = job.config
    exact = config.estimator.name is None and not config.quantization.quantizes and not job.delays
    return Meter(job.trainer, job.dataset, job.plan, images or config.diagnostics.sample, exact=exact)


def notes(job: Job, meter: Meter) -> tuple[str, ...]:
    """What is measured of a run, a line each."""
    config, count = job.config, len(job.dataset.train_labels)
    sample = (
        f"Measured on {meter.sample} batches of {job.plan.batch_size} of the {count:,} training images, drawn anew "
        f"each time, and curvature on {meter.curvature_sample} of them; norms of the gradient less what the noise of "
        "the sample adds. Weight decay is left out."
    )
    lines = [sample]
    if any(isinstance(variable, nnx.BatchStat) for _, variable in nnx.to_flat_state(job.trainer.initial.rest)):
        lines.append("Batch normalisation takes the statistics of each batch, as in training.")
    if config.estimator.name is not None:
        lines.append("Training's gradients are estimates; those measured are exact. Its steps are its own.")
    if config.quantization.quantizes:
        lines.append(
            "Training reads layers in few bits; measured is the network of their floats. Steps are training's own."
        )
    if config.train.mixed_precision is not None:
        lines.append("Training computes in halves; what is measured is computed in float32.")
    if config.data.augment:
        lines.append("Training images are cropped or flipped at random; those measured are as they are.")
    if job.delays:
        lines.append(
            "Training's gradients are of older weights; those measured are of the newest. Steps are training's own."
        )
    return tuple(lines)

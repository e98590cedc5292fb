"""Whether training waits for its images: batches made and augmented beside ResNet-20's step, in one process."""

from __future__ import annotations

import statistics
import time
from itertools import islice

from benchmarks.figure import Figure


def figures(rounds: int, batch: int = 64, steps: int = 6) -> list[Figure]:
    """How many images a second are cropped and flipped, over those that a step trains on; and how long a step on
    batches made meanwhile takes, over one on a batch that lies ready."""
    import jax
    import numpy as np
    import optax
    from flax import nnx

    import jaxgrad_models
    from jaxgrad import Accelerator, Emulation
    from jaxgrad.flax import put_on_array
    from jaxgrad.training.data import Dataset
    from jaxgrad.training.loop import Plan
    from jaxgrad.training.prefetching import prefetched
    from jaxgrad.training.step import trainer

    rng = np.random.default_rng(0)
    images, labels = rng.random((8 * batch, 32, 32, 3), np.float32), np.arange(8 * batch, dtype=np.int32) % 10
    dataset = Dataset(images, labels, images[:1], labels[:1], 10, "synthetic")
    plan = Plan(batch, epochs=steps, seed=0, checkpoint_every=1, augment=("crop", "flip"))
    model = jaxgrad_models.build("resnet20", input_shape=(32, 32, 3), classes=10, rngs=nnx.Rngs(0))
    put_on_array(model, Emulation(Accelerator(128, 128)))
    training = trainer(model, optax.sgd(0.1, momentum=0.9), images[:batch], labels[:batch])
    lying = jax.device_put((images[:batch], labels[:batch]))

    def on_one_batch() -> float:
        start, state = time.perf_counter(), training.initial
        for _ in range(steps):
            state = training.step(state, *lying)
        jax.block_until_ready(state)
        return time.perf_counter() - start

    def on_new_batches() -> float:
        with prefetched(islice(plan.batches(dataset, 0), steps + 1)) as ready:
            next(ready)
            start, state = time.perf_counter(), training.initial
            for batch_of_images in ready:
                state = training.step(state, *batch_of_images)
            jax.block_until_ready(state)
            return time.perf_counter() - start

    def alone() -> float:
        start = time.perf_counter()
        for ready in islice(plan.batches(dataset, 0), steps):
            jax.block_until_ready(ready)
        return time.perf_counter() - start

    on_one_batch()
    measured = [(on_one_batch(), on_new_batches(), alone()) for _ in range(rounds)]
    waiting = statistics.median(new / lies for lies, new, _ in measured)
    faster = statistics.median(lies / making for lies, _, making in measured)
    name, bound = f"ResNet-20 step of {batch}", "the host collects a batch's images, the device moves their pixels"
    return [
        Figure(f"{name}: images cropped and flipped", faster, "a trained one", ">= 2", faster >= 2, bound),
        Figure(
            f"{name}: on batches made meanwhile",
            waiting,
            "x a batch that lies ready",
            "<= 1.05",
            waiting <= 1.05,
            bound,
        ),
    ]

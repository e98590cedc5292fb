"""Digits by qwix's quantisation-aware training, beside ``experiments/bcgd_digits.toml``: same model, data and steps.

``python -m benchmarks.qat`` needs qwix (``pip install qwix``), which nothing else here does. qwix has no weights of one
bit, and there no activations of two; its scales of weights are a channel's, those of activations follow what a batch
held. Products are of floats that were rounded: XLA on CPU refuses those of int4, which ``QtProvider`` would have.
"""

from __future__ import annotations

import itertools
import statistics
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import jaxgrad_models
from jaxgrad.training import data

_EPOCHS, _BATCH, _RATE = 60, 64, 0.05
_BITS = {"W4A4": ("int4", "int4"), "W2A4": ("int2", "int4")}


def accuracy(weights: str, activations: str, seed: int) -> float:
    """Of the test images, in %, after the last step."""
    import qwix  # pyright: ignore[reportMissingImports]

    dataset = data.load("digits", None)
    plain = jaxgrad_models.build(
        "mlp",
        input_shape=dataset.input_shape,
        classes=dataset.classes,
        rngs=nnx.Rngs(seed),
        hidden=[128, 128],
        batch_norm=True,
    )
    # As in the experiment, the image stays as it is, and the weights of its layer do not.
    rules = [
        qwix.QuantizationRule(module_path="hidden/0.*", weight_qtype=weights),
        qwix.QuantizationRule(module_path=".*", weight_qtype=weights, act_qtype=activations),
    ]
    model: Any = qwix.quantize_model(plain, qwix.OdmlQatProvider(rules), jnp.asarray(dataset.train_images[:_BATCH]))
    steps = _EPOCHS * (len(dataset.train_labels) // _BATCH)
    optimizer = nnx.Optimizer(model, optax.sgd(optax.cosine_decay_schedule(_RATE, steps), 0.9), wrt=nnx.Param)

    @nnx.jit
    def step(model: Any, optimizer: Any, images: jax.Array, labels: jax.Array) -> None:
        def loss(model: Any) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

        optimizer.update(model, nnx.grad(loss)(model))

    model.train()
    for epoch in range(_EPOCHS):
        whole = itertools.islice(data.batches(dataset, _BATCH, seed, epoch), len(dataset.train_labels) // _BATCH)
        for images, labels in whole:
            step(model, optimizer, jnp.asarray(images), jnp.asarray(labels))
    model.eval()
    found = nnx.jit(lambda model, images: model(images).argmax(-1))(model, jnp.asarray(dataset.test_images))
    return 100 * float((found == dataset.test_labels).mean())


if __name__ == "__main__":
    for name, bits in _BITS.items():
        reached = [accuracy(*bits, seed) for seed in (0, 1, 2)]
        print(f"qwix {name}: {statistics.mean(reached):.1f} ±{statistics.stdev(reached):.1f} %", flush=True)

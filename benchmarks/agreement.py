"""Whether two devices agree on the same work: counters exactly, gradients bit for bit on integers and within rounding
otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad import Accelerator, Emulation, Gemm, count, emulate, emulate_function
from jaxgrad.array.counts import EFFECTUAL_MACS
from jaxgrad.training.config import Config
from jaxgrad.training.data import batches
from jaxgrad.training.job import prepare
from jaxgrad.training.step import State

Returned = TypeVar("Returned")
Device: TypeAlias = Any
"""One of ``jax.devices()``."""

# Rounding passes through all layers of a network, and a sum that lies within rounding of zero is zero, after ReLU, in
# one order of sums alone. How far that goes, the CPU tells by its own two: devices may be so many times as far apart.
ALLOWED = 4.0


class Product(NamedTuple):
    """The backward pass of one GEMM."""

    gemm: Gemm
    array: Accelerator
    schedule: str
    fidelity: str


class Agreement(NamedTuple):
    """What two devices make of the same work.

    Args:
        what: was done.
        faults: in words; none where they agree.
        error: the largest difference of a gradient, as a share of what is allowed.
    """

    what: str
    faults: tuple[str, ...]
    error: float


def on(device: Device, work: Callable[[], Returned]) -> Returned:
    """What some work gives on a device, floats multiplied as float32."""
    with jax.default_device(device), jax.default_matmul_precision("highest"):
        return jax.block_until_ready(work())


def of_products(products: Iterable[Product], devices: Sequence[Device]) -> list[Agreement]:
    """Each product on each device, several at a time: nearly all of it is compiling."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda product: _of_product(product, devices), products))


def _of_product(product: Product, devices: Sequence[Device]) -> Agreement:
    gemm, array, schedule, fidelity = product
    b, k, n = gemm.batch, gemm.in_features, gemm.out_features
    shapes, rng = ((b, k), (k, n), (b, n)), np.random.default_rng(0)
    integers = [rng.integers(-3, 4, shape).astype(np.float32) for shape in shapes]
    floats = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    faults: list[str] = []
    error = 0.0
    for x, w, dy in (integers, floats):
        truths = {"dx": (dy, w.T), "dw": (x.T, dy)}
        counts = []
        for device in devices:
            *gradients, counters = on(device, lambda x=x, w=w, dy=dy: emulate(x, w, dy, array, schedule, fidelity))
            counts.append(counters.as_dict())
            for (name, (left, right)), gradient in zip(truths.items(), gradients, strict=True):
                if gradient is None:
                    continue
                left, right = left.astype(np.float64), right.astype(np.float64)
                difference = np.abs(np.asarray(gradient, np.float64) - left @ right)
                if x is integers[0] and difference.any():
                    faults.append(f"{name} of integers is off by {difference.max():.1e} on {device}")
                bound = (left.shape[1] + 2) * np.finfo(np.float32).eps * (np.abs(left) @ np.abs(right))
                error = max(error, float((difference / bound).max()))
        closed = count(gemm, array, schedule).as_dict() | {EFFECTUAL_MACS.name: counts[0][EFFECTUAL_MACS.name]}
        faults += [f"counters differ: {counts}"] * any(counted != counts[0] for counted in counts)
        faults += [f"counters are not the closed form's: {counts[0]}"] * (counts[0] != closed)
    faults += [f"gradients are off by {error:.1f} times the rounding bound"] * (error > 1)
    buffering = "double" if array.double_buffered else "single"
    return Agreement(f"{schedule}, {fidelity}, {array.rows}x{array.cols} {buffering}-buffered", tuple(faults), error)


def of_network(fidelity: str, devices: Sequence[Device]) -> Agreement:
    """A convolution with strides, ReLU, pooling and a dense layer, all of integers held in floats: gradients to the
    bit, and all counters."""
    rng = np.random.default_rng(1)
    shapes = {"images": (2, 8, 8, 2), "kernel": (3, 3, 2, 5), "weights": (20, 6), "of_loss": (2, 6)}
    tensors = {name: rng.integers(-2, 3, shape).astype(np.float32) for name, shape in shapes.items()}

    def loss(tensors: dict[str, jax.Array]) -> jax.Array:
        maps = jax.lax.conv_general_dilated(
            tensors["images"], tensors["kernel"], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        pooled = jax.nn.relu(maps).reshape(2, 2, 2, 2, 2, 5).sum((2, 4)).reshape(2, -1)
        return jnp.sum((pooled @ tensors["weights"]) * tensors["of_loss"])

    run = jax.jit(emulate_function(jax.grad(loss), Emulation(Accelerator(4, 4), fidelity=fidelity)))
    outcomes = []
    for device in devices:
        gradients, tally = on(device, lambda: run(tensors))
        outcomes.append((jax.tree.map(np.asarray, gradients), tally.forward.as_dict(), tally.backward.as_dict()))
    plain = on(devices[-1], lambda: jax.grad(loss)(tensors))
    faults = []
    for device, (gradients, *counts) in zip(devices, outcomes, strict=True):
        wrong = [name for name, values in gradients.items() if not np.array_equal(values, plain[name])]
        faults += [f"gradients of {', '.join(wrong)} differ on {device}"] * bool(wrong)
        faults += [f"counters differ on {device}: {counts}"] * (counts != list(outcomes[-1][1:]))
    return Agreement(f"integer network, {fidelity}", tuple(faults), 0.0)


def of_steps(configs: Sequence[Config], devices: Sequence[Device]) -> list[Agreement]:
    """The first training step of a run at some fidelities, each on all devices, by plain SGD at a rate of 1, whose
    updates are gradients.

    All counters that the shapes decide are to be equal. Gradients (in the norm) and effectual MACs may be ``ALLOWED``
    times as far from the last device's as the fidelities are from each other there.
    """
    cases = [(config, device) for config in configs for device in devices]
    with ThreadPoolExecutor(len(cases)) as pool:
        ends = list(pool.map(lambda case: on(case[1], lambda: _Step.of(*_first_step(case[0]))), cases))
    by_config = [ends[start : start + len(devices)] for start in range(0, len(ends), len(devices))]
    truths = [steps[-1] for steps in by_config]
    rounding = [max(distances) for distances in zip(*(truths[0].distances(other) for other in truths[1:]), strict=True)]
    agreements = []
    for config, truth, steps in zip(configs, truths, by_config, strict=True):
        distances = [max(distances) for distances in zip(*(truth.distances(step) for step in steps), strict=True)]
        faults = [
            f"{name} are off by {distance:.1e}, allowed {ALLOWED * allowed:.1e}"
            for name, distance, allowed in zip(("gradients", "effectual MACs"), distances, rounding, strict=True)
            if not distance <= ALLOWED * allowed
        ]
        for path, layer in truth.counts.items():
            faults += [f"counters of {path} differ"] * any(step.counts[path] != layer for step in steps)
        title = f"first step of {config.model.name}, {config.emulation.fidelity}"
        agreements.append(Agreement(title, tuple(faults), distances[0] / (ALLOWED * rounding[0])))
    return agreements


class _Step(NamedTuple):
    """What a step computed: the gradients, one after the other, and what its layers counted, effectual MACs apart."""

    gradients: np.ndarray
    counts: dict[str, dict[str, int]]
    effectual: int

    @classmethod
    def of(cls, before: State, after: State) -> _Step:
        counts = {path: layer.total.as_dict() for path, layer in after.counters.items()}
        effectual = sum(layer.pop(EFFECTUAL_MACS.name) for layer in counts.values())
        updates = [np.subtract(*leaves).ravel() for leaves in zip(_leaves(before), _leaves(after), strict=True)]
        return cls(np.concatenate(updates), counts, effectual)

    def distances(self, other: _Step) -> tuple[float, float]:
        """Of the other's gradients and effectual MACs, as shares of these."""
        gradients = np.linalg.norm(other.gradients - self.gradients) / np.linalg.norm(self.gradients)
        return float(gradients), abs(other.effectual - self.effectual) / self.effectual


def _first_step(config: Config) -> tuple[State, State]:
    job = prepare(config)
    images, labels = next(batches(job.dataset, job.plan.batch_size, job.plan.seed, 0))
    return job.trainer.initial, job.trainer.step(job.trainer.initial, images, labels)


def _leaves(state: State) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(state.params)]

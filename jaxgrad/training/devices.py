"""Training over several devices: which ones, and how a run's arrays lie on them.

A step is one program on global arrays, which XLA splits: it is the step of one device on the whole batch. So counters
are those of one device exactly, and statistics over the batch (batch normalisation's) are the whole batch's; losses
agree to rounding, since sums over images are added up in another order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import jax
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import ArrayLike

from jaxgrad.base.errors import InputError, either
from jaxgrad.training import random_keys
from jaxgrad.training.config import Config
from jaxgrad.training.prefetching import on_device
from jaxgrad.training.step import State, Sums, Trainer

Tree = TypeVar("Tree")

_AXIS = "devices"
_SMALL = 1024  # elements: an array of fewer is whole on every device
_REGISTER = "register"


@dataclass(frozen=True)
class Layout:
    """How the arrays of a run lie on its devices.

    Args:
        mesh: the devices, along one axis.
        splits_batch: whether each device has its part of a batch's images, or all of them.
        shards_state: whether parameters and what the optimizer keeps are split among the devices, each array along its
            longest axis that divides; or whole on each.
        note: a line that tells of them.
    """

    mesh: Mesh
    splits_batch: bool
    shards_state: bool
    note: str

    def batch(self, images: int) -> NamedSharding:
        """Where arrays of a row an image are; of a number of images that does not divide they are whole on each."""
        is_split = self.splits_batch and images % self.mesh.size == 0
        return NamedSharding(self.mesh, PartitionSpec(_AXIS) if is_split else PartitionSpec())

    def of_state(self, shape: tuple[int, ...]) -> NamedSharding:
        """Where an array of the training state is, by its shape."""
        sizes = [size if size % self.mesh.size == 0 else 0 for size in shape]
        if not self.shards_state or math.prod(shape) < _SMALL or not any(sizes):
            return NamedSharding(self.mesh, PartitionSpec())
        axis = sizes.index(max(sizes))
        return NamedSharding(self.mesh, PartitionSpec(*[None] * axis, _AXIS))

    def place(self, *arrays: ArrayLike) -> tuple[Array, ...]:
        """Arrays of a row an image on the devices; every process gives all rows, and feeds those of its own devices."""
        return tuple(_placed(array, self.batch(np.shape(array)[0])) for array in arrays)

    def placed(self, tree: Tree) -> Tree:
        """The training state, or a part of it, on the devices; every process gives the same."""
        return jax.tree.map(lambda leaf: _placed(leaf, self.of_state(leaf.shape)), tree)

    def keep(self, state: State) -> State:
        """Inside of a jitted step: the next state lies as this one does."""
        return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, self.of_state(leaf.shape)), state)

    def spread(self, trainer: Trainer) -> Trainer:
        """The trainer on these devices. Its step was made with ``keep``."""

        def step(state: State, images: ArrayLike, labels: ArrayLike) -> State:
            return trainer.step(state, *self.place(images, labels))

        def evaluate(state: State, images: ArrayLike, labels: ArrayLike, counted: ArrayLike) -> Sums:
            return trainer.evaluate(state, *self.place(images, labels, counted))

        return replace(
            trainer,
            initial=self.placed(trainer.initial),
            step=step,
            evaluate=evaluate,
            start=lambda model: self.placed(trainer.start(model)),
        )


def layout(config: Config) -> Layout | None:
    """The devices that a run has; None where that is one, and nothing is to be laid out.

    All of them, or as many as the batch can be split among, unless the configuration has a number, over all processes.
    At register fidelity a batch is whole on each device: its scans of cycles would exchange planes in every cycle. So
    one device a process is taken there, unless there is a number.

    Raises:
        InputError: there are fewer devices, or the batch can't be split among so many.
    """
    count, batch_size, fidelity = config.devices.number(), config.data.batch_size, config.emulation.fidelity
    shards_state = bool(config.devices.shard_parameters)
    devices, processes = jax.devices(), jax.process_count()
    groups = [[device for device in devices if device.process_index == index] for index in range(processes)]
    there = processes * min(map(len, groups))
    splits = fidelity != _REGISTER
    possible = [size for size in range(processes, there + 1, processes) if not splits or batch_size % size == 0]
    if count is None:
        if not possible:
            remedy = f"it is split among {processes} processes, give a multiple of that"
            raise InputError("batch_size", batch_size, remedy)
        chosen = max(possible) if splits else processes
    elif count > there:
        raise InputError("devices", count, f"there are {there}: give at most that")
    elif count % processes:
        raise InputError("devices", count, f"each of the {processes} processes has as many: give a multiple of that")
    elif count not in possible:
        remedy = f"a batch of {batch_size} images can't be split among them: give {either(map(str, possible))}"
        raise InputError("devices", count, f"{remedy}, or another batch size" if possible else remedy)
    else:
        chosen = count
    if chosen == 1:
        return None
    each = chosen // processes
    mesh = jax.make_mesh(
        (chosen,), (_AXIS,), axis_types=(AxisType.Auto,), devices=[one for group in groups for one in group[:each]]
    )
    return Layout(mesh, splits, shards_state, _note(chosen, there, processes, batch_size, splits, shards_state))


def note(layout: Layout | None, config: Config) -> str | None:
    """A line that tells of a run's devices; None where there is but one."""
    if layout is not None:
        return layout.note
    there = jax.device_count()
    if config.devices.number() is not None or there == 1:
        return None
    if config.emulation.fidelity == _REGISTER:
        return f"On 1 of {there} devices: register fidelity does not split a batch"
    return f"On 1 of {there} devices: a batch of {config.data.batch_size:,} images can't be split among more"


def placing(layout: Layout | None) -> Callable[[Any], Any]:
    """What puts a batch, (images, labels), where the step has it."""
    return on_device if layout is None else lambda batch: layout.place(*batch)


def whole(leaf: Any) -> np.ndarray:
    """All of an array on the host, wherever its parts are; every process of the run asks for it."""
    if isinstance(leaf, Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))
    return np.asarray(leaf)


def _note(chosen: int, there: int, processes: int, batch_size: int, splits: bool, shards_state: bool) -> str:
    of_all = f" of {there}" if chosen < there else ""
    batch = f"{batch_size // chosen} of {batch_size} images each" if splits else f"all {batch_size} images on each"
    sharded = ", parameters split among them" if shards_state else ""
    several = f" in {processes} processes" if processes > 1 else ""
    return f"On {chosen}{of_all} devices{several}: {batch}{sharded}"


def _placed(array: Any, sharding: NamedSharding) -> Array:
    if isinstance(array, Array):
        if array.sharding == sharding:
            return array
        if sharding.is_fully_addressable:  # from device to device, not by way of the host
            return jax.device_put(array, sharding)
    host = np.asarray(random_keys.words(array))
    return random_keys.as_in(array, jax.make_array_from_callback(host.shape, sharding, lambda index: host[index]))

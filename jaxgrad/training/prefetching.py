"""Batches made, and put on the device, while the step before them runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import jax

Batch = TypeVar("Batch")
Placed = TypeVar("Placed")

AHEAD = 2
"""Batches on the device beside the one that a step reads: one is ready, one is on its way."""


def on_device(batch: Any) -> Any:
    """A pytree of arrays on JAX's default device."""
    return jax.device_put(batch)


@contextmanager
def prefetched(
    batches: Iterable[Batch], place: Callable[[Batch], Placed] = on_device, *, ahead: int = AHEAD
) -> Iterator[Iterator[Placed]]:
    """The same batches in the same order, each made and placed by a thread that is some batches ahead.

    What the thread raises is raised where its batch would have come. However the ``with`` block ends, the thread has
    ended when it is left.

    Args:
        batches: are made by iterating, in that thread alone.
        place: what becomes of each there, such as a transfer to the device.
        ahead: how many are made before they are asked for.

    >>> with prefetched(range(3), lambda number: -number) as ready:
    ...     list(ready)
    [0, -1, -2]
    """
    source, end = iter(batches), object()
    # The caller's: a thread has settings of its own.
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]

    def made() -> Any:
        with jax.default_device(device):
            batch: Any = next(source, end)
            return end if batch is end else place(batch)

    with ThreadPoolExecutor(1, "batches") as thread:
        waiting = deque(thread.submit(made) for _ in range(ahead))

        def ready() -> Iterator[Any]:
            while (batch := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(made))
                yield batch

        try:
            yield ready()
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

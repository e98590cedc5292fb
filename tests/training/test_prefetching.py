"""Batches made ahead of the step: the same ones, by a thread that ends however training does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import jax
import numpy as np
import pytest

from jaxgrad.training.prefetching import AHEAD, prefetched


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_the_same_batches_in_the_same_order_on_the_device() -> None:
    batches = [(np.full((2, 3), number, np.float32), np.arange(number)) for number in range(7)]
    with prefetched(batches) as ready:
        placed = list(ready)
    assert len(placed) == 7
    for batch, there in zip(batches, placed, strict=True):
        assert all(isinstance(array, jax.Array) for array in there)
        jax.tree.map(np.testing.assert_array_equal, there, batch)
    assert threads() == []


def test_it_is_ahead_by_so_many_and_no_more() -> None:
    made = []
    here = threading.Semaphore(0)

    def batches() -> Iterator[int]:
        for number in range(9):
            made.append(number)
            here.release()
            yield number

    with prefetched(batches(), lambda number: number) as ready:
        assert next(ready) == 0
        for _ in range(AHEAD + 1):
            assert here.acquire(timeout=10)
        assert not here.acquire(timeout=0.05)
        assert made == list(range(AHEAD + 1))
        assert list(ready) == list(range(1, 9))


def test_an_error_of_the_source_comes_where_its_batch_would_have() -> None:
    def batches() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError("no third")

    came = []
    with pytest.raises(ZeroDivisionError, match="no third"), prefetched(batches(), lambda number: number) as ready:
        came.extend(iter(ready))
    assert threads() == []
    with prefetched(batches(), lambda number: 1 // (2 - number)) as ready:
        assert next(ready) == 1
        with pytest.raises(ZeroDivisionError):
            next(ready)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
def test_no_thread_is_left_whatever_ends_the_loop(error: type[BaseException]) -> None:
    def train() -> None:
        with prefetched(range(1000)) as ready:
            next(ready)
            assert threads()
            raise error

    with pytest.raises(error):
        train()
    assert threads() == []


def test_an_early_end_of_a_generator_around_it_ends_the_thread() -> None:
    def training() -> Iterator[int]:
        with prefetched(range(1000), lambda number: number) as ready:
            yield from ready

    loop = training()
    assert next(loop) == 0
    assert threads()
    del loop
    assert threads() == []


def test_batches_are_placed_on_the_device_of_the_caller() -> None:
    device = jax.devices("cpu")[-1]
    with jax.default_device(device), prefetched([np.zeros(2)]) as ready:
        (batch,) = ready
    assert batch.devices() == {device}

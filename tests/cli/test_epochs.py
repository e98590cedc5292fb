"""Progress: a bar for a terminal, a line an epoch for everyone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
from flax import nnx
from rich.console import Console

from jaxgrad.array.counters import Counters
from jaxgrad.autodiff import LayerCounters
from jaxgrad.cli.epochs import follow
from jaxgrad.training.loop import Progress
from jaxgrad.training.step import State, Sums

RECORD = {
    "epoch": 2,
    "train_loss": 0.25,
    "train_accuracy": 0.9,
    "test_loss": None,
    "test_accuracy": 0.8,
    "cycles": 4200,
}


def training() -> Iterator[Progress]:
    """The last two steps of two epochs of two."""
    counters = {"layer": LayerCounters(Counters.of(cycles=1000), Counters.of(cycles=2000))}
    sums = Sums(jnp.float32(3.0), jnp.uint32(3), jnp.uint32(4))
    state = State(nnx.State({}), nnx.State({}), (), counters, sums, jnp.uint32(3))
    yield Progress(state, 3)
    yield Progress(state, 4, RECORD)


def output(**console: Any) -> str:
    out = Console(file=io.StringIO(), width=100, **console)
    steps = [now.step for now in follow(training(), out, done=2, steps=4, epochs=2)]
    assert steps == [3, 4]
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_where_there_is_no_terminal_there_is_a_line_an_epoch() -> None:
    assert output() == "epoch 2/2  loss  0.250  accuracy  90.0%  test:    nan  80.0%  4.20k cycles\n"


def test_a_terminal_has_a_bar_with_loss_accuracy_and_cycles() -> None:
    text = output(force_terminal=True, color_system=None)
    assert "epoch 2/2" in text
    assert "3/4" in text
    assert "loss 0.750  acc. 75.0%  3.00k cycles" in text

"""README's code runs in the order in which it stands, with small shapes; its TOML and its commands are taken."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
import typer
from flax import nnx

from jaxgrad import Gemm
from jaxgrad.autodiff.estimators import EXACT
from jaxgrad.cli.app import COMMANDS, app
from jaxgrad.designs.schema import load
from jaxgrad.designs.space import kinds, technology
from jaxgrad.programs import LayerGemm
from jaxgrad.studies import schema
from tests.command import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SEARCH = ROOT / "experiments/sweeps/search.toml"


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.mlp = nnx.Sequential(nnx.Linear(4, 4, rngs=rngs), jnp.tanh)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.mlp(x)


class Network(nnx.Module):
    """Modules by the paths that README names."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.blocks = nnx.List([Block(rngs)])
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x = jnp.mean(self.conv1(images), axis=(1, 2))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def loss_fn(model: Network, images: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.mean((model(images) - labels) ** 2)


def train_step(params: jax.Array, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    x, y = batch
    return params - 0.1 * jax.grad(lambda w: jnp.mean((jnp.tanh(x @ w) - y) ** 2))(params)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def last_value(code: str, namespace: dict[str, Any]) -> Any:
    """Runs a block and returns the value of the expression that it ends with, if it does."""
    *lines, last = code.strip().splitlines()
    exec("\n".join(lines), namespace)
    if re.match(r"(\w+ = |put_on_array)", last):
        exec(last, namespace)
        return None
    return eval(last, namespace)


def sought() -> dict[str, Any]:
    """What a search by gradients needs: a kind of design, a space, a network's products, and sizes to begin at."""
    sweep = load(SEARCH)
    gemms = [LayerGemm("dense", Gemm(8, 20, 12), 1, needs_dx=True)]
    logs = jnp.log2(jnp.array([float(values[0]) for values in sweep.axes.values()]))
    return {
        "kind": kinds(sweep)[0],
        "sweep": sweep,
        "gemms": gemms,
        "technology": technology(sweep, SEARCH.parent),
        "logs": logs,
    }


@pytest.mark.slow
def test_the_python_blocks_run_one_after_the_other() -> None:
    x, w, dy = jnp.ones((8, 9)), jnp.ones((9, 10)), jnp.ones((8, 10))
    namespace: dict[str, Any] = {
        "x": x,
        "w": w,
        "dy": dy,
        "loss_fn": loss_fn,
        "train_step": train_step,
        "images": jnp.ones((2, 5, 5, 1)),
        "labels": jnp.ones((2, 3)),
        "params": jnp.ones((6, 5)),
        "batch": (jnp.ones((4, 6)), jnp.ones((4, 5))),
    }
    # For each block, by a word of it: what it has besides, and what its last line is to be.
    expected: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[Any], bool]]] = {
        "count, emulate": (dict, lambda counts: counts["dy_reads"] == 8 * 10 * 3),
        "value_and_grad": (lambda: {"model": Network(nnx.Rngs(0))}, lambda counts: counts["macs"] == 2 * 25 * 9 * 4),
        "Rule": (lambda: {"model": Network(nnx.Rngs(0))}, lambda nothing: nothing is None),
        "rounded": (
            lambda: {"model": Network(nnx.Rngs(0)), "my_sketch": EXACT, "nnx": nnx},
            lambda nothing: nothing is None,
        ),
        "jaxgrad.profile": (dict, lambda counts: counts["macs"] == 4 * 6 * 5),
        "Goal": (sought, lambda gradient: gradient is None),
        "load_technology": (
            dict,
            lambda pair: all(any(energies.values()) for energies in pair[1].values()),
        ),
    }
    code = blocks("python")
    assert len(code) == len(expected)
    for block, (word, (given, holds)) in zip(code, expected.items(), strict=True):
        assert word in block
        namespace |= given()
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # a rule that matches nothing, say
            value = last_value(block, namespace) if word != "Goal" else exec(block, namespace)
        assert holds(value), (word, value)


def test_the_extended_experiment_can_be_run(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments", ignore=shutil.ignore_patterns("figures"))
    file = tmp_path / "experiments" / "half.toml"
    file.write_text(text)
    experiment = schema.load(file)
    assert experiment.title == tomllib.loads(text)["title"]
    assert experiment.machine["memory"]["dram_gb_per_s"] == 75.0


def commands() -> list[str]:
    """Those of the table, whole; elsewhere commands are only named."""
    return re.findall(r"^\| `(jaxgrad [^`]+)`", README, re.MULTILINE)


@pytest.mark.parametrize("line", commands())
def test_the_commands_parse(line: str) -> None:
    """Options that do not exist, or values that they do not take, are refused here."""
    _, name, *arguments = shlex.split(line)
    parser: Any = typer.main.get_command(app)
    context = parser.commands[name].make_context(name, arguments)
    assert context.params
    for path in (word for word in arguments if word.endswith(".toml")):
        assert (ROOT / path).is_file()


def test_every_command_is_in_the_readme() -> None:
    assert {shlex.split(line)[1] for line in commands()} == set(COMMANDS)

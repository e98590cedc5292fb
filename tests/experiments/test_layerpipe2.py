"""The delays that experiments/layerpipe2.toml says its variants have."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad.flax import put_on_array, step_work
from jaxgrad.programs import Graph
from jaxgrad.studies.learning import schema
from jaxgrad.studies.learning.configurations import Cell, configurations
from jaxgrad.training.config import Config
from jaxgrad.training.delays import planned
from tests.command import ROOT

FILE = ROOT / "experiments" / "layerpipe2.toml"
CELLS = configurations(schema.load(FILE), FILE)
DELAYS = {
    "systolic-2": [2, 2, 2, 1, 0, 0, 0, 0],
    "systolic-4": [6, 5, 4, 3, 2, 1, 0, 0],
    "systolic-8": [14, 12, 10, 8, 6, 4, 2, 0],
    "systolic-8, vertical sync": [14] * 8,
    "1F1B-8": [7, 6, 5, 4, 3, 2, 1, 0],
    "GPipe-8": [0] * 8,
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    config = CELLS[Cell("sequential", "rate 0.03")]
    options = config.model.options()
    model = jaxgrad_models.build("mlp", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0), **options)
    images = jax.ShapeDtypeStruct((config.data.batch_size, 8, 8, 1), jnp.float32)
    return step_work(put_on_array(model, config.emulation_settings()), images).graph


@pytest.mark.parametrize(("variant", "delays"), DELAYS.items())
def test_delays_are_those_of_the_notes(variant: str, delays: list[int], graph: Graph) -> None:
    config: Config = CELLS[Cell(variant, "rate 0.03")]
    section = config.pipeline
    settings = section.model_dump(exclude={"name"}, exclude_none=True)
    made = planned(graph, config.emulation_settings(), config.data.batch_size, section.name or "", **settings)
    assert list(made.layers.values()) == delays

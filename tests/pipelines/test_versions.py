"""jaxgrad.pipelines.versions: what is kept, in words; what a batch meets is held in test_delayed."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from jaxgrad.pipelines import versions


@pytest.mark.parametrize(
    ("weights", "words"),
    [("stash", 3 * 6 + 1 * 5), ("vertical_sync", 3 * 11), ("current", 11), ("ema", 2 * 11)],
)
def test_words_that_a_pipeline_keeps(weights: str, words: int) -> None:
    params = {"first": {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}, "last": {"w": jnp.ones((2, 2)), "b": jnp.ones(1)}}
    late = versions.by_leaf(params, {"first": 2, "last": 0}, weights)
    assert versions.words(versions.first(params, late), weights) == words

"""jaxgrad.training.random_keys: keys become words and the same keys again, whatever they are made by."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from jaxgrad.training.random_keys import as_in, is_key, words


@pytest.mark.parametrize("kind", ["threefry2x32", "rbg"])
def test_keys_become_words_and_the_same_keys_again(kind: str) -> None:
    keys = jax.random.split(jax.random.key(3, impl=kind), 2)
    plain = np.asarray(words(keys))
    assert not is_key(plain)
    again = as_in(keys, plain)
    assert is_key(again)
    assert jax.random.key_impl(again) == jax.random.key_impl(keys)
    assert (again == keys).all()
    assert as_in(keys, keys) is keys
    assert as_in(plain, plain) is plain


def test_other_arrays_stay_what_they_are() -> None:
    for array in (jnp.arange(3), np.ones(2, bool), np.zeros((), np.uint32)):
        assert words(array) is array
        assert as_in(array, array) is array

"""The theory of coarse gradients for one hidden layer of step functions (arXiv 1808.05240), by Monte Carlo.

The output is ``v^T [Z w > 0]`` with Z Gaussian, the loss half the squared distance to the same of w* and v*.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxgrad.quantization import coarse

HIDDEN, FEATURES = 6, 4
_RNG = np.random.default_rng(1)
ROWS = _RNG.normal(size=(40_000, HIDDEN, FEATURES))
TRUE_OUT, TRUE = _RNG.normal(size=HIDDEN), _RNG.normal(size=FEATURES)


def coarse_gradients(w: np.ndarray, out: np.ndarray, proxy: str) -> np.ndarray:
    """By w, of each sample."""
    codes = (ROWS @ w > 0).astype(np.uint8)
    errors = codes @ out - (ROWS @ TRUE > 0) @ TRUE_OUT
    factor = np.asarray(coarse.find_by_input(proxy).factor(jnp.asarray(codes), None, 1))
    return np.einsum("s,h,sh,shk->sk", errors, out, factor, ROWS)


def z_scores(samples: np.ndarray, expected: float = 0.0) -> np.ndarray:
    return np.abs(samples.mean(0) - expected) / (samples.std(0) / len(samples) ** 0.5)


def test_the_relu_proxy_goes_along_with_the_gradient_of_the_expected_loss() -> None:
    w, out = np.array([0.3, -1.0, 0.4, 0.9]), TRUE_OUT + 0.3
    length, agreement = np.linalg.norm(w), out @ TRUE_OUT
    across = TRUE - w * (w @ TRUE) / length**2
    sine = np.linalg.norm(across) / np.linalg.norm(TRUE)
    gradient = -agreement / (2 * np.pi * length) * across / np.linalg.norm(across)
    inner = coarse_gradients(w, out, "relu") @ gradient
    expected = sine * agreement**2 / (2 * (2 * np.pi) ** 1.5 * length)
    assert z_scores(inner, 0) > 10
    assert z_scores(inner, expected) < 3


def test_at_the_spurious_minimum_the_relu_proxy_vanishes_and_the_identity_does_not() -> None:
    ones = np.ones((HIDDEN, HIDDEN))
    out = np.linalg.solve(np.eye(HIDDEN) + ones, (ones - np.eye(HIDDEN)) @ TRUE_OUT)
    relu, identity = (coarse_gradients(-TRUE, out, proxy) for proxy in ("relu", "identity"))
    assert z_scores(relu).max() < 3
    assert z_scores(identity @ TRUE) > 10

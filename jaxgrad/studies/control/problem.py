"""Control of a reaction-diffusion equation by gradient descent, with the memory of its gradient sampled.

Oktay et al., "Randomized Automatic Differentiation", ICLR 2021 (arXiv 2007.10412), section 5: on the unit square, 0 at
its boundary,

    d phi/dt = D laplacian(phi) + C(x, t; theta) phi,    phi(0) = sin(pi x) sin(pi y),

by the explicit Euler method. Sought is theta such that phi follows ``phi(0) + 1/4 sin(pi t) sin(2 pi x) sin(pi y)``.

Ours, since the paper says no more of it than that it is a Fourier series of seven coefficients:

    C = theta_0 + sum over m = 1, 2, 3 of cos(m pi x) (theta_(2m-1) sin(m pi t) + theta_(2m) cos(m pi t)),

whose first terms are those of the exact solution, ``(d phi/dt - D laplacian(phi)) / phi`` of the target, in powers of
1/2 sin(pi t) cos(pi x). What is kept between the passes is, of each step, C and phi for their product, and what phi
misses the target by for its square: three fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxgrad.autodiff.estimators.elementwise import kept, sampled_product


@dataclass(frozen=True)
class Problem:
    """The equation on a grid.

    Args:
        points: along each side of the square, its boundary included.
        steps_per_unit: time steps in a unit of time.
        horizon: units of time.
        diffusion: D.
        harmonics: of C; it has ``2 harmonics + 1`` coefficients.
        first: theta_0 at the start; 2 pi^2 D, as the grid has it, holds phi(0) up against diffusion. The others are 0.
    """

    points: int
    steps_per_unit: int
    horizon: float
    diffusion: float
    harmonics: int
    first: float

    @property
    def steps(self) -> int:
        return round(self.horizon * self.steps_per_unit)

    @property
    def stability(self) -> float:
        """``D dt / dx^2``: explicit Euler diverges where it is above 1/4."""
        return self.diffusion * (self.points - 1) ** 2 / self.steps_per_unit

    @property
    def start(self) -> Float[Array, " coefficients"]:
        """theta before the first iteration."""
        return jnp.zeros(2 * self.harmonics + 1).at[0].set(self.first)

    def kept_words(self, keep: float) -> int:
        """Words between the passes: two values of each product's two operands a step, keys left out.

        Of the square both operands are one field: kept once where it is kept whole.
        """
        cells = self.points**2
        return self.steps * (4 * kept(cells, keep) if kept(cells, keep) < cells else 3 * cells)

    def source(self, theta: Float[Array, " coefficients"], time: Float[Array, ""]) -> Float[Array, "points points"]:
        """C, x along the first axis."""
        orders = jnp.pi * jnp.arange(1, self.harmonics + 1)
        along = jnp.cos(orders[:, None] * jnp.linspace(0, 1, self.points))
        weights = theta[1::2] * jnp.sin(orders * time) + theta[2::2] * jnp.cos(orders * time)
        return jnp.broadcast_to((theta[0] + weights @ along)[:, None], (self.points, self.points))

    def target(self, time: Float[Array, ""]) -> Float[Array, "points points"]:
        return _mode(self.points, 1) + jnp.sin(jnp.pi * time) / 4 * _mode(self.points, 2)

    def loss(self, theta: Float[Array, " coefficients"], key: Array, keep: float = 1.0) -> Float[Array, ""]:
        """The mean square of what phi misses the target by, of all steps and points; exact, whatever is kept.

        Args:
            theta: coefficients of C.
            key: of what is drawn for the gradient.
            keep: the share of each field that is kept.
        """
        source = jax.checkpoint(self.source)  # computed again on the way back, from theta and the time

        def step(phi: Array, number: Array) -> tuple[Array, Array]:
            reaction, miss = jax.random.split(jax.random.fold_in(key, number))
            time = number / self.steps_per_unit
            grown = sampled_product(source(theta, time), phi, reaction, keep)
            phi = phi + (self.diffusion * self._laplacian(phi) + grown) / self.steps_per_unit
            phi = jnp.pad(phi[1:-1, 1:-1], 1)
            missed = phi - self.target(time + 1 / self.steps_per_unit)
            return phi, sampled_product(missed, missed, miss, keep).mean()

        _, squares = jax.lax.scan(step, _mode(self.points, 1), jnp.arange(self.steps))
        return squares.mean()

    def _laplacian(self, phi: Float[Array, "points points"]) -> Float[Array, "points points"]:
        around = jnp.pad(phi, 1)
        neighbours = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
        return (neighbours - 4 * phi) * (self.points - 1) ** 2


def _mode(points: int, number: int) -> Float[Array, "points points"]:
    """``sin(number pi x) sin(pi y)``, 0 at the boundary."""
    places = jnp.pi * jnp.linspace(0, 1, points)
    return jnp.pad(jnp.outer(jnp.sin(number * places), jnp.sin(places))[1:-1, 1:-1], 1)

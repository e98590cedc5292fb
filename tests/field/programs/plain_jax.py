"""Training steps as people write them with JAX alone."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from tests.field.program import Program, normal


def perceptron() -> Program:
    def loss(params: list[tuple[Array, Array]], x: Array, y: Array) -> Array:
        for w, b in params[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = params[-1]
        return jnp.mean((x @ w + b - y) ** 2)

    def step(params: Any, x: Array, y: Array) -> Any:
        value, grads = jax.value_and_grad(loss)(params, x, y)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads), value

    return Program(step, ([(normal(4, 5), normal(5)), (normal(5, 3), normal(3))], normal(6, 4), normal(6, 3)))


def per_example_gradients() -> Program:
    def loss(w: Array, x: Array) -> Array:
        return jnp.sum(jnp.tanh(x @ w) ** 2)

    return Program(jax.vmap(jax.grad(loss), (None, 0)), (normal(4, 3), normal(5, 2, 4)))


def recurrent_network() -> Program:
    def loss(params: tuple[Array, Array, Array], xs: Array) -> Array:
        inner, recurrent, outer = params

        def cell(h: Array, x: Array) -> tuple[Array, Array]:
            h = jnp.tanh(x @ inner + h @ recurrent)
            return h, h @ outer

        return jnp.sum(lax.scan(cell, jnp.zeros((2, 5)), xs)[1] ** 2)

    return Program(jax.value_and_grad(loss), ((normal(3, 5), normal(5, 5), normal(5, 2)), normal(4, 2, 3)))


def attention() -> Program:
    def loss(params: dict[str, Array], x: Array) -> Array:
        q, k, v = (jnp.einsum("btd,dhe->bhte", x, params[name]) for name in "qkv")
        weights = jax.nn.softmax(jnp.einsum("bhte,bhse->bhts", q, k))
        return jnp.sum(jnp.einsum("bhts,bhse->bthe", weights, v) ** 2)

    return Program(jax.grad(loss), ({name: normal(4, 2, 3) for name in "qkv"}, normal(2, 5, 4)))


def model_agnostic_meta_learning() -> Program:
    def loss(w: Array, x: Array, y: Array) -> Array:
        return jnp.mean((jnp.tanh(x @ w) - y) ** 2)

    def outer(w: Array, x: Array, y: Array) -> Array:
        return loss(w - 0.1 * jax.grad(loss)(w, x, y), x, y)

    return Program(jax.jit(jax.value_and_grad(outer)), (normal(4, 3), normal(5, 4), normal(5, 3)))


def weight_penalty() -> Program:
    def loss(w: Array, x: Array, y: Array) -> Array:
        error = x @ w - y
        return jnp.vdot(error, error) + 0.01 * (w @ w)

    return Program(jax.value_and_grad(loss), (normal(4), normal(6, 4), normal(6)))


def force_field() -> Program:
    def energy(w: Array, positions: Array) -> Array:
        distances = jnp.sum((positions[:, None] - positions[None]) ** 2, -1) + jnp.eye(len(positions))
        return jnp.sum(jnp.tanh(distances @ w) @ jnp.ones(w.shape[1]))

    def loss(w: Array, positions: Array, forces: Array) -> Array:
        value, slope = jax.value_and_grad(energy, 1)(w, positions)
        return jnp.mean((-slope - forces) ** 2) + value**2

    return Program(jax.grad(loss), (normal(5, 3), normal(5, 3), normal(5, 3)))


def complex_signal() -> Program:
    def loss(w: Array, x: Array) -> Array:
        return jnp.sum(jnp.abs((x + 1j * x) @ (w + 2j * w)) ** 2)

    return Program(loss, (normal(4, 3), normal(5, 4)))


def integer_inference() -> Program:
    def infer(w: Array, x: Array) -> Array:
        return lax.dot_general(x, w, (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32)

    w = (10 * normal(4, 3)).astype(jnp.int8)
    return Program(infer, (w, (10 * normal(5, 4)).astype(jnp.int8)))


def gaussian_process() -> Program:
    def loss(scale: Array, x: Array, y: Array) -> Array:
        squares = jnp.sum(x**2, -1)
        kernel = jnp.exp(-scale * (squares[:, None] + squares[None] - 2 * x @ x.T)) + 0.1 * jnp.eye(len(x))
        factor = jnp.linalg.cholesky(kernel)
        alpha = jax.scipy.linalg.cho_solve((factor, True), y)
        return 0.5 * y @ alpha + jnp.sum(jnp.log(jnp.diag(factor)))

    return Program(
        jax.value_and_grad(loss),
        (jnp.float32(0.5), normal(6, 2), normal(6)),
        lapack=("cholesky", "triangular_solve"),
    )


def power_iteration() -> Program:
    def largest(matrix: Array) -> Array:
        def more(state: tuple[Array, Array]) -> Array:
            vector, previous = state
            return jnp.linalg.norm(vector - previous) > 0.5

        def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
            image = matrix @ state[0]
            return image / jnp.linalg.norm(image), state[0]

        vector, _ = lax.while_loop(more, again, (jnp.ones(len(matrix)), jnp.zeros(len(matrix))))
        return vector @ matrix @ vector

    return Program(largest, (jnp.diag(jnp.arange(1.0, 5.0)),))


def conjugate_gradients() -> Program:
    def loss(w: Array, y: Array) -> Array:
        matrix = w @ w.T + jnp.eye(len(w))
        return jnp.sum(jax.scipy.sparse.linalg.cg(lambda v: matrix @ v, y, maxiter=3)[0] ** 2)

    return Program(loss, (normal(4, 3), normal(4)))


def gradient_through_a_solve() -> Program:
    def loss(w: Array, y: Array) -> Array:
        matrix = w @ w.T + jnp.eye(len(w))
        return jnp.sum(jax.scipy.sparse.linalg.cg(lambda v: matrix @ v, y, maxiter=3)[0] ** 2)

    return Program(jax.value_and_grad(loss, (0, 1)), (normal(4, 3), normal(4)))


def implicit_layer() -> Program:
    def loss(w: Array, x: Array) -> Array:
        return jnp.sum(jnp.linalg.solve(w @ w.T + jnp.eye(len(w)), x) ** 2)

    return Program(jax.grad(loss, (0, 1)), (normal(4, 3), normal(4, 2)), lapack=("lu", "triangular_solve"))


def mixture_of_experts() -> Program:
    def loss(experts: Array, gate: Array, x: Array) -> Array:
        expert = jnp.argmax(x @ gate, -1)
        order = jnp.argsort(expert)
        sizes = jnp.bincount(expert, length=len(experts))
        return jnp.sum(jnp.tanh(lax.ragged_dot(x[order], experts, sizes)) ** 2)

    return Program(jax.grad(loss, (0, 2)), (normal(3, 4, 5), normal(4, 3), normal(7, 4)))


def decoder() -> Program:
    def loss(w: Array, v: Array, x: Array) -> Array:
        numbers = ("NHWC", "HWIO", "NHWC")
        up = jax.nn.relu(lax.conv_transpose(x, w, (2, 2), "SAME", dimension_numbers=numbers))
        return jnp.sum(lax.conv_transpose(up, v, (2, 2), "SAME", dimension_numbers=numbers) ** 2)

    return Program(jax.grad(loss, (0, 1)), (normal(3, 3, 2, 3), normal(2, 2, 3, 1), normal(2, 3, 3, 2)))

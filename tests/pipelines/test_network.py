"""jaxgrad.pipelines.network: a step's layers, with the times that the costs have for them."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxgrad import Accelerator, Emulation, Gemm, Machine, Memory, count, count_forward, profile
from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.network import network
from jaxgrad.programs import Graph

ARRAY = Accelerator(4, 3)
PARAMS = {"a": jnp.ones((6, 5)), "b": jnp.ones((5, 7)), "c": jnp.ones((7, 2))}


def loss(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    hidden = jnp.tanh(x @ params["a"])
    return jnp.sum(jnp.tanh(hidden @ params["b"]) @ params["c"])


def graph_of(rows: int = 9) -> Graph:
    return profile(jax.value_and_grad(loss), PARAMS, jnp.ones((rows, 6))).graph


def cycles(batch: int, k: int, n: int, schedule: str) -> int:
    return count(Gemm(batch, k, n), ARRAY, schedule).as_dict()["cycles"]


@pytest.mark.parametrize("schedule", ["interleaved", "sequential"])
def test_times_are_the_closed_forms(schedule: str) -> None:
    layers = network(graph_of(), Emulation(ARRAY, schedule)).layers
    assert [layer.forward for layer in layers] == [
        count_forward(Gemm(9, k, n), ARRAY).as_dict()["cycles"] for k, n in ((6, 5), (5, 7), (7, 2))
    ]
    first, second, third = layers
    assert (first.halves, first.dx, first.dw, first.backward) == ((), 0, cycles(9, 6, 5, "os"), cycles(9, 6, 5, "os"))
    for layer, (k, n) in ((second, (5, 7)), (third, (7, 2))):
        assert layer.dx == cycles(9, k, n, "ws")
        assert layer.halves == (cycles(5, k, n, "ws"), cycles(4, k, n, "ws"))
        assert layer.dw == cycles(9, k, n, "os")
        assert layer.backward == min(cycles(9, k, n, schedule), layer.dx + layer.dw)
        assert (layer.weight_words, layer.saved_words) == (k * n, 9 * k)


def test_macs_are_time_too() -> None:
    _, second, _ = network(graph_of(), Emulation(ARRAY), time="macs").layers
    assert (second.forward, second.halves, second.dx, second.dw) == (315, (175, 140), 315, 315)
    assert second.total == second.forward + second.backward == 945


def test_a_single_row_has_no_halves() -> None:
    _, second, _ = network(graph_of(1), Emulation(ARRAY), time="macs").layers
    assert second.halves == (second.dx,)


def test_tensors_go_from_layer_to_layer_and_their_cotangents_back() -> None:
    found = [tensor for tensor in network(graph_of(), Emulation(ARRAY)).tensors if tensor.source is not None]
    between = [(tensor.source, tensor.target, tensor.words, tensor.returns) for tensor in found]
    assert between == [(0, 1, 45, True), (1, 2, 63, True), (2, None, 1, True)]


def test_times_with_a_memory_have_its_stalls() -> None:
    slow = Machine(ARRAY, Memory(2048, 0.01))
    graph = graph_of()
    alone = network(graph, Emulation(ARRAY, "sequential"))
    through = network(graph, Emulation(ARRAY, "sequential"), machine=slow)
    assert all(more.forward > less.forward for more, less in zip(through.layers, alone.layers, strict=True))
    assert through.total > alone.total


def test_a_loop_that_carries_between_layers_is_refused() -> None:
    def recurrent(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        def body(h: jax.Array, _: None) -> tuple[jax.Array, None]:
            return jnp.tanh(jnp.tanh(h @ params["up"]) @ params["down"]), None

        return jnp.sum(lax.scan(body, x, None, length=3)[0])

    params = {"up": jnp.ones((4, 6)), "down": jnp.ones((6, 4))}
    graph = profile(jax.value_and_grad(recurrent), params, jnp.ones((2, 4))).graph
    with pytest.raises(InputError, match=r"a loop that carries a tensor from .* to .*; give one whose layers form"):
        network(graph, Emulation(ARRAY))


def test_bad_input() -> None:
    with pytest.raises(InputError, match="without a product"):
        network(replace(graph_of(), nodes=(), edges=()), Emulation(ARRAY))
    with pytest.raises(InputError, match="choose one of cycles, macs"):
        network(graph_of(), Emulation(ARRAY), time="seconds")


def test_an_update_of_weights_is_a_task_with_cycles_of_its_own() -> None:
    """R a tile: 4 rows of n, 3 columns of k. All else stays."""
    graph = graph_of()
    plain = network(graph, Emulation(ARRAY)).layers
    updated = network(graph, Emulation(ARRAY), update_cycles=True).layers
    assert [layer.update for layer in plain] == [0, 0, 0]
    assert [layer.update for layer in updated] == [4 * 2 * 2, 4 * 2 * 2, 4 * 1 * 3]
    assert [replace(layer, update=0) for layer in updated] == list(plain)
    assert updated[0].total == plain[0].total + 16


def test_an_update_waits_for_its_transfers() -> None:
    """W and dW in, W out: 3 words a weight through the memory's channel, less what its own cycles hide."""
    slow = Machine(ARRAY, Memory(2048, 0.01))
    graph = graph_of()
    alone = network(graph, Emulation(ARRAY), update_cycles=True).layers
    through = network(graph, Emulation(ARRAY), machine=slow, update_cycles=True).layers
    assert all(more.update > less.update for more, less in zip(through, alone, strict=True))
    assert [layer.dw for layer in through] == [
        layer.dw for layer in network(graph, Emulation(ARRAY), machine=slow).layers
    ]


def test_an_update_has_no_macs() -> None:
    with pytest.raises(InputError, match="update_cycles: got True; count time in cycles"):
        network(graph_of(), Emulation(ARRAY), time="macs", update_cycles=True)

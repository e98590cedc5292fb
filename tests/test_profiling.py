"""The walker against the taps, the marked records and the closed form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx
from jax import Array, lax
from jax.sharding import AxisType, PartitionSpec

import models
from jaxgrad import Accelerator, Counters, Emulation, Gemm
from jaxgrad.evaluate import step_cost
from jaxgrad.flax import layer_gemms, put_on_array, value_and_grad
from jaxgrad.profiling import Profile, profile
from jaxgrad.workload import LayerGemm
from models.vit import ViT
from tests.layers import NHWC
from tests.refusals import Refusal, assert_refused

EMULATION = Emulation(Accelerator(3, 4))
X = jnp.ones((6, 8))
W = jnp.full((8, 8), 0.1)
SLOW = pytest.mark.slow
DEEP = (
    *("resnet50", "resnet101", "resnet152", "densenet121", "densenet169", "densenet201", "densenet264", "resnet110"),
    *("inception-v4", "googlenet", "resnet44", "resnet56", "vit-small", "vgg16", "vgg11", "resnet34", "resnet32"),
)


class Block(nnx.Module):
    """A transformer's: attention of two heads, written out, and a perceptron, both around residuals."""

    def __init__(self, rngs: nnx.Rngs, width: int = 8, heads: int = 2) -> None:
        self.heads = heads
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.qkv = nnx.Linear(width, 3 * width, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        batch, length, width = x.shape
        q, k, v = jnp.split(self.qkv(self.norms[0](x)).reshape(batch, length, self.heads, -1), 3, axis=-1)
        scores = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k), axis=-1)
        x = x + self.out(jnp.einsum("bhqk,bkhd->bqhd", scores, v).reshape(batch, length, width))
        return x + self.down(jax.nn.gelu(self.up(self.norms[1](x))))


class Mixer(nnx.Module):
    """An MLP-mixer's block: a perceptron over the tokens, another over the channels."""

    def __init__(self, rngs: nnx.Rngs, tokens: int = 5, width: int = 8) -> None:
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.tokens = nnx.List([nnx.Linear(tokens, 7, rngs=rngs), nnx.Linear(7, tokens, rngs=rngs)])
        self.channels = nnx.List([nnx.Linear(width, 9, rngs=rngs), nnx.Linear(9, width, rngs=rngs)])

    def __call__(self, x: Array) -> Array:
        mixed = self.tokens[1](jax.nn.gelu(self.tokens[0](self.norms[0](x).swapaxes(1, 2)))).swapaxes(1, 2)
        x = x + mixed
        return x + self.channels[1](jax.nn.gelu(self.channels[0](self.norms[1](x))))


class Recurrent(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(8, 6, rngs=rngs))
        self.head = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        hidden: Any = self.rnn(x)
        return self.head(hidden)


class Again(nnx.Module):
    """Two blocks of which the first is run anew for the backward pass."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.second = Mixer(rngs), Mixer(rngs)

    def __call__(self, x: Array) -> Array:
        return self.second(nnx.remat(lambda block, x: block(x))(self.first, x))


TOKENS = (2, 5, 8)
SMALL: dict[str, tuple[Callable[[nnx.Rngs], nnx.Module], tuple[int, ...]]] = {
    "mlp": (lambda rngs: models.build("mlp", input_shape=(4, 4, 1), classes=3, rngs=rngs), (2, 4, 4, 1)),
    "lenet": (lambda rngs: models.build("lenet", input_shape=(8, 8, 1), classes=3, rngs=rngs), (2, 8, 8, 1)),
    "resnet20": (lambda rngs: models.build("resnet20", input_shape=(8, 8, 3), classes=3, rngs=rngs), (2, 8, 8, 3)),
    "mixer": (Mixer, TOKENS),
    "lstm": (Recurrent, TOKENS),
    "remat": (Again, TOKENS),
    "transformer": (Block, TOKENS),
    "vit": (lambda rngs: ViT((8, 8, 3), 3, width=6, heads=2, depth=1, patch=4, rngs=rngs), (2, 8, 8, 3)),
}


def loss_of(model: Any, x: Array) -> Array:
    return (model(x) ** 2).sum()


def bag(gemms: list[LayerGemm]) -> Counter[LayerGemm]:
    return Counter(replace(gemm, path="") for gemm in gemms)


def totals(cost: Any, schedule: str) -> tuple[dict[str, int], dict[str, int]]:
    counts = cost.total_forward(), cost.total(schedule)
    return tuple({name: own for name, own in each.items() if name != "effectual_macs"} for each in counts)  # pyright: ignore[reportReturnType]  # two of two


@pytest.mark.parametrize("name", SMALL)
def test_totals_are_those_of_the_taps(name: str) -> None:
    make, shape = SMALL[name]
    x = jax.random.normal(jax.random.key(1), shape)
    own = profile(nnx.value_and_grad(loss_of), make(nnx.Rngs(0)), x)
    model = make(nnx.Rngs(0))
    put_on_array(model, EMULATION)
    _, _, counters = nnx.jit(value_and_grad(loss_of))(model, x)
    forward = sum((layer.forward for layer in counters.values()), start=Counters.zero()).as_dict()
    backward = sum((layer.backward for layer in counters.values()), start=Counters.zero()).as_dict()
    # Taps are in layers; the products of two activations, in attention, have none.
    layers = [gemm for gemm in own.gemms if name not in ("transformer", "vit") or gemm.times == 1]
    del forward["effectual_macs"], backward["effectual_macs"]
    assert totals(step_cost(layers, EMULATION), "interleaved") == (forward, backward)
    assert bag(layers) == bag(layer_gemms(make(nnx.Rngs(0)), x))
    assert {gemm.path for gemm in layers} == set(counters)
    # A block's scores and mixed values, for each image and head.
    assert len(own.gemms) - len(layers) == {"transformer": 2, "vit": 2}.get(name, 0)
    assert own.notes == []


def test_attention_s_own_products_have_both_gradients() -> None:
    own = profile(nnx.grad(loss_of), Block(nnx.Rngs(0)), jnp.ones(TOKENS))
    scores = LayerGemm("", Gemm(5, 4, 5), 4, needs_dx=True)
    mixed = LayerGemm("", Gemm(5, 5, 4), 4, needs_dx=True)
    layers = layer_gemms(Block(nnx.Rngs(0)), jnp.ones(TOKENS))
    swapped = LayerGemm("", Gemm(4, 5, 5), 4, needs_dx=True)  # einsum puts either operand first
    extra = bag(own.gemms) - bag(layers)
    assert extra in (Counter([scores, mixed]), Counter([scores, swapped]))


@pytest.mark.parametrize(
    "name", [pytest.param(own, marks=SLOW if own in DEEP else ()) for own in (*models.MODELS, *models.PAPERS)]
)
def test_every_model_s_records(name: str) -> None:
    shape = models.INPUT_SHAPES.get(name, (8, 8, 1))
    model: Any = models.abstract(name, input_shape=shape)
    images = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    def step(params: nnx.State, rest: nnx.State, images: Array) -> Any:
        def loss(params: nnx.State) -> Array:
            own: Any = nnx.merge(graph, params, rest, copy=True)
            own.eval()
            return optax.softmax_cross_entropy_with_integer_labels(own(images), jnp.zeros(2, int)).mean()

        gradients = jax.grad(loss)(params)
        return jax.tree.map(lambda weight, gradient: weight - 0.1 * gradient, params, gradients)

    own = profile(step, params, rest, images)
    wanted = bag(layer_gemms(model, images))
    found = bag(own.gemms)
    assert wanted <= found
    between_activations = found - wanted
    if not name.startswith("vit"):
        assert not between_activations
    assert all(gemm.needs_dx and gemm.needs_dw for gemm in between_activations)
    assert totals(own.cost(EMULATION), "sequential") == totals(step_cost(own.gemms, EMULATION), "sequential")
    assert own.notes == []


def two_layers(w: Array, x: Array) -> Array:
    return jnp.tanh(jnp.tanh(x @ w) @ w).sum()


def shapes(own: Profile) -> list[tuple[tuple[int, int, int], int, bool, bool, int]]:
    return [
        (
            (gemm.gemm.batch, gemm.gemm.in_features, gemm.gemm.out_features),
            gemm.times,
            gemm.needs_dx,
            gemm.needs_dw,
            gemm.recomputed,
        )
        for gemm in own.gemms
    ]


WHOLE = (6, 8, 8)
TRAINED = [(WHOLE, 1, False, True, 0), (WHOLE, 1, True, True, 0)]


def stacked(w: Array, x: Array) -> Array:
    return lax.scan(lambda h, _: (jnp.tanh(h @ w), None), jnp.tanh(x @ w), None, length=3)[0].sum()


def again(w: Array, x: Array) -> Array:
    return lax.scan(jax.checkpoint(lambda h, _: (jnp.tanh(jnp.tanh(h @ w) @ w), None)), x, None, 3)[0].sum()


def sharded(w: Array, x: Array) -> Array:
    mesh = jax.make_mesh((2,), ("i",), axis_types=(AxisType.Auto,))
    whole, rows = PartitionSpec(), PartitionSpec("i")

    def part(w: Array, x: Array) -> Array:
        return lax.psum(two_layers(w, x), "i")

    return jax.shard_map(part, mesh=mesh, in_specs=(whole, rows), out_specs=whole)(w, x)


def accumulated(w: Array, x: Array) -> Array:
    def step(sum_: Array, part: Array) -> tuple[Array, None]:
        return sum_ + jax.grad(two_layers)(w, part), None

    return lax.scan(step, jnp.zeros_like(w), x.reshape(3, 2, 8))[0]


def trained(w: Array, x: Array) -> Array:
    return lax.scan(lambda w, part: (w - jax.grad(two_layers)(w, part), None), w, x.reshape(3, 2, 8))[0]


@jax.custom_vjp
def own_rule(x: Array, w: Array) -> Array:
    return x @ w


own_rule.defvjp(lambda x, w: (x @ w, (x, w)), lambda kept, dy: (dy @ kept[1].T, kept[0].T @ dy))


@jax.custom_jvp
def bent(x: Array) -> Array:
    return jnp.sin(x)


bent.defjvp(lambda primals, tangents: (bent(*primals), 2 * tangents[0]))


def branched(w: Array, x: Array) -> Array:
    return lax.cond(x[0, 0] > 0, lambda h: jnp.tanh(h @ w), lambda h: h, jnp.tanh(x @ w)).sum()


CASES: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "forward": (two_layers, [(WHOLE, 1, False, False, 0)] * 2),
    "gradient": (jax.grad(two_layers), TRAINED),
    "jit": (jax.jit(jax.value_and_grad(jax.jit(two_layers))), TRAINED),
    # The last cosine needs the last product anew.
    "remat": (jax.grad(jax.checkpoint(two_layers)), [(*own[:4], 1) for own in TRAINED]),
    "vmap inside": (jax.grad(lambda w, x: jax.vmap(lambda row: two_layers(w, row))(x).sum()), TRAINED),
    "gradient an example": (
        jax.vmap(jax.grad(lambda w, row: two_layers(w, row[None])), (None, 0)),
        [((1, 8, 8), 6, False, True, 0), ((1, 8, 8), 6, True, True, 0)],
    ),
    "scan": (jax.grad(stacked), [(WHOLE, 1, False, True, 0), (WHOLE, 3, True, True, 0)]),
    "scan of remat": (
        jax.grad(
            lambda w, x: lax.scan(jax.checkpoint(lambda h, _: (jnp.tanh(jnp.tanh(h @ w) @ w), None)), x, None, 3)[
                0
            ].sum()
        ),
        [(WHOLE, 3, True, True, 3), (WHOLE, 3, True, True, 3)],
    ),
    "accumulation": (accumulated, [((2, 8, 8), 3, False, True, 0), ((2, 8, 8), 3, True, True, 0)]),
    "a loop of steps": (trained, [((2, 8, 8), 3, False, True, 0), ((2, 8, 8), 3, True, True, 0)]),
    "custom_vjp": (jax.grad(lambda w, x: jnp.tanh(own_rule(jnp.tanh(x * w[0]), w)).sum()), [(WHOLE, 1, True, True, 0)]),
    "custom_jvp": (jax.grad(lambda w, x: bent(bent(x @ w) @ w).sum()), TRAINED),
    "weights on the left": (jax.grad(lambda w, x: jnp.tanh(w @ jnp.tanh(w @ x.T)).sum()), TRAINED),
    "weights on the left, under vmap": (
        jax.grad(lambda w, x: jax.vmap(lambda row: jnp.tanh(w @ jnp.tanh(w @ row)).sum())(x).sum()),
        TRAINED,
    ),
    "weights on the left, a gradient an example": (
        jax.vmap(jax.grad(lambda w, row: jnp.tanh(w @ jnp.tanh(w @ row)).sum()), (None, 0)),
        [((1, 8, 8), 6, False, True, 0), ((1, 8, 8), 6, True, True, 0)],
    ),
    "masked weights": (jax.grad(lambda w, x: jnp.tanh(jnp.tanh(x @ (w * X[:1])) @ (w * X[:1])).sum()), TRAINED),
    "tied weights": (jax.grad(lambda w, x: (jnp.tanh(x @ w) @ w.T).sum()), TRAINED),
    "tied weights, forward": (lambda w, x: jnp.tanh(x @ w) @ w.T, [(WHOLE, 1, False, False, 0)] * 2),
    "frozen weights": (
        jax.grad(lambda w, x: jnp.tanh(jnp.tanh(jnp.tanh(x @ X.T @ X) @ w) @ (2 * X.T @ X)).sum()),
        [
            ((6, 8, 6), 1, False, False, 0),
            ((6, 6, 8), 1, False, False, 0),
            (WHOLE, 1, False, True, 0),
            ((8, 6, 8), 1, False, False, 0),
            (WHOLE, 1, True, False, 0),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_transformations(name: str) -> None:
    function, wanted = CASES[name]
    own = profile(function, W, X)
    assert shapes(own) == wanted
    assert own.notes == []


def test_what_counts_but_cannot_be_known_is_said() -> None:
    own = profile(jax.grad(branched), W, X)
    assert shapes(own) == TRAINED
    assert [note.partition(":")[0] for note in own.notes] == ["cond"]
    own = profile(jax.grad(sharded), W, X)
    assert shapes(own) == [((3, 8, 8), 2, *flags) for _, _, *flags in TRAINED]
    assert [note.partition(":")[0] for note in own.notes] == ["shard_map"]


def test_gradients_by_hand_are_told_by_their_operands() -> None:
    def step(w: Array, x: Array) -> Array:
        h = jnp.tanh(x @ w)
        dz = 2 * (h @ w)
        dy = (dz @ w.T) * (1 - h**2)
        return h.T @ dz + x.T @ dy

    own = profile(step, W, X)
    assert shapes(own) == TRAINED
    assert [note.partition(":")[0] for note in own.notes] == ["guessed"]


def test_products_that_are_no_layer_s_gradient_are_named() -> None:
    def step(w: Array, x: Array) -> Array:
        return jax.grad(lambda w: jax.vjp(lambda w: jnp.sin(x @ w) @ w, w)[1](X)[0].sum())(w)

    own = profile(step, W, X)
    assert all(note.startswith("other") for note in own.notes)
    assert len(own.gemms) >= 3


def loop(w: Array, x: Array) -> Array:
    return lax.while_loop(lambda x: x.sum() < 0, lambda x: jnp.tanh(x @ w), x)


def test_trips_of_a_while_loop() -> None:
    own = profile(loop, W, X)
    (note,) = own.notes
    name = note.partition(": ")[0]
    assert name.startswith("while@test_profiling.py:")
    assert shapes(own) == [(WHOLE, 1, False, False, 0)]
    assert sum(work.operations for work in own.vector) == 48 + 48 + 1
    for trips in (7, {name: 7}):
        own = profile(loop, W, X, trips=trips)
        assert shapes(own) == [(WHOLE, 7, False, False, 0)]
        assert own.notes == []
        assert sum(work.operations for work in own.vector) == 7 * (48 + 48 + 1)


def test_a_solver_whose_products_are_hidden_says_so() -> None:
    def function(w: Array, x: Array) -> Array:
        return lax.custom_linear_solve(lambda v: w @ v, x @ w[0], lambda matvec, b: matvec(b))

    own = profile(function, W, jnp.ones((8, 8)))
    assert shapes(own) == [((1, 8, 8), 1, False, False, 0)]
    assert [note.partition(":")[0] for note in own.notes] == ["custom_linear_solve"]


def test_a_loop_with_a_known_count_needs_no_telling() -> None:
    own = profile(lambda w, x: lax.fori_loop(0, 7, lambda _, x: x @ w, x), W, X)
    assert shapes(own) == [(WHOLE, 7, False, False, 0)]
    assert own.notes == []


def test_a_strided_convolution_s_dx_is_its_forward_gemm() -> None:
    def loss(w: Array, x: Array) -> Array:
        x = jnp.sin(x * w[0, 0, 0, 0])
        return jnp.sin(lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=NHWC)).sum()

    (gemm,) = profile(jax.grad(loss), jnp.ones((3, 3, 2, 5)), jnp.ones((2, 7, 8, 2))).gemms
    assert gemm.gemm == Gemm(2 * 4 * 4, 18, 5)
    assert (gemm.times, gemm.needs_dx, gemm.needs_dw, gemm.x_words) == (1, True, True, 2 * 7 * 8 * 2)


def test_a_transposed_convolution_meets_each_pixel_once() -> None:
    def run(w: Array, x: Array) -> Array:
        return lax.conv_transpose(x, w, (2, 2), "SAME")

    (gemm,) = profile(run, jnp.ones((3, 3, 2, 5)), jnp.ones((2, 4, 4, 2))).gemms
    assert gemm.gemm == Gemm(2 * 4 * 4, 2, 9 * 5)


def test_arguments_that_are_no_arrays() -> None:
    def function(x: Array, w: Array, *, twice: bool, mode: str) -> Array:
        assert mode == "on"
        return x @ w @ w if twice else x @ w

    assert len(profile(function, X, jax.ShapeDtypeStruct((8, 8), jnp.float32), twice=True, mode="on").gemms) == 2
    assert len(profile(function, X, W, twice=False, mode="on").gemms) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: profile(lambda x: x if x.sum() > 0 else -x, X), "function", "<lambda>", "jax.jit"),
        Refusal(lambda: profile(3, X), "function", "int", "to call"),  # pyright: ignore[reportArgumentType]  # as it must not be
        Refusal(lambda: profile(loop, W, X, trips={"while@nowhere:1": 3}), "trips", "nowhere", "while@test_profiling"),
        Refusal(lambda: profile(two_layers, W, X, trips={"a": 3}), "trips", "'a'", "no while loop"),
        Refusal(lambda: profile(loop, W, X, trips=0), "trips", "0", "at least 1"),
    ],
)
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)

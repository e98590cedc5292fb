"""Several devices: the same counters as one, the same losses to rounding, and memory where it is said to be."""

from __future__ import annotations

from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training import data, devices
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.config import Config, resolve
from jaxgrad.training.job import Job, prepare
from jaxgrad.training.shared import SharedCheckpoints
from jaxgrad.training.step import State, next_epoch

if jax.device_count() < 4:
    pytest.skip("four devices are needed", allow_module_level=True)


def config(fidelity: str = "native", **more: Any) -> Config:
    sections: dict[str, dict[str, Any]] = {
        "model": {"name": "mlp", "hidden": [24], "batch_norm": True},
        "data": {"batch_size": 32},
        "emulation": {"fidelity": fidelity},
        "array": {"rows": 16, "cols": 16},
        "estimator": {"name": "rad", "keep": 0.5},
    }
    return Config.model_validate({**sections, **more})


def trained(job: Job, steps: int = 3) -> State:
    """After some steps, an epoch's end among them."""
    state = job.trainer.initial
    for number, batch in enumerate(islice(data.batches(job.dataset, job.plan.batch_size, 0, 0), steps)):
        state = job.trainer.step(state, *batch)
        state = next_epoch(state) if number == 0 else state
    return state


@cache
def on_one(fidelity: str) -> State:
    return trained(prepare(config(fidelity)))


def counters(state: State) -> dict[str, Any]:
    return {path: (layer.forward.as_dict(), layer.backward.as_dict()) for path, layer in state.counters.items()}


@pytest.mark.parametrize(
    ("fidelity", "section"),
    [
        ("native", {}),
        ("native", {"shard_parameters": True}),
        pytest.param("tile", {"shard_parameters": True}, marks=pytest.mark.slow),
        pytest.param("register", {"count": 2}, marks=pytest.mark.slow),
    ],
)
def test_four_devices_count_and_learn_as_one(fidelity: str, section: dict[str, Any]) -> None:
    """Batch normalisation's statistics, and what a random estimator draws, are the whole batch's."""
    settings = config(fidelity, devices=section)
    layout = devices.layout(settings)
    assert layout is not None
    assert layout.mesh.size == section.get("count", 4)
    one, several = on_one(fidelity), trained(prepare(settings, layout))
    assert counters(several) == counters(one)
    assert several.sums.means() == pytest.approx(one.sums.means(), rel=1e-5)
    for a, b in zip(
        jax.tree.leaves((one.params, one.rest)), jax.tree.leaves((several.params, several.rest)), strict=True
    ):
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(np.asarray(b), np.asarray(a), rtol=2e-3, atol=1e-4)


def test_a_state_lies_as_the_one_before_it() -> None:
    """After an epoch's end too, so that a step is compiled once."""
    settings = config()
    job = prepare(settings, devices.layout(settings))
    before = {path: leaf.sharding for path, leaf in jax.tree_util.tree_leaves_with_path(job.trainer.initial)}
    state = trained(job, 1)
    after = {path: leaf.sharding for path, leaf in jax.tree_util.tree_leaves_with_path(state)}
    assert after == before


def test_parameters_and_the_optimizers_state_are_split() -> None:
    settings = config(devices={"shard_parameters": True})
    state = trained(prepare(settings, devices.layout(settings)))
    leaves = [leaf for leaf in jax.tree.leaves((state.params, state.opt_state)) if leaf.size >= 1024]
    assert [leaf.shape for leaf in leaves] == 3 * [(64, 24)]  # a kernel and Adam's two moments of it
    assert {shard.data.shape for leaf in leaves for shard in leaf.addressable_shards} == {(16, 24)}
    for device in jax.devices()[:4]:
        held = sum(shard.data.size for leaf in leaves for shard in leaf.addressable_shards if shard.device == device)
        assert held == sum(leaf.size for leaf in leaves) // 4


@pytest.mark.parametrize(
    ("batch_size", "fidelity", "section", "size", "note"),
    [
        (32, "native", {}, 4, "On 4 devices: 8 of 32 images each"),
        (32, "tile", {"count": "all"}, 4, "On 4 devices: 8 of 32 images each"),
        (30, "native", {}, 3, "On 3 of 4 devices: 10 of 30 images each"),
        (31, "native", {}, None, "On 1 of 4 devices: a batch of 31 images can't be split among more"),
        (32, "native", {"count": 1}, None, None),
        (32, "register", {}, None, "On 1 of 4 devices: register fidelity does not split a batch"),
        (31, "register", {"count": 2}, 2, "On 2 of 4 devices: all 31 images on each"),
        (
            32, "native", {"count": 2, "shard_parameters": True}, 2,
            "On 2 of 4 devices: 16 of 32 images each, parameters split among them",
        ),
    ],
)  # fmt: skip
def test_which_devices_a_run_has(
    batch_size: int, fidelity: str, section: dict[str, Any], size: int | None, note: str | None
) -> None:
    settings = config(fidelity, data={"batch_size": batch_size}, devices=section)
    layout = devices.layout(settings)
    assert (layout and layout.mesh.size) == size
    assert devices.note(layout, settings) == note


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (5, "devices: got 5; there are 4: give at most that"),
        (3, "devices: got 3; a batch of 32 images can't be split among them: give 1, 2 or 4, or another batch size"),
    ],
)
def test_devices_that_are_not_there_are_refused(count: int, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        devices.layout(config(devices={"count": count}))
    assert str(refusal.value) == message


def test_devices_are_no_setting_of_a_run() -> None:
    settings = config(devices={"count": 2, "shard_parameters": True})
    assert settings.settings() == config().settings()
    assert "devices" not in config().to_toml()
    assert resolve(base=settings).devices == settings.devices


def test_a_checkpoint_goes_on_with_other_devices(tmp_path: Path) -> None:
    four, two = config(devices={"shard_parameters": True}), config(devices={"count": 2})
    layouts = [devices.layout(settings) for settings in (four, two)]
    assert layouts[0] is not None
    assert layouts[1] is not None
    state = trained(prepare(four, layouts[0]), 1)

    def host(state: State) -> list[np.ndarray]:
        return [
            np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)
            for leaf in jax.tree.leaves(state)
        ]

    with SharedCheckpoints(tmp_path / "kept", four.settings(), layouts[0]) as checkpoints:
        assert checkpoints.restore(state) is None
        checkpoints.save(1, state, {"line": 3})
    one = prepare(config())
    with Checkpoints(tmp_path / "kept", config().settings()) as checkpoints:
        on_one = checkpoints.restore(one.trainer.initial)
        assert on_one is not None
        at_one = checkpoints.at(1, one.trainer.initial)
        checkpoints.save(2, on_one[0], {"line": 4})
    on_two = prepare(two, layouts[1])
    with SharedCheckpoints(tmp_path / "kept", two.settings(), layouts[1]) as checkpoints:
        restored = checkpoints.restore(on_two.trainer.initial)
    assert restored is not None
    assert restored[1] == {"line": 4}
    for leaves in (host(on_one[0]), host(at_one), host(restored[0])):
        for a, b in zip(host(state), leaves, strict=True):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
    assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(restored[0])} == {2}
    # What was read is of the kind that a step takes.
    for read in (on_one[0], at_one):
        one.trainer.step(read, *next(data.batches(one.dataset, 32, 0, 0)))

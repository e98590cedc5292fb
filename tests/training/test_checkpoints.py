"""Checkpoints: what comes back, and what is left behind by a writer that died."""

from __future__ import annotations

import errno
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgrad.array.counters import Counters
from jaxgrad.base.errors import InputError
from jaxgrad.training.checkpoints import KEPT, Checkpoints


class Pair(NamedTuple):
    """Fields that are not in the order of their names."""

    second: Any
    first: Any


def state(scale: float = 1.0) -> dict[str, Any]:
    """One of each kind of leaf and container that a training state has."""
    params = {"w": jnp.linspace(0, scale, 6).reshape(2, 3), "b": jnp.array([jnp.nan, -0.0, 1e-40])}
    return {
        "params": params,
        "opt_state": optax.adam(0.1).init(params),
        "counters": {"layer.0": Pair(Counters.of(cycles=2**40 + 3), Counters.zero())},
        "step": jnp.uint32(2**32 - 1),
        "bf16": jnp.ones((2,), jnp.bfloat16),
        "key": jax.random.key_data(jax.random.key(3)),
        "nothing": (),
    }


def assert_same(one: Any, other: Any) -> None:
    """Bit for bit, containers and dtypes included."""
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    with Checkpoints(tmp_path / "kept") as checkpoints:
        assert checkpoints.restore(state()) is None
        checkpoints.save(3, state(7.0), {"metrics_bytes": 12})
    with Checkpoints(tmp_path / "kept") as checkpoints:
        found = checkpoints.restore(state())
    assert found is not None
    assert_same(found[0], state(7.0))
    assert found[1] == {"metrics_bytes": 12}


def test_the_newest_is_restored_and_old_ones_go(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for step in (9, 10, 11, 12):
            checkpoints.save(step, state(step), {"step": step})
        found = checkpoints.restore(state())
    assert found is not None
    assert found[1] == {"step": 12}
    assert len([path for path in tmp_path.iterdir() if path.name.isdigit()]) == KEPT


def half_written(folder: Path) -> None:
    """As Orbax leaves a save that was killed: under a temporary name."""
    shutil.copytree(folder / "2", folder / "3.orbax-checkpoint-tmp-1")


def empty(folder: Path) -> None:
    (folder / "3").mkdir()


def without_arrays(folder: Path) -> None:
    shutil.copytree(folder / "2", folder / "3", ignore=lambda _, names: [name for name in names if name == "d"])


def truncated(folder: Path) -> None:
    shutil.copytree(folder / "2", folder / "3")
    for path in (folder / "3").rglob("d/*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_log(folder: Path) -> None:
    shutil.copytree(folder / "2", folder / "3")
    shutil.rmtree(folder / "3" / "log")


@pytest.mark.parametrize("damage", [half_written, empty, without_arrays, truncated, without_log])
@pytest.mark.filterwarnings("ignore:checkpoint 3 can't be read:UserWarning")
def test_one_that_is_not_whole_is_passed_over_and_written_anew(tmp_path: Path, damage: Any) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state(step), {"step": step})
    damage(tmp_path)
    with Checkpoints(tmp_path) as checkpoints:
        found = checkpoints.restore(state())
        assert found is not None
        assert_same(found[0], state(2))
        checkpoints.save(3, state(3), {"step": 3})
        again = checkpoints.restore(state())
    assert again is not None
    assert_same(again[0], state(3))


def every_file(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file())


def test_a_bit_that_changed_in_any_file_is_found(tmp_path: Path) -> None:
    """Twice in each file of the newest checkpoint, among them the file of digests: the one before comes back."""
    with Checkpoints(tmp_path / "kept") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state(step), {"step": step})
    chance = random.Random(0)
    for path in every_file(tmp_path / "kept" / "2") * 2:
        damaged = tmp_path / "damaged"
        shutil.copytree(tmp_path / "kept", damaged)
        content = bytearray(path.read_bytes())
        bit = chance.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        (damaged / path.relative_to(tmp_path / "kept")).write_bytes(content)
        with Checkpoints(damaged) as checkpoints, pytest.warns(UserWarning, match="checkpoint 2 .*damaged"):
            restored = checkpoints.restore(state())
        assert restored is not None, path
        assert_same(restored[0], state(1))
        assert restored[1] == {"step": 1}
        assert not (damaged / "2").exists()
        shutil.rmtree(damaged)


def test_a_process_that_was_killed_as_it_saved_its_first_one_starts_anew(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state(), {})
    digests = next(path for path in every_file(tmp_path / "1") if path.suffix == ".json")
    digests.unlink()  # the last thing that is written
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.warns(UserWarning, match="checkpoint 1 can't be read"):
            assert checkpoints.restore(state()) is None
        checkpoints.save(1, state(5.0), {})
        restored = checkpoints.restore(state())
    assert restored is not None
    assert_same(restored[0], state(5.0))


def test_what_other_settings_made_is_refused_by_name(tmp_path: Path) -> None:
    settings = {"array": {"rows": 4, "cols": 7}, "train": {"seed": 3}}
    with Checkpoints(tmp_path, settings) as checkpoints:
        checkpoints.save(12, state(), {})
    made_by = "array.cols = 7, train.seed = 3"
    for other, said in (
        (
            {**settings, "train": {"seed": 5}},
            "train.seed: got 5; the checkpoint of step 12 was made by train.seed = 3",
        ),
        (
            {"array": {"rows": 4, "cols": 9}, "train": {}},
            f"array.cols and train.seed: got 9 and None; the checkpoint of step 12 was made by {made_by}",
        ),
    ):
        with Checkpoints(tmp_path, other) as checkpoints, pytest.raises(InputError) as refused:
            checkpoints.restore({"of another model": jnp.zeros(3)})
        assert str(refused.value) == f"{said}: go on with that, or start a new run"
    with Checkpoints(tmp_path, settings) as checkpoints:
        assert checkpoints.restore(state()) is not None


def test_when_none_can_be_read_nothing_is_dropped(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state(), {})
    with (
        Checkpoints(tmp_path) as checkpoints,
        pytest.raises(ValueError, match=r"--resume: got .*; none of its checkpoints can be read"),
    ):
        checkpoints.restore({"another": jnp.zeros(3)})
    assert (tmp_path / "1").is_dir()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # storage finds its loop closed
def test_ctrl_c_while_one_is_read_drops_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orbax makes an Exception of it, as of an array that can't be read."""

    async def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state(1), {})
        checkpoints.save(2, state(2), {})
    with Checkpoints(tmp_path) as checkpoints:
        with monkeypatch.context() as patch:
            patch.setattr("orbax.checkpoint._src.serialization.serialization._read_shard", interrupted)
            with pytest.raises(KeyboardInterrupt):
                checkpoints.restore(state())
        restored = checkpoints.restore(state())
    assert restored is not None
    assert_same(restored[0], state(2))


def test_settings_may_extend_a_run_and_change_nothing_else(tmp_path: Path) -> None:
    asked = {"train": {"epochs": 10, "seed": 0}}
    with Checkpoints(tmp_path, asked) as checkpoints:
        checkpoints.save(3, state(), {})
    with Checkpoints(tmp_path, {"train": {"epochs": 30, "seed": 0}}) as checkpoints:
        assert checkpoints.restore(state()) is not None
        assert checkpoints.settings_of(3) == asked
    for epochs, seed, said in ((9, 0, "train.epochs: got 9"), (30, 1, "train.seed: got 1")):
        with (
            Checkpoints(tmp_path, {"train": {"epochs": epochs, "seed": seed}}) as checkpoints,
            pytest.raises(InputError, match=f"{said}; the checkpoint of step 3 was made by "),
        ):
            checkpoints.restore(state())


@pytest.mark.parametrize(("keep", "left"), [(3, [2, 3, 4]), (None, [0, 1, 2, 3, 4])])
def test_more_can_be_kept_and_each_is_there(tmp_path: Path, keep: int | None, left: list[int]) -> None:
    with Checkpoints(tmp_path, keep=keep) as checkpoints:
        for step in range(5):
            checkpoints.save(step, state(step), {})
        assert checkpoints.steps() == left
        assert_same(checkpoints.at(left[0], state()), state(left[0]))
    with Checkpoints(tmp_path) as checkpoints:  # to look at them removes none
        assert checkpoints.steps() == left
        (tmp_path / "3" / "sha256.json").write_text("{}")
        assert checkpoints.steps() == [step for step in left if step != 3]


@pytest.mark.parametrize(("free_bytes", "kind"), [(0, OSError), (1 << 30, ValueError)])
def test_a_disk_without_room_is_the_systems_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, kind: type[Exception]
) -> None:
    """Storage makes a ValueError of it; one that has another reason stays what it is."""

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("RESOURCE_EXHAUSTED")

    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "save", fail)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_bytes))
        with pytest.raises(kind) as raised:
            checkpoints.save(3, state(), {})
    if isinstance(raised.value, OSError):
        assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / "checkpoints" / "3"))

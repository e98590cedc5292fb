"""A model that begins with the parameters of another run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxgrad.base.errors import InputError
from jaxgrad.flax import Learned
from jaxgrad.training import runs
from jaxgrad.training.checkpoints import Checkpoints

_FIELD, _REMEDY = "init", "give the folder of a run of the same model"


def take(model: nnx.Module, folder: Path) -> None:
    """Gives a model the parameters and the running statistics of the newest checkpoint of a run.

    What the model has for its estimators, such as resolutions, is not taken.

    Args:
        model: to be changed.
        folder: of the run.

    Raises:
        InputError: there is no run with a checkpoint, or it is of another model.
    """
    run = runs.Run(folder)
    if not (folder / runs.CONFIG).is_file() or not run.checkpoints.is_dir():
        raise InputError(_FIELD, str(folder), _REMEDY, problem=f"got {str(folder)!r}, in which there is no run")
    with Checkpoints(run.checkpoints) as checkpoints:
        saved = checkpoints.newest()
    if saved is None:
        raise InputError(_FIELD, str(folder), _REMEDY, problem=f"got {str(folder)!r}, which has no whole checkpoint")
    for part, kind in (("params", nnx.All(nnx.Param, nnx.Not(Learned))), ("rest", nnx.BatchStat)):
        state = nnx.state(model, kind)

        def taken(path: tuple[Any, ...], leaf: Any, part: str = part) -> jax.Array:
            name = jax.tree_util.keystr(path)
            value = saved.get(f".{part}{name}")
            if value is None or value.shape != leaf.shape:
                shape = "none" if value is None else f"one of shape {value.shape}"
                label = jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
                problem = f"got {str(folder)!r}, which for {label} of shape {leaf.shape} has {shape}"
                raise InputError(_FIELD, str(folder), _REMEDY, problem=problem)
            return jnp.asarray(value, leaf.dtype)

        nnx.update(model, jax.tree_util.tree_map_with_path(taken, state))

"""Checkpoints of a run, with Orbax: committed as a whole or not there, and never trusted where they can't be read."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxgrad.base.errors import InputError

KEPT = 2


class Checkpoints:
    """The checkpoints in ``folder``, the newest ``KEPT`` of them, each at a step of training.

    A checkpoint is two items, committed by one rename: ``state``, a pytree of arrays, and ``log``, a small JSON record.

    Use it as a context manager: it owns a background writer.
    """

    def __init__(self, folder: Path) -> None:
        # Orbax tells of every save at level info, and of its temporary folders as a warning.
        logging.getLogger("absl").setLevel(logging.ERROR)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT, create=True, cleanup_tmp_directories=True, enable_async_checkpointing=False
        )
        self._folder = folder
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._manager.close()

    def save(self, step: int, state: Any, log: dict[str, Any]) -> None:
        """Commits a checkpoint; it is on the disk when this returns."""
        items = ocp.args.Composite(state=ocp.args.StandardSave(_by_path(state)), log=ocp.args.JsonSave(log))
        self._manager.save(step, args=items, force=True)

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """The newest checkpoint that can be read, as a state like ``like`` and its log; None if there are none at all.

        A newer one that can't be read (damaged, or half deleted) is dropped with a warning, so that training can save
        there again.

        Raises:
            ValueError: there are checkpoints, and none can be read.
        """
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, _by_path(like))
        items = ocp.args.Composite(state=ocp.args.StandardRestore(shapes), log=ocp.args.JsonRestore())
        broken: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                found = self._manager.restore(step, args=items)
            except Exception:  # whatever Orbax or its storage trips over
                broken.append(step)
                continue
            for step in broken:
                warnings.warn(f"checkpoint {step} can't be read: it is dropped for an older one", stacklevel=2)
                self._manager.delete(step)
            leaves = [found["state"][path] for path in _by_path(like)]
            return jax.tree.unflatten(jax.tree.structure(like), leaves), found["log"]
        if broken:
            raise InputError("--resume", self._folder, "none of its checkpoints can be read by this version")
        return None


def _by_path(state: Any) -> dict[str, Any]:
    """The leaves by their paths: plain names on the disk, whatever containers the state is made of."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}

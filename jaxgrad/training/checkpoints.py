"""Checkpoints of a run, with Orbax: committed as a whole or not there, and never trusted where a bit has changed."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxgrad.base.errors import InputError, either, shown
from jaxgrad.base.files import write_text
from jaxgrad.training.extension import by_key, extends
from jaxgrad.training.random_keys import as_in

KEPT = 2
_DIGESTS = "sha256.json"


class Checkpoints:
    """The checkpoints in ``folder``, the newest ones of them, each at a step of training.

    A checkpoint is two items, committed by one rename: ``state``, a pytree of arrays, and ``log``, a small JSON record
    with the settings that the run was made by. A digest of each of its files follows, since Orbax's checksums cover its
    indices and not the arrays; one without digests was not finished.

    Use it as a context manager: it owns a background writer.

    Args:
        folder: made if need be.
        settings: what decides the run, as JSON has it: values by key, by section. What others made is refused, except
            where these extend it.
        keep: how many, the newest ones; None for all.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Mapping[str, Any]] | None = None, keep: int | None = KEPT
    ) -> None:
        # Orbax tells of every save at level info, of its temporary folders as a warning, and of what is damaged as an
        # error.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            create=False,
            cleanup_tmp_directories=True,
            enable_async_checkpointing=False,
            multiprocessing_options=_alone(),
        )
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._settings = settings or {}
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._manager.close()

    def save(self, step: int, state: Any, log: dict[str, Any]) -> None:
        """Commits a checkpoint; it is on the disk when this returns.

        Raises:
            OSError: the disk has no room for it.
        """
        leaves, place = _by_path(state), self._folder / str(step)
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(leaves),
            log=ocp.args.JsonSave({"log": log, "settings": self._settings}),
        )
        try:
            self._manager.save(step, args=items, force=True)
        except Exception:  # of a full disk storage makes a ValueError, Orbax more around it
            if shutil.disk_usage(self._folder).free < sum(leaf.nbytes for leaf in leaves.values()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place)) from None
            raise
        write_text(place / _DIGESTS, json.dumps(_digests(place)))

    def restore(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """The newest checkpoint that is whole, as a state like ``like`` and its log; None if there are none at all.

        Leaves of ``like`` that are NumPy arrays come back as such, and keys as words where ``like`` has words.

        A newer one that is not (damaged, half deleted, not finished) is dropped with a warning, so that training can
        save there again.

        Raises:
            InputError: there are checkpoints, and none can be read; or the newest whole one was made by other settings.
        """
        broken: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            if self._is_whole(step):
                record = self._record(step)
                self._check_settings(step, record["settings"])
                try:
                    state = self.at(step, like)
                except Exception:  # whatever Orbax or its storage trips over
                    broken.append(step)
                    continue
                self._drop(broken)
                return state, record["log"]
            broken.append(step)
        if len(broken) == 1 and not (self._folder / str(broken[0]) / _DIGESTS).exists():
            self._drop(broken)  # the first one was being saved as the process was killed
        elif broken:
            raise InputError("--resume", self._folder, "none of its checkpoints can be read by this version")
        return None

    def steps(self) -> list[int]:
        """Those of all checkpoints that are whole, in their order."""
        return [step for step in sorted(self._manager.all_steps()) if self._is_whole(step)]

    def at(self, step: int, like: Any) -> Any:
        """The state of the checkpoint at one of ``steps()``, like ``like`` as of ``restore``."""
        wanted = _by_path(like)
        shapes = {path: _abstract(leaf) for path, leaf in wanted.items()}
        items = ocp.args.Composite(state=ocp.args.StandardRestore(shapes))
        restored = self._read(step, items)["state"]
        leaves = [as_in(leaf, restored[path]) for path, leaf in wanted.items()]  # several devices write keys as words
        return jax.tree.unflatten(jax.tree.structure(like), leaves)

    def newest(self) -> Mapping[str, Any] | None:
        """The arrays of the newest checkpoint that is whole, by their paths, whoever made it; None without one."""
        items = ocp.args.Composite(state=ocp.args.StandardRestore())
        for step in sorted(self._manager.all_steps(), reverse=True):
            if self._is_whole(step):
                return self._read(step, items)["state"]
        return None

    def _read(self, step: int, items: ocp.args.Composite) -> Any:
        """What is in a checkpoint. Ctrl-C is no reason to take it for one that can't be read, and to drop it."""
        try:
            return self._manager.restore(step, args=items)
        except Exception as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # Orbax makes its own error of every other one
                raise error.__cause__ from None
            raise

    def _is_whole(self, step: int) -> bool:
        """Whether each file is there, byte for byte. Orbax is not asked to read what is not: its threads complain."""
        place = self._folder / str(step)
        try:
            return json.loads((place / _DIGESTS).read_bytes()) == _digests(place)
        except (OSError, ValueError):
            return False

    def settings_of(self, step: int) -> Mapping[str, Mapping[str, Any]]:
        """The settings that the checkpoint of a step was made by."""
        return self._record(step)["settings"]

    def _record(self, step: int) -> dict[str, Any]:
        return self._read(step, ocp.args.Composite(log=ocp.args.JsonRestore()))["log"]

    def _check_settings(self, step: int, of_checkpoint: Mapping[str, Mapping[str, Any]]) -> None:
        settings, made_by = by_key(self._settings), by_key(of_checkpoint)
        changed = [
            key
            for key in {**made_by, **settings}
            if (value := settings.get(key)) != (earlier := made_by.get(key)) and not extends(key, value, earlier)
        ]
        if changed:
            values = [settings.get(key) for key in changed]
            pairs = ", ".join(f"{key} = {shown(made_by.get(key))}" for key in changed)
            raise InputError(
                either(changed, "and"),
                values,
                f"the checkpoint of step {step} was made by {pairs}: go on with that, or start a new run",
                problem=f"got {either(map(shown, values), 'and')}",
            )

    def _drop(self, steps: list[int]) -> None:
        for step in steps:
            warnings.warn(f"checkpoint {step} can't be read, or is damaged: it is dropped", stacklevel=3)
            self._manager.delete(step)


def _by_path(state: Any) -> dict[str, Any]:
    """The leaves by their paths: plain names on the disk, whatever containers the state is made of."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def _alone() -> ocp.options.MultiprocessingOptions:
    """Of several processes, the one that has checkpoints does not wait for the others."""
    if jax.process_count() == 1:
        return ocp.options.MultiprocessingOptions()
    index = jax.process_index()
    return ocp.options.MultiprocessingOptions(primary_host=index, active_processes={index})


def _abstract(leaf: Any) -> Any:
    return leaf if isinstance(leaf, np.ndarray) else ocp.utils.to_shape_dtype_struct(leaf)


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file in a checkpoint's folder, by its path there."""
    digests = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != _DIGESTS:
            with path.open("rb") as file:
                digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests

"""Event files, read back record by record."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.training.logs.events import Events

event_pb2: Any = pytest.importorskip("tensorboardX.proto.event_pb2")
plugin_hparams_pb2: Any = pytest.importorskip("tensorboardX.proto.plugin_hparams_pb2")

SETTINGS = {"array": {"rows": 8, "double_buffered": True}, "model": {"name": "mlp", "hidden": [4, 5], "init": None}}
RECORDS = [
    {"epoch": 1, "step": 5, "train_loss": 0.5, "test_accuracy": 0.25, "cycles": 7},
    {"epoch": 2, "step": 10, "train_loss": None, "test_accuracy": 0.75, "cycles": 14},
]


def events(folder: Path) -> Iterator[Any]:
    """All events, as the format of TFRecord has them: length, its checksum, the event, its checksum."""
    for file in sorted((folder / "tensorboard").iterdir()):
        content, place = file.read_bytes(), 0
        while place + 8 <= len(content):
            (length,) = struct.unpack("<Q", content[place : place + 8])
            if place + length + 16 > len(content):
                break  # it is being written
            yield event_pb2.Event.FromString(content[place + 12 : place + 12 + length])
            place += length + 16


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Values by tag, with their steps."""
    drawn: dict[str, list[tuple[int, float]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                drawn.setdefault(value.tag, []).append((event.step, value.simple_value))
    return drawn


def test_values_are_there_by_step_while_training_goes_on(tmp_path: Path) -> None:
    log = Events(tmp_path, SETTINGS)
    log.begin([])
    log.add(RECORDS[0])
    expected = {"epoch": [(5, 1.0)], "loss/train": [(5, 0.5)], "accuracy/test": [(5, 0.25)], "cycles": [(5, 7.0)]}
    deadline = time.monotonic() + 30
    while scalars(tmp_path) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert scalars(tmp_path) == expected
    log.add(RECORDS[1])
    log.close()
    step, loss = scalars(tmp_path)["loss/train"][1]
    assert (step, math.isnan(loss)) == (10, True)


def test_after_a_resume_each_step_is_there_once(tmp_path: Path) -> None:
    first = Events(tmp_path, SETTINGS)
    first.begin([])
    for record in RECORDS:
        first.add(record)
    first.close()
    second = Events(tmp_path, SETTINGS)
    second.begin(RECORDS[:1])  # the run goes on from the checkpoint after the first epoch
    second.add(RECORDS[1])
    second.close()
    assert scalars(tmp_path)["accuracy/test"] == [(5, 0.25), (10, 0.75)]
    begins = [event.step for event in events(tmp_path) if event.HasField("session_log")]
    assert begins == [0]  # what an open TensorBoard has read before is dropped from this step on


def test_the_configuration_is_shown_as_hyperparameters(tmp_path: Path) -> None:
    log = Events(tmp_path, SETTINGS)
    log.begin([])
    log.close()
    told = [value.metadata.plugin_data for event in events(tmp_path) for value in event.summary.value]
    data = [
        plugin_hparams_pb2.HParamsPluginData.FromString(plugin.content)
        for plugin in told
        if plugin.plugin_name == "hparams"
    ]
    (parameters,) = [part.session_start_info.hparams for part in data if part.HasField("session_start_info")]
    assert parameters["array.rows"].number_value == 8
    assert parameters["array.double_buffered"].bool_value is True
    assert (parameters["model.name"].string_value, parameters["model.hidden"].string_value) == ("mlp", "[4, 5]")
    assert "model.init" not in parameters


def test_a_log_that_did_not_begin_can_be_closed(tmp_path: Path) -> None:
    Events(tmp_path, SETTINGS).close()
    assert not list(tmp_path.iterdir())

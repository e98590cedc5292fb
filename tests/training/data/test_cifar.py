"""CIFAR-10 and CIFAR-100 as their makers publish them, in both versions, and what lies there instead."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad.training.data import Dataset, load
from tests.training.data.test_sources import write_cifar10

GENERATOR = np.random.default_rng(1)
FILES = {
    "cifar10": ([f"data_batch_{number}" for number in range(1, 6)], ["test_batch"]),
    "cifar100": (["train"], ["test"]),
}


def rows(count: int) -> np.ndarray:
    return GENERATOR.integers(0, 256, (count, 3072)).astype(np.uint8)


def write(folder: Path, name: str, *, python: bool, protocol: int = 2) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Cut-down files: what each holds, pixels and labels."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {}
    for file in (file for files in FILES[name] for file in files):
        pixels, labels = rows(4), GENERATOR.integers(0, 100 if name == "cifar100" else 10, 4)
        contents[file] = pixels, labels
        if python:
            key = b"fine_labels" if name == "cifar100" else b"labels"
            batch = {b"data": pixels, key: labels.tolist(), b"coarse_labels": [0] * 4, b"filenames": [b"a.png"] * 4}
            (folder / file).write_bytes(pickle.dumps(batch, protocol))
        else:
            heads = [np.zeros((4, 1), np.uint8)] * (name == "cifar100")
            records = np.concatenate([*heads, labels[:, None].astype(np.uint8), pixels], axis=1)
            (folder / f"{file}.bin").write_bytes(records.tobytes())
    return contents


def assert_read(data: Dataset, name: str, contents: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    train, test = ([contents[file] for file in files] for files in FILES[name])
    seen = np.concatenate([pixels for pixels, _ in train]).reshape(-1, 3, 1024) / 255
    mean, deviation = seen.mean((0, 2)), seen.std((0, 2))
    for part, images, labels in (
        (train, data.train_images, data.train_labels),
        (test, data.test_images, data.test_labels),
    ):
        np.testing.assert_array_equal(labels, np.concatenate([numbers for _, numbers in part]))
        planes = np.concatenate([pixels for pixels, _ in part]).reshape(-1, 3, 32, 32) / 255
        expected = (planes.transpose(0, 2, 3, 1) - mean) / deviation
        np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize(("python", "inside"), [(False, True), (True, True), (True, False)])
def test_both_versions_are_read_as_written(tmp_path: Path, name: str, python: bool, inside: bool) -> None:
    folders = {
        ("cifar10", False): "cifar-10-batches-bin",
        ("cifar10", True): "cifar-10-batches-py",
        ("cifar100", False): "cifar-100-binary",
        ("cifar100", True): "cifar-100-python",
    }
    contents = write(tmp_path / folders[name, python] if inside else tmp_path, name, python=python)
    data = load(name, tmp_path)
    assert (data.name, data.classes, data.input_shape) == (name, {"cifar10": 10, "cifar100": 100}[name], (32, 32, 3))
    assert_read(data, name, contents)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_of_a_pickle_is_read(tmp_path: Path, protocol: int) -> None:
    contents = write(tmp_path, "cifar10", python=True, protocol=protocol)
    assert_read(load("cifar10", tmp_path), "cifar10", contents)


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """As the published files are: text is bytes, and an array is made by ``numpy.core.multiarray``."""
    write(tmp_path, "cifar10", python=True)
    pixels = rows(2)
    content = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89T\x00\x18\x00\x00" + pixels.tobytes() + b"tbU\x06labelsq\x08]q\x09(K\x03K\x07eu."
    )
    (tmp_path / "test_batch").write_bytes(content)
    data = load("cifar10", tmp_path)
    assert data.test_labels.tolist() == [3, 7]
    order = data.test_images.transpose(0, 3, 1, 2).reshape(2, 3, 1024)
    planes = pixels.reshape(2, 3, 1024)
    np.testing.assert_array_equal(np.argsort(order, axis=2, kind="stable"), np.argsort(planes, axis=2, kind="stable"))


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "cifar10", python=True)
    proof = tmp_path / "proof"
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": Evil(proof), b"labels": []}))
    with pytest.raises(ValueError, match=r"test_batch: can't be read: it would run \w+\.system; the CIFAR-10 page"):
        load("cifar10", tmp_path)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "can't be read: it is no pickle, or a damaged one (EOFError)"),
        (b"hello", "can't be read: it is no pickle, or a damaged one (*)"),
        (pickle.dumps([1]), "expected a dictionary with 'data' and 'labels'"),
        (pickle.dumps({b"data": rows(1)}), "expected a dictionary with 'data' and 'labels'"),
        (pickle.dumps({b"data": rows(2), b"labels": [1]}), "expected 1 rows of 3072 bytes, *, found (2, 3072)"),
        (pickle.dumps({b"data": rows(1)[:, :9], b"labels": [1]}), "expected 1 rows of 3072 bytes, *, found (1, 9)"),
        (pickle.dumps({b"data": rows(1) / 2, b"labels": [1]}), "expected 1 rows of 3072 bytes, *"),
        (pickle.dumps({b"data": [1], b"labels": [1]}), "expected 1 rows of 3072 bytes, *"),
        (pickle.dumps({b"data": rows(0), b"labels": []}), "expected some rows of 3072 bytes, *"),
        (pickle.dumps({b"data": rows(1), b"labels": [-1]}), "expected a list of labels, whole numbers from 0"),
        (pickle.dumps({b"data": rows(1), b"labels": [10]}), "expected labels from 0 to 9, found 10 at item 0"),
    ],
)  # fmt: skip
def test_a_malformed_python_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path, "cifar10", python=True)
    path = tmp_path / "data_batch_2"
    path.write_bytes(content)
    pattern = re.escape(f"{path}: {message}").replace(r"\*", ".*")
    with pytest.raises(ValueError, match=f"^{pattern}; the CIFAR-10 page, .* describes this Python version$"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize(
    ("asked", "there", "found"),
    [
        ("cifar10", ("cifar100", True), "CIFAR-100's Python version"),
        ("cifar10", ("cifar100", False), "CIFAR-100's binary version"),
        ("cifar100", ("cifar10", True), "CIFAR-10's Python version"),
        ("cifar100", ("cifar10", False), "CIFAR-10's binary version"),
        ("cifar10", None, "the Matlab version"),
    ],
)
def test_another_version_or_set_is_named(
    tmp_path: Path, asked: str, there: tuple[str, bool] | None, found: str
) -> None:
    if there is None:
        (tmp_path / "data_batch_1.mat").write_bytes(b"MATLAB 5.0")
    else:
        write(tmp_path, there[0], python=there[1])
    with pytest.raises(ValueError, match=f"^{re.escape(str(tmp_path))}: found {found}; give the folder of CIFAR-"):
        load(asked, tmp_path)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.bin: missing; give the folder of CIFAR-100 in its"):
        load("cifar100", tmp_path)


def test_the_binary_version_wins(tmp_path: Path) -> None:
    write(tmp_path, "cifar10", python=True)
    records = write_cifar10(tmp_path)
    assert load("cifar10", tmp_path).test_labels.tolist() == records["test_batch.bin"][:, 0].tolist()

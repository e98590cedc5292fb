"""NumPy archives: what Keras and others publish, and what will not do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad.training.data import load

GENERATOR = np.random.default_rng(2)
BYTES = GENERATOR.integers(0, 256, (20, 6, 5)).astype(np.uint8)
LABELS = np.arange(20) % 4
WHOLE = {"x_train": BYTES, "y_train": LABELS, "x_test": BYTES[:3], "y_test": LABELS[:3]}


def test_an_archive_is_read_as_written(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "own.npz", **WHOLE)
    data = load(str(tmp_path / "own.npz"))
    assert (data.name, data.classes, data.input_shape) == ("own", 4, (6, 5, 1))
    assert (data.train_images.dtype, data.train_labels.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(data.train_images[..., 0], BYTES.astype(np.float32) / 255)
    np.testing.assert_array_equal(data.test_labels, LABELS[:3])


def test_other_names_channels_and_floats(tmp_path: Path) -> None:
    floats = GENERATOR.normal(size=(8, 4, 4, 3))
    floats[0, 0, 0, 0] = np.nan  # data
    labels = np.arange(8)[:, None] % 2
    np.savez(tmp_path / "med.npz", train_images=floats, train_labels=labels, test_images=floats, test_labels=labels)
    data = load(str(tmp_path / "med.npz"))
    np.testing.assert_array_equal(data.train_images, floats.astype(np.float32))
    assert data.test_labels.tolist() == labels[:, 0].tolist()


def test_without_a_test_part_a_fifth_of_each_class_tests(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=BYTES, y=LABELS)
    data = load(str(tmp_path / "own.npz"))
    assert sorted(data.test_labels.tolist()) == [0, 1, 2, 3]
    everything = np.concatenate([data.train_images, data.test_images])[..., 0] * 255
    np.testing.assert_allclose(
        np.sort(everything.reshape(20, -1), axis=0), np.sort(BYTES.reshape(20, -1), axis=0), rtol=1e-6
    )
    again = load(str(tmp_path / "own.npz"))
    np.testing.assert_array_equal(again.test_images, data.test_images)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": BYTES}, "found images; give x_train and y_train"),
        ({**WHOLE, "y_test": None}, "found x_test alone; give both"),
        ({**WHOLE, "x_train": BYTES[:, 0]}, "got uint8 of shape (20, 5) for x_train"),
        ({**WHOLE, "x_train": BYTES[:0], "y_train": LABELS[:0]}, "got uint8 of shape (0, 6, 5) for x_train"),
        ({**WHOLE, "y_train": LABELS[1:]}, "got int64 of shape (19,) for y_train, with 20 images"),
        ({**WHOLE, "y_train": LABELS - 1}, "got int64 of shape (20,) for y_train"),
        ({**WHOLE, "y_train": LABELS / 2}, "got float64 of shape (20,) for y_train"),
        ({**WHOLE, "x_test": BYTES[:3, 1:]}, "got images of (6, 5, 1) to train and of (5, 5, 1) to test"),
        ({"x": BYTES[:3], "y": LABELS[:3]}, "got 3 images, one of each class, and none to test"),
        ({**WHOLE, "y_train": np.array([{}] * 20)}, "can't be read: Object arrays cannot be loaded"),
    ],
)
def test_an_archive_that_will_not_do_is_refused_in_one_line(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}") as raised:
        load(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY"], ids=["empty", "broken", "array"])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: can't be read: .*give an .npz archive$"):
        load(str(path))


def test_a_missing_archive_and_a_single_array(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.npz: can't be read: .*No such file"):
        load(str(tmp_path / "none.npz"))
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, BYTES)
    with pytest.raises(ValueError, match=r"one\.npz: found nothing; give x_train"):
        load(str(tmp_path / "one.npz"))

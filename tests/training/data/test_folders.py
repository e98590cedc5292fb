"""Folders of images by class, made by Pillow in the formats that it writes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgrad.training.data import load

GENERATOR = np.random.default_rng(3)


def save(path: Path, *, channels: int = 3, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    """Random pixels of (height, width), as they are in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = GENERATOR.integers(0, 256, (*size, channels)).astype(np.uint8)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path)
    return pixels


def test_a_folder_with_its_own_test_part(tmp_path: Path) -> None:
    wanted = {}
    for part in ("train", "val"):
        for label, name in enumerate(["cat", "dog"]):
            for number, suffix in enumerate(["png", "bmp", "PNG"]):
                pixels = save(tmp_path / part / name / f"{number}.{suffix}")
                wanted.setdefault(part, []).append((label, pixels))
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no image")
    data = load(str(tmp_path))
    assert (data.name, data.classes, data.input_shape) == (tmp_path.name, 2, (4, 6, 3))
    for part, images, labels in (
        ("train", data.train_images, data.train_labels),
        ("val", data.test_images, data.test_labels),
    ):
        assert labels.tolist() == [label for label, _ in wanted[part]]
        np.testing.assert_array_equal(images, np.stack([pixels for _, pixels in wanted[part]]).astype(np.float32) / 255)


def test_grey_images_have_one_channel_where_all_are_grey(tmp_path: Path) -> None:
    for name in "ab":
        for number in range(5):
            save(tmp_path / name / f"{number}.png", channels=1)
    data = load(str(tmp_path))
    assert (data.input_shape, len(data.train_labels), len(data.test_labels)) == ((4, 6, 1), 8, 2)
    save(tmp_path / "a" / "5.png", channels=3)
    assert load(str(tmp_path)).input_shape == (4, 6, 3)


def test_a_class_without_images_in_one_part_is_a_class(tmp_path: Path) -> None:
    for part, names in (("train", "abc"), ("test", "a")):
        for name in names:
            save(tmp_path / part / name / "0.png")
    assert load(str(tmp_path)).classes == 3


def test_what_will_not_do_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found no folders of classes; give CLASS/image\.png"):
        load(str(tmp_path))
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="found no images"):
        load(str(tmp_path))
    for number in range(6):
        save(tmp_path / "ab"[number % 2] / f"{number}.png")
    odd = tmp_path / "b" / "odd.png"
    save(odd, size=(5, 6))
    with pytest.raises(
        ValueError, match=f"^{re.escape(f'{odd}: got 6x5 pixels, others have 6x4; give images of one')}"
    ):
        load(str(tmp_path))
    odd.write_bytes(b"no image")
    with pytest.raises(ValueError, match=f"^{re.escape(str(odd))}: can't be read: .*give an image$"):
        load(str(tmp_path))
    good = (tmp_path / "a" / "0.png").read_bytes()
    odd.write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match=f"^{re.escape(str(odd))}: can't be read: .*give an image$"):
        load(str(tmp_path))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_a_pixel_become_8(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 257, 300], [32768, 65534, 65535]], np.uint16)
    for label in "ab":
        for number in range(2):
            (tmp_path / label).mkdir(exist_ok=True)
            Image.fromarray(values).save(tmp_path / label / f"{number}.{suffix}")
    image = load(str(tmp_path)).train_images[0, ..., 0]
    np.testing.assert_array_equal(image, np.array([[0, 1, 1], [127, 254, 255]], np.float32) / np.float32(255))


def test_pixels_of_floats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "a" / "0.tif")
    with pytest.raises(ValueError, match="floats; give an image of 8 or 16 bits a channel"):
        load(str(tmp_path))

"""Crops and flips: what an image becomes depends on the seed, the epoch and the image alone."""

from __future__ import annotations

import numpy as np
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training.data import Dataset, augmentation, batches, order

SHAPE = (40, 8, 16, 3)  # padded by 1 and by 2
BOTH = ("crop", "flip")


def images() -> np.ndarray:
    """All values differ, and none is 0."""
    return np.arange(1, 1 + np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)


def dataset() -> Dataset:
    labels = np.arange(SHAPE[0], dtype=np.int32)
    return Dataset(images(), labels, images(), labels, SHAPE[0], "numbered")


def expected(image: np.ndarray, corner: tuple[int, int], *, flipped: bool) -> np.ndarray:
    """Pixel by pixel."""
    height, width, _ = image.shape
    crop = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            from_y, from_x = y + corner[0] - 1, x + corner[1] - 2
            if 0 <= from_y < height and 0 <= from_x < width:
                crop[y, width - 1 - x if flipped else x] = image[from_y, from_x]
    return crop


def test_each_pixel_comes_from_where_the_draws_say() -> None:
    draws = augmentation.drawn(BOTH, SHAPE, 3, 1)
    assert draws.corners is not None
    assert draws.flips is not None
    made = np.asarray(augmentation.applied(images(), draws))
    for image, corner, flipped, got in zip(images(), draws.corners.tolist(), draws.flips, made, strict=True):
        np.testing.assert_array_equal(got, expected(image, corner, flipped=flipped))
    # Every corner that the padding allows, and either side.
    assert {tuple(corner) for corner in draws.corners.tolist()} <= {(y, x) for y in range(3) for x in range(5)}
    assert set(draws.corners[:, 0].tolist()) == {0, 1, 2}
    assert set(draws.corners[:, 1].tolist()) == {0, 1, 2, 3, 4}
    assert 8 < draws.flips.sum() < 32


@pytest.mark.parametrize("names", [("crop",), ("flip",), BOTH])
def test_an_image_becomes_the_same_in_whatever_batch_it_is(names: tuple[str, ...]) -> None:
    by_label = {}
    for size in (7, 20):
        for pixels, labels in batches(dataset(), size, 5, 2, augment=names):
            for label, image in zip(labels.tolist(), np.asarray(pixels), strict=True):
                np.testing.assert_array_equal(by_label.setdefault(label, image), image)
    whole = np.asarray(augmentation.applied(images(), augmentation.drawn(names, SHAPE, 5, 2)))
    for label, image in by_label.items():
        np.testing.assert_array_equal(image, whole[label])


def test_draws_of_one_kind_do_not_depend_on_the_other() -> None:
    both = augmentation.drawn(BOTH, SHAPE, 0, 0)
    crops, flips = (augmentation.drawn((name,), SHAPE, 0, 0) for name in BOTH)
    assert crops.flips is None
    assert flips.corners is None
    for one, other in ((both.corners, crops.corners), (both.flips, flips.flips)):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("seed", "epoch"), [(0, 1), (1, 0)])
def test_each_seed_and_each_epoch_draws_anew(seed: int, epoch: int) -> None:
    one, other = augmentation.drawn(BOTH, SHAPE, 0, 0), augmentation.drawn(BOTH, SHAPE, seed, epoch)
    for drawn, anew in zip(one, other, strict=True):
        assert drawn is not None
        assert anew is not None
        assert not np.array_equal(drawn, anew)


def test_the_draws_are_the_same_with_every_numpy() -> None:
    draws = augmentation.drawn(BOTH, (6, 32, 32, 3), 0, 0)
    assert draws.corners is not None
    assert draws.flips is not None
    assert list(map(tuple, draws.corners.tolist())) == [(5, 3), (3, 8), (6, 5), (1, 2), (0, 2), (5, 5)]
    assert draws.flips.astype(int).tolist() == [1, 1, 1, 1, 0, 1]


def test_the_data_stay_as_they_are_and_in_order() -> None:
    data = dataset()
    plain = list(batches(data, 8, 1, 0))
    made = list(batches(data, 8, 1, 0, augment=BOTH))
    np.testing.assert_array_equal(data.train_images, images())
    for (_, labels), (pixels, same) in zip(plain, made, strict=True):
        np.testing.assert_array_equal(labels, same)
        assert np.shape(pixels) == (8, *SHAPE[1:])
    assert [label for _, labels in made for label in labels.tolist()] == order(40, 1, 0).tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("corp", r"augment: got 'corp'; choose one of crop, flip \(did you mean 'crop'\?\)"),
        ("", "augment: got ''"),
        ("crop,crop", "augment: got 'crop,crop'; give crop, flip or crop,flip"),
        ([], r"augment: got \[\]; give crop, flip or crop,flip"),
        (3, "augment: got 3; give crop, flip or crop,flip"),
        ([1], r"augment: got \[1\]; give crop, flip or crop,flip"),
    ],
)
def test_what_is_no_augmentation_is_refused(value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        augmentation.check("augment", value)

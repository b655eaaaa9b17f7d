"""The split of images into training and test ones."""

from __future__ import annotations

import pytest

from lrx.metrics.points import num_to_train


@pytest.mark.parametrize(
    ("num_images", "expected"), [(15_000, 10_000), (14_000, 9_333), (300, 200), (5, 3), (4, 3), (100_000, 10_000)]
)
def test_few_images_keep_the_ratio(num_images: int, expected: int) -> None:
    assert num_to_train(num_images, 10_000, 5_000) == expected


def test_both_sides_get_an_image() -> None:
    assert [num_to_train(100, *ratio) for ratio in ((3, 10_000), (10_000, 3))] == [2, 99]
    with pytest.raises(ValueError, match="takes 4 or more, not 3"):
        num_to_train(3, 10_000, 5_000)

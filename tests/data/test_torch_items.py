"""Data sets of torch: in memory, lazily, and what they may not hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, Subset, TensorDataset

from lrx.core.data_identity import observations_fingerprint
from lrx.core.types import FactorDataset, Labelled
from lrx.data import in_memory
from lrx.data.in_memory import as_dataset
from tests.data.test_in_memory import COLOUR, FIRST, LEVELS, RNG, N, shown


class Items(TorchDataset[object]):
    """A torch data set of these items; `count` says how often one was read."""

    def __init__(self, items: list[object]) -> None:
        self.items, self.count = items, 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> object:
        self.count += 1
        return self.items[index]


def torch_datasets() -> dict[str, TorchDataset[object]]:
    floats = torch.from_numpy(FIRST / LEVELS)
    return {
        "tensors": Items(list(floats)),
        "pairs": TensorDataset(floats, torch.tensor([0, 1, 1, 0, 2, 2])),  # type: ignore[dict-item]
        "subset": Subset(TensorDataset(floats), range(N)),  # type: ignore[dict-item]
    }


@pytest.mark.parametrize("kind", ["tensors", "pairs", "subset"])
@pytest.mark.parametrize("limit", [in_memory.IN_MEMORY_BYTES, 0])
def test_torch_dataset_in_memory_and_lazily(kind: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "IN_MEMORY_BYTES", limit)
    monkeypatch.setattr(in_memory, "BLOCK_BYTES", 2 * 4 * FIRST[0].size)  # two items
    data = torch_datasets()[kind]
    dataset = as_dataset(data)
    assert np.array_equal(shown(dataset), FIRST / LEVELS)
    assert observations_fingerprint(dataset) == as_dataset(FIRST / LEVELS).fingerprint
    assert dataset.source == f"torch data set {type(data).__name__}"
    assert isinstance(dataset, Labelled) == (kind == "pairs")
    if isinstance(dataset, Labelled):
        assert dataset.label_classes(torch.arange(N)).tolist() == [[0], [1], [1], [0], [2], [2]]


def test_small_torch_dataset_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    items = Items(list(torch.from_numpy(FIRST)))
    dataset = as_dataset(items)
    count = items.count
    assert count <= N + 11  # the first item, and five twice
    shown(dataset)
    assert items.count == count
    monkeypatch.setattr(in_memory, "IN_MEMORY_BYTES", 0)
    dataset = as_dataset(items)
    count = items.count
    dataset.raw(torch.tensor([3, 3]))
    assert items.count == count + 2


def test_torch_items_as_numpy_and_pillow() -> None:
    pillow = Items([(Image.fromarray(image), label) for label, image in enumerate(COLOUR[:, :, :, 0] // 64 * 64 + 3)])
    dataset = as_dataset(pillow, classes=np.array([0, 1, 0, 1, 0, 1]))
    assert np.array_equal(shown(dataset)[:, 0], COLOUR[:, :, :, 0] // 64 * 64 + 3)
    assert isinstance(dataset, Labelled)  # the classes given, not the labels of the items, which make a grid
    assert isinstance(as_dataset(pillow), FactorDataset)
    assert np.array_equal(shown(as_dataset(Items(list(COLOUR)))), FIRST)
    vectors = RNG.normal(size=(N, 4))
    assert np.array_equal(shown(as_dataset(Items(list(vectors)))), vectors.astype(np.float32))


@pytest.mark.parametrize("mode", ["P", "YCbCr", "HSV", "LAB", "CMYK", "RGBA", "LA"])
def test_pillow_modes_that_are_no_pixels(mode: str) -> None:
    grey, colour = Image.fromarray(COLOUR[0, :, :, 0]), Image.fromarray(COLOUR[0])
    other = Image.new(mode, colour.size) if mode in ("LAB", "LA") else colour.convert(mode)
    with pytest.raises(ValueError, match=f"^item 1 of Items: the Pillow image has the mode {mode}; give image.conv"):
        as_dataset(Items([grey, other]))


@pytest.mark.parametrize("label", [0.5, "cat", None, -1, [0, 1.5], {"a": 1}])
def test_labels_that_are_no_classes(label: object) -> None:
    assert not isinstance(as_dataset(Items([(image, label) for image in COLOUR])), Labelled)


class Stream(IterableDataset[Tensor]):
    def __iter__(self):  # type: ignore[no-untyped-def]
        yield torch.zeros(1)


class Noisy(Items):
    """Random transforms at each reading."""

    def __getitem__(self, index: int) -> object:
        return RNG.random((1, 4, 4))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Stream(), "^Stream has no index or length; give a map-style torch data set, or an array"),
        (Items([]), "^Items is empty"),
        (
            Items([{"image": COLOUR[0]}]),
            r"^item 0 of Items is a dict; an item must be an image .* or a tuple \(image, la",
        ),
        (Items([("a.png", 3)]), "^item 0 of Items is a tuple that begins with str; an item must be an image"),
        (Items([COLOUR[0], COLOUR[1, :5]]), r"^item 1 of Items has shape \(5, 10, 3\) .* item 0 \(8, 10, 3\)"),
        (Noisy([0] * N), "^item 0 of Noisy differs from one reading to the next; leave out random transforms"),
        (Items(list(FIRST / LEVELS * 4 - 2)), "values from -2 to 2, which must be in .*leave out the transform"),
    ],
)
def test_invalid_torch_datasets(data: TorchDataset[object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        as_dataset(data)
    assert "\n" not in str(caught.value)


def test_lazy_binary_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "IN_MEMORY_BYTES", 0)
    binary = RNG.integers(0, 2, (N, 5, 5), dtype=np.uint8)
    with pytest.raises(ValueError, match="the images of Items are uint8 of 0 and 1 alone; give them as bool"):
        as_dataset(Items(list(binary)))
    assert np.array_equal(shown(as_dataset(Items(list(binary.astype(bool)))))[:, 0], binary * 255)

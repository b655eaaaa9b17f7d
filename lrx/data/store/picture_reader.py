"""Pictures of a folder as images of one shape: their frames, what the first one sets, and what is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lrx.core.text import count_of
from lrx.data.store.picture_files import readable_endings
from lrx.data.store.pictures import (
    BROKEN,
    Treatment,
    Unreadable,
    is_transparent,
    load,
    no_pixel_warnings,
    num_channels,
    num_frames,
    open_picture,
    upright_size,
)

Images = Mapping[str, tuple[str, int]]  # by name of the image: name of the file, and the number of the frame from 0


@dataclass(frozen=True)
class FirstImage:
    """First readable image, which sets what all must be like. shape: (H, W, C) after the treatment."""

    name: str
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class PictureReader:
    """Reader of the pictures of a folder.

    channels: 1 for grey, 3 for RGB; None takes what the first image has, and refuses the others.
    met: by name of a decoded image, the number of frames that are not read, and whether it has transparent pixels;
        without images of which neither is to be said.
    """

    directory: Path
    treatment: Treatment
    channels: int | None
    all_frames: bool
    met: dict[str, tuple[int, bool]] = field(default_factory=dict)

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats that Pillow may take a file for."""
        return tuple(sorted(set(readable_endings().values())))

    def images(self, files: Iterable[str]) -> Images:
        """Return the images of files: one each, or one for each frame."""
        images = {}
        for file in files:
            images[file] = (file, 0)
            for frame in range(1, self._num_frames(file) if self.all_frames else 1):
                images[f"{file} frame {frame + 1}"] = (file, frame)
        return images

    def first(self, images: Images) -> FirstImage:
        """Return the first image that can be read. ValueError where there is none."""
        for name, (file, _) in images.items():
            try:
                return self.first_of((self.directory / file).read_bytes(), name)
            except Unreadable:  # the stream meets it again, and does what on_corrupt says
                continue
        raise ValueError(
            f"none of the {len(images)} images in {self.directory} can be read; the first is {next(iter(images))}"
        )

    def first_of(self, data: bytes, name: str) -> FirstImage:
        """Return what an encoded image sets as the first one; Unreadable when its header is damaged."""
        with no_pixel_warnings(), open_picture(data, name, formats=self.formats) as picture:
            height, width = self.treatment.shape(upright_size(picture), name)
            return FirstImage(name, (height, width, self.channels or num_channels(picture)))

    def decode(self, name: str, images: Images, first: FirstImage) -> np.ndarray:
        """Decode an image to uint8 first.shape; ValueError when it is of another size or kind than the first."""
        file, frame = images[name]
        return self.decode_bytes((self.directory / file).read_bytes(), name, first, frame=frame)

    def decode_bytes(self, data: bytes, name: str, first: FirstImage, *, frame: int = 0) -> np.ndarray:
        """Decode an encoded image to uint8 first.shape; ValueError as `decode`, Unreadable when it is damaged."""
        with open_picture(data, name, formats=self.formats) as picture:
            frames = num_frames(picture, name)
            if frame:
                try:
                    picture.seek(frame)
                except BROKEN as error:
                    raise Unreadable(f"{name} is damaged: {error}") from error
            load(picture, name)
            height, width = self.treatment.shape(upright_size(picture), name)
            if (height, width) != first.shape[:2]:
                raise ValueError(
                    f"{first.name} is {first.shape[1]} x {first.shape[0]} pixels and {name} is {width} x {height}; "
                    "set dataset.size=64 (and dataset.crop=square), so that all become alike"
                )
            if self.channels is None and num_channels(picture) != first.shape[2]:
                kinds = {1: "grey", 3: "in colour"}
                raise ValueError(
                    f"{first.name} is {kinds[first.shape[2]]} and {name} is {kinds[num_channels(picture)]}; "
                    "set dataset.channels=1 or dataset.channels=3"
                )
            pixels = self.treatment.pixels(picture, name, channels=first.shape[2])
            met = 0 if self.all_frames else frames - 1, is_transparent(picture)
            if any(met):
                self.met[name] = met
        return pixels

    @property
    def counts(self) -> dict[str, int]:
        """Counts of what was met: `frames` that are not read, in so many `files`, and `transparent` images."""
        left = [frames for frames, _ in self.met.values() if frames]
        return {"frames": sum(left), "files": len(left), "transparent": sum(clear for _, clear in self.met.values())}

    def words(self, counts: Mapping[str, int]) -> list[str]:
        """Return what counts of a conversion say."""
        words = []
        if counts.get("frames"):
            pages = f"{count_of(counts['frames'], 'further frame')} of {count_of(counts.get('files', 0), 'file')}"
            words.append(f"left out {pages}; dataset.frames=all reads them")
        if counts.get("transparent"):
            images = count_of(counts["transparent"], "image")
            words.append(f"transparent pixels of {images} on {self.treatment.background} (dataset.background)")
        return words

    def _num_frames(self, file: str) -> int:
        try:
            data = (self.directory / file).read_bytes()
            with no_pixel_warnings(), open_picture(data, file, formats=self.formats) as picture:
                return num_frames(picture, file)
        except Unreadable:  # the stream meets it again, and does what on_corrupt says
            return 1

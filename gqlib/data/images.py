"""What all sets of images have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter

from torch import Tensor

from gqlib._utils.text import printable

#: Begins every key; its number goes up when image files are decoded to other bytes than before.
KEY = "gqlib image 1"


class Images(ABC):
    """A set of images, read one at a time and in any order, from any thread.

    Attributes:
        name: What to call the set: the path as it was given.
    """

    name: str

    @abstractmethod
    def __len__(self) -> int:
        """How many images there are, at least 1."""

    @abstractmethod
    def read(self, i: int) -> Tensor:
        """Image ``i``: uint8 [C, H, W], C the same for all images of the set, 1 or 3."""

    @abstractmethod
    def key(self, i: int) -> bytes:
        """32 bytes that are equal for two images if and only if their stored data are.

        SHA-256 of the file's bytes, or of the array's shape and bytes, and of the number of
        channels; the name plays no part.
        """

    def read_with_key(self, i: int) -> tuple[Tensor, bytes]:
        """Image ``i`` and its key, which belong together even if files change meanwhile."""
        return self.read(i), self.key(i)

    def label(self, i: int) -> str | None:
        """Image ``i``'s sub-folder relative to the root, with ``/`` between levels, or None."""
        return None

    def describe(self, i: int) -> str:
        """Image ``i`` in words, for a message."""
        return f"image {i} of {printable(self.name)}"

    @property
    def formats(self) -> Counter[str]:
        """How many files there are of each format, as ``{"PNG": 100}``; empty for arrays."""
        return Counter()

    @property
    @abstractmethod
    def sizes(self) -> Counter[tuple[int, int]]:
        """How many images there are of each (height, width)."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the results should know, a plain sentence each."""
        return ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {len(self)} images)"

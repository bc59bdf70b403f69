"""Folders of image files."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from torch import Tensor

from gqlib._utils.text import printable
from gqlib.data.images import KEY, Images
from gqlib.evaluation.sources._decode import Header, decode, read_header
from gqlib.evaluation.sources._messages import counts, number, unreadable
from gqlib.evaluation.sources._paths import ARRAY_SUFFIXES, IMAGE_SUFFIXES

#: Device and inode of folders.
_Identities = tuple[tuple[int, int], ...]


class ImageFolder(Images):
    """The PNG, JPEG and WebP files in a folder and its sub-folders, by relative path.

    Hidden files and folders are skipped, other files are counted in :attr:`ignored`, and symbolic
    links are followed unless they lead in a circle. Grey images have 1 channel; in a folder with
    both kinds all have 3. Transparency is composited on white, 16 bits are scaled to 8, CMYK
    becomes RGB, and EXIF's orientation is applied; ``warnings`` says which of these happened.

    Args:
        path: The folder. Files are opened when they are needed, all headers at the first use.

    Attributes:
        files: The paths, relative to the folder, with ``/`` between levels, in order.
        ignored: The number of other files of each ending.

    Raises:
        FileNotFoundError: No such folder, or an image is a link to nothing.
        ValueError: No image in it, or a folder that cannot be listed; from the methods: a file
            that is damaged, animated or no image, named in the message.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self._root = Path(path).expanduser()
        self.files: list[str] = []
        self.ignored: Counter[str] = Counter()
        self._loops: list[str] = []
        self._lock = threading.Lock()
        self._headers: list[Header] | None = None
        self._list_files()
        if not self.files:
            raise ValueError(self._nothing())

    def __len__(self) -> int:
        return len(self.files)

    def read(self, i: int) -> Tensor:
        return decode(self._content(i), self.channels, self.describe(i))

    def key(self, i: int) -> bytes:
        return self._key(self._content(i))

    def read_with_key(self, i: int) -> tuple[Tensor, bytes]:
        content = self._content(i)
        return decode(content, self.channels, self.describe(i)), self._key(content)

    def label(self, i: int) -> str | None:
        folder, _, _ = self.files[i].rpartition("/")
        return printable(folder) or None

    def describe(self, i: int) -> str:
        return printable(self._root / self.files[i])

    @property
    def formats(self) -> Counter[str]:
        return Counter(header.format for header in self._scan())

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        return Counter(header.size for header in self._scan())

    @cached_property
    def channels(self) -> int:
        """1 if all images are grey, otherwise 3."""
        return 1 if all(header.grey for header in self._scan()) else 3

    @property
    def warnings(self) -> tuple[str, ...]:
        headers, name = self._scan(), printable(self.name)
        formats, sizes = self.formats, self.sizes
        grey = sum(header.grey for header in headers)
        found = []
        if len(formats) > 1:
            found.append(
                f"{name} mixes file formats ({counts(formats)}): the traces that compression "
                "leaves count as a difference between images"
            )
        if len(sizes) > 1:
            (low, high) = min(sizes, key=math.prod), max(sizes, key=math.prod)
            found.append(
                f"{name} holds images of {len(sizes)} sizes, from {low[1]}×{low[0]} to "
                f"{high[1]}×{high[0]} pixels"
            )
        if 0 < grey < len(headers):
            found.append(
                f"{name} mixes {grey} grey and {len(headers) - grey} colour images: all were read "
                "as RGB"
            )
        for kind, does in (
            ("alpha", "can be transparent: they were laid on white"),
            ("deep", "have 16 bits a channel: they were reduced to 8"),
            ("cmyk", "are CMYK: they were converted to RGB without a colour profile"),
        ):
            if count := sum(getattr(header, kind) for header in headers):
                found.append(f"{count} of {len(headers)} images in {name} {does}")
        if self.ignored:
            found.append(
                f"{number(sum(self.ignored.values()), 'other file')} in {name} "
                f"({counts(self.ignored)}) ignored"
            )
        if self._loops:
            found.append(
                f"{number(len(self._loops), 'link')} in {name} that leads in a circle (such as "
                f"{printable(self._loops[0])}) not followed"
            )
        return tuple(found)

    def _list_files(self) -> None:
        """Fill ``files``, ``ignored`` and ``_loops``; a stack, since folders can lie deep."""
        try:
            top = self._root.stat()
        except OSError as error:
            raise unreadable(printable(self.name), error) from error
        stack: list[tuple[str, _Identities]] = [("", ((top.st_dev, top.st_ino),))]
        while stack:
            prefix, above = stack.pop()
            folder = self._root / prefix
            try:
                with os.scandir(folder) as found:
                    entries = [entry for entry in found if not entry.name.startswith(".")]
            except OSError as error:
                raise unreadable(printable(folder), error) from error
            for entry in entries:
                self._sort_in(entry, prefix, above, stack)
        self.files.sort()
        self._loops.sort()

    def _sort_in(
        self,
        entry: os.DirEntry[str],
        prefix: str,
        above: _Identities,
        stack: list[tuple[str, _Identities]],
    ) -> None:
        path = prefix + entry.name
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (a million names)
        try:
            status = Path(entry.path).stat() if entry.is_dir() else None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise unreadable(printable(entry.path), error) from error
            self._loops.append(path)
            return
        if status is not None:
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                self._loops.append(path)
            else:
                stack.append((path + "/", (*above, identity)))
        elif suffix not in IMAGE_SUFFIXES:
            self.ignored[suffix or "no ending"] += 1
        elif entry.is_file():
            self.files.append(path)
        elif entry.is_symlink():
            raise FileNotFoundError(
                f"{printable(entry.path)} is a link to a file that does not exist: "
                "mend or remove it, for a missing image changes the result"
            )
        else:
            self.ignored[suffix] += 1  # a device or a pipe

    def _nothing(self) -> str:
        kinds = ", ".join(IMAGE_SUFFIXES)
        name = printable(self.name)
        if not self.ignored:
            return f"the folder {name} is empty, expected images ({kinds}) in it or below it"
        arrays = any(suffix in ARRAY_SUFFIXES for suffix in self.ignored)
        advice = "name an array's file itself" if arrays else "convert the images, or name another"
        return (
            f"the folder {name} holds no image ({kinds}), only "
            f"{number(sum(self.ignored.values()), 'other file')} ({counts(self.ignored)}): "
            f"{advice}"
        )

    def _scan(self) -> list[Header]:
        """All headers, read once."""
        with self._lock:
            if self._headers is None:
                # In threads, for disks that answer late; in chunks, for a million files.
                starts = range(0, len(self.files), 256)
                with ThreadPoolExecutor(min(8, len(starts))) as pool:
                    parts = pool.map(self._some_headers, starts)
                    self._headers = [header for part in parts for header in part]
            return self._headers

    def _some_headers(self, start: int) -> list[Header]:
        stop = min(start + 256, len(self.files))
        return [
            read_header(self._root / self.files[i], self.describe(i)) for i in range(start, stop)
        ]

    def _content(self, i: int) -> bytes:
        try:
            return (self._root / self.files[i]).read_bytes()
        except OSError as error:
            raise unreadable(self.describe(i), error) from error

    def _key(self, content: bytes) -> bytes:
        # The channels are part of it: a grey file gives other bytes in a set with coloured ones.
        digest = hashlib.sha256(f"{KEY}, file, {self.channels} channels\n".encode())
        digest.update(content)
        return digest.digest()

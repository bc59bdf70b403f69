"""What can be measured, opened by its path: images, features or statistics.

* A folder of PNG, JPEG and WebP files: :class:`ImageFolder`, lazy and in the order of the names.
* An array of images in ``.npy``, ``.npz``, ``.pt`` or ``.safetensors``: :class:`ImageArray`.
* An array (N, D) of floats: :class:`FeatureArray`.
* An ``.npz`` with ``mu`` and ``sigma``: :class:`gqlib.metrics.GaussianStatistics`.

Nothing is guessed: a file that could mean two things is an error that says so, and what was
changed on the way to 8 bits and 1 or 3 channels stands in ``warnings``. No pickle is ever loaded.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import math
import os
import pickle
import re
import struct
import threading
import warnings
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image

    from gqlib.metrics import GaussianStatistics

#: Endings of the files that count as images in a folder, in lower or upper case.
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
#: Endings of the files that hold arrays.
ARRAY_SUFFIXES = (".npz", ".npy", ".pt", ".pth", ".safetensors")

#: Of a file of statistics, the newest that this version reads.
_STATISTICS_VERSION = 1
#: PIL's names. GIF is here so that an animation under another name is called what it is.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")
#: Begins every key; to be counted up when an image file is decoded to other bytes than before.
_KEY = "gqlib image 1"
#: Elements that are checked at a time.
_ELEMENTS = 1 << 23
#: A rounding error's width around [0, 1], as gqlib.features allows it.
_SLACK = 1e-4


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
        """32 bytes that are the same for two images just where :meth:`read` was given the same.

        SHA-256 of the file's bytes, or of the array's shape and bytes, and of the number of
        channels; the name plays no part.
        """

    def read_with_key(self, i: int) -> tuple[Tensor, bytes]:
        """Image ``i`` and its key, certain to belong together even where files change."""
        return self.read(i), self.key(i)

    def label(self, i: int) -> str | None:
        """Image ``i``'s sub-folder relative to the root, with ``/`` between levels, or None."""
        return None

    def describe(self, i: int) -> str:
        """Image ``i`` in words, for a message."""
        return f"image {i} of {_shown(self.name)}"

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


@dataclass(frozen=True, eq=False)
class FeatureArray:
    """Features that were made elsewhere.

    Attributes:
        name: What to call them: the path as it was given.
        values: (N, D), floats, finite; of an ``.npy`` or ``.safetensors`` file a view of the disk.
        warnings: What a reader of the results should know.
    """

    name: str
    values: Tensor
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_features(self.values, _shown(self.name))

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"FeatureArray({self.name!r}, {len(self)} × {self.values.shape[1]})"


class ImageArray(Images):
    """Images held in an array.

    Args:
        images: [N, H, W], [N, C, H, W] or [N, H, W, C] with C = 1 or 3; uint8, bool, or floats in
            [0, 1], which are rounded to 8 bits.
        name: What to call them.

    Raises:
        ValueError: Another shape, dtype or range, a NaN, or no image.
    """

    def __init__(self, images: Tensor | npt.NDArray[np.generic], name: str = "array") -> None:
        self.name = name
        shown = _shown(name)
        if isinstance(images, np.ndarray):
            images = _tensor(images, shown)
        self._images = _channels_first(images.detach(), shown)
        self._fractions = _check_range(self._images, shown)

    def __len__(self) -> int:
        return len(self._images)

    def read(self, i: int) -> Tensor:
        image = self._images[i].cpu()
        if image.dtype == torch.bool:
            return image.to(torch.uint8) * 255
        if image.dtype != torch.uint8:
            # Float64 goes its own way: 0.5 / 255 is not to be rounded twice.
            exact = image if image.dtype == torch.float64 else image.to(torch.float32)
            return (exact * 255).round().clamp(0, 255).to(torch.uint8).contiguous()
        return image.contiguous()

    def key(self, i: int) -> bytes:
        return _array_key(self.read(i))

    def read_with_key(self, i: int) -> tuple[Tensor, bytes]:
        image = self.read(i)
        return image, _array_key(image)

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        height, width = self._images.shape[2:]
        return Counter({(int(height), int(width)): len(self)})

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self._fractions:
            return ()
        return (f"the float images of {_shown(self.name)} were rounded to 8 bits, as files are",)


#: Device and inode of folders.
_Identities = tuple[tuple[int, int], ...]


class _Header(NamedTuple):
    """What the first bytes of an image file say; the size is that after EXIF's rotation."""

    format: str
    size: tuple[int, int]
    grey: bool
    alpha: bool
    deep: bool
    cmyk: bool


class ImageFolder(Images):
    """The PNG, JPEG and WebP files in a folder and its sub-folders, by relative path.

    Hidden files and folders are skipped, other files are counted in :attr:`ignored`, symbolic
    links are followed, save those that lead in a circle. Grey images have 1 channel,
    in a folder with both kinds all have 3. Transparency is composited on white, 16 bits are scaled
    to 8, CMYK becomes RGB, EXIF's orientation is applied; ``warnings`` says which of it was done.

    Args:
        path: The folder. Its files are opened when they are needed, all headers at the first.

    Attributes:
        files: The paths, relative to the folder, with ``/`` between levels, in order.
        ignored: How many other files there are of each ending.

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
        self._headers: list[_Header] | None = None
        self._list_files()
        if not self.files:
            raise ValueError(self._nothing())

    def __len__(self) -> int:
        return len(self.files)

    def read(self, i: int) -> Tensor:
        return self._decode(self._content(i), i)

    def key(self, i: int) -> bytes:
        return self._key(self._content(i))

    def read_with_key(self, i: int) -> tuple[Tensor, bytes]:
        content = self._content(i)
        return self._decode(content, i), self._key(content)

    def label(self, i: int) -> str | None:
        folder, _, _ = self.files[i].rpartition("/")
        return _shown(folder) or None

    def describe(self, i: int) -> str:
        return _shown(self._root / self.files[i])

    @property
    def formats(self) -> Counter[str]:
        return Counter(header.format for header in self._scan())

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        return Counter(header.size for header in self._scan())

    @property
    def channels(self) -> int:
        """1 where all images are grey, otherwise 3."""
        return self._channels

    @cached_property
    def _channels(self) -> int:
        return 1 if all(header.grey for header in self._scan()) else 3

    @property
    def warnings(self) -> tuple[str, ...]:
        headers, name = self._scan(), _shown(self.name)
        formats, sizes = self.formats, self.sizes
        grey = sum(header.grey for header in headers)
        found = []
        if len(formats) > 1:
            found.append(
                f"{name} mixes file formats ({_counts(formats)}): the traces that compression "
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
                f"{_number(sum(self.ignored.values()), 'other file')} in {name} "
                f"({_counts(self.ignored)}) ignored"
            )
        if self._loops:
            found.append(
                f"{_number(len(self._loops), 'link')} in {name} that leads in a circle (such as "
                f"{_shown(self._loops[0])}) not followed"
            )
        return tuple(found)

    def _list_files(self) -> None:
        """Fill ``files``, ``ignored`` and ``_loops``; a stack, since folders can lie deep."""
        try:
            top = self._root.stat()
        except OSError as error:
            raise _unreadable(_shown(self.name), error) from error
        stack: list[tuple[str, _Identities]] = [("", ((top.st_dev, top.st_ino),))]
        while stack:
            prefix, above = stack.pop()
            folder = self._root / prefix
            try:
                with os.scandir(folder) as found:
                    entries = [entry for entry in found if not entry.name.startswith(".")]
            except OSError as error:
                raise _unreadable(_shown(folder), error) from error
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
                raise _unreadable(_shown(entry.path), error) from error
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
                f"{_shown(entry.path)} is a link to a file that does not exist: "
                "mend or remove it, for a missing image changes the result"
            )
        else:
            self.ignored[suffix] += 1  # a device or a pipe

    def _nothing(self) -> str:
        kinds = ", ".join(IMAGE_SUFFIXES)
        name = _shown(self.name)
        if not self.ignored:
            return f"the folder {name} is empty, expected images ({kinds}) in it or below it"
        arrays = any(suffix in ARRAY_SUFFIXES for suffix in self.ignored)
        advice = "name an array's file itself" if arrays else "convert the images, or name another"
        return (
            f"the folder {name} holds no image ({kinds}), only "
            f"{_number(sum(self.ignored.values()), 'other file')} ({_counts(self.ignored)}): "
            f"{advice}"
        )

    def _scan(self) -> list[_Header]:
        """All headers, read once."""
        with self._lock:
            if self._headers is None:
                # In threads, for disks that answer late; in chunks, for a million files.
                starts = range(0, len(self.files), 256)
                with ThreadPoolExecutor(min(8, len(starts))) as pool:
                    parts = pool.map(self._some_headers, starts)
                    self._headers = [header for part in parts for header in part]
            return self._headers

    def _some_headers(self, start: int) -> list[_Header]:
        stop = min(start + 256, len(self.files))
        return [self._header(i) for i in range(start, stop)]

    def _header(self, i: int) -> _Header:
        path = self._root / self.files[i]
        try:
            file = path.open("rb")
        except OSError as error:
            raise _unreadable(self.describe(i), error) from error
        with file, _opened(file, self.describe(i)) as image:
            height, width = image.height, image.width
            if _orientation(image) >= 5:
                height, width = width, height
            return _Header(
                format="JPEG" if image.format == "MPO" else str(image.format),
                size=(height, width),
                grey=image.mode in _GREY_MODES,
                alpha=_transparent(image),
                deep=_is_deep(image, file),
                cmyk=image.mode == "CMYK",
            )

    def _content(self, i: int) -> bytes:
        try:
            return (self._root / self.files[i]).read_bytes()
        except OSError as error:
            raise _unreadable(self.describe(i), error) from error

    def _key(self, content: bytes) -> bytes:
        # The channels are part of it: a grey file gives other bytes beside coloured ones.
        digest = hashlib.sha256(f"{_KEY}, file, {self._channels} channels\n".encode())
        digest.update(content)
        return digest.digest()

    def _decode(self, content: bytes, i: int) -> Tensor:
        channels = self._channels
        with _opened(io.BytesIO(content), self.describe(i)) as image:
            return _pixels(image, channels)


def open_source(
    path: str | os.PathLike[str], array: str | None = None
) -> Images | FeatureArray | GaussianStatistics:
    """Open what shall be measured.

    Args:
        path: A folder of images, or a file: ``.npz``, ``.npy``, ``.pt``, ``.pth``,
            ``.safetensors``.
        array: Which array of an ``.npz``, ``.pt`` or ``.safetensors`` file; without it the only
            one, or the one called ``images``, ``features`` or ``arr_0``.

    Returns:
        :class:`ImageFolder` for a folder. Of a file, :class:`ImageArray` for three or four
        dimensions, :class:`FeatureArray` for floats of two, and
        :class:`gqlib.metrics.GaussianStatistics` for an ``.npz`` with ``mu`` and ``sigma``
        (where ``array`` does not ask for another of its arrays).

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: All else that is wrong with it, in one sentence with the path.
    """
    name = os.fspath(path)
    place = _existing(name)
    if place.is_dir():
        if array is not None:
            raise ValueError(
                f"{_shown(name)} is a folder and array={array!r} chooses an array of a file: "
                "leave it out"
            )
        return ImageFolder(name)
    _check_suffix(place, name, ARRAY_SUFFIXES, "a folder of images")
    statistics = _statistics(place, name) if array is None else None
    if statistics is not None:
        return statistics
    values = _load(place, _shown(name), array, ("images", "features", "arr_0"))
    if values.ndim == 2 and values.is_floating_point():
        return FeatureArray(name, values)
    return ImageArray(values, name)


def read_labels(path: str | os.PathLike[str], array: str | None = None) -> list[str]:
    """The label of each sample, in order.

    Args:
        path: ``.txt`` with one label a line; ``.csv`` with a column ``label``, or with one column
            (whose first line is a heading only if it reads ``label``); or integers or strings of
            one dimension in any of the array files that :func:`open_source` reads.
        array: Which array of a file with several; without it the only one, or the one called
            ``labels`` or ``label``.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: No labels, an empty one, or another file, dtype or shape.
    """
    name = os.fspath(path)
    place = _existing(name)
    shown = _shown(name)
    if place.is_dir():
        raise ValueError(
            f"{shown} is a folder, expected a file of labels (.txt, .csv or an array): "
            "the sub-folders of images are their labels without a file"
        )
    _check_suffix(place, name, (".txt", ".csv", *ARRAY_SUFFIXES), "labels one a line")
    suffix = place.suffix.lower()
    if suffix in (".txt", ".csv"):
        if array is not None:
            raise ValueError(
                f"{shown} holds text and array={array!r} chooses an array: leave it out"
            )
        lines = _text_lines(place, shown)
        labels = _csv_labels(lines, shown) if suffix == ".csv" else [x.strip() for x in lines]
    else:
        labels = _array_labels(place, shown, array)
    while labels and not labels[-1]:
        labels.pop()
    if not labels:
        raise ValueError(f"{shown} holds no labels, expected one for each sample")
    if "" in labels:
        raise ValueError(
            f"label {labels.index('') + 1} of {len(labels)} in {shown} is empty: write one for "
            "each sample, in their order"
        )
    return labels


# Words of messages


def _shown(path: str | os.PathLike[str]) -> str:
    """A path that any terminal can print, whatever bytes its name has."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _counts(counter: Mapping[str, int]) -> str:
    """``PNG 100, JPEG 3``, the most frequent first."""
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{_shown(name)} {count}" for name, count in ordered[:5]]
    return ", ".join(shown + ["…"] * (len(ordered) > 5))


def _reason(error: BaseException) -> str:
    """An error in one line, without the address of an object."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = re.sub(r"<[^<>]* at 0x[0-9a-fA-F]+>", "the file", " ".join(text.split())).rstrip(".")
    return text[:200] or type(error).__name__


def _unreadable(shown: str, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(
            f"{shown} does not exist (any more): check the path, and that nothing else changes it"
        )
    return ValueError(f"{shown} cannot be read ({_reason(error)}): check its permissions and disk")


def _damaged(shown: str, error: BaseException | str) -> ValueError:
    reason = error if isinstance(error, str) else _reason(error)
    return ValueError(f"{shown} is damaged or cut short ({reason}): replace it")


def _existing(name: str) -> Path:
    if not name:
        raise FileNotFoundError("the path is empty, expected that of a folder or a file")
    if "\0" in name:
        raise ValueError(f"the path {name!r} holds a zero byte: no file can be called so")
    place = Path(name).expanduser()
    try:
        place.stat()
    except FileNotFoundError:
        link = " (a link to nothing)" if place.is_symlink() else ""
        raise FileNotFoundError(
            f"{_shown(name)} does not exist{link}: check the spelling and the current folder"
        ) from None
    except OSError as error:
        raise _unreadable(_shown(name), error) from error
    if not (place.is_dir() or place.is_file()):
        raise ValueError(f"{_shown(name)} is a device or a pipe, expected a folder or a file")
    return place


def _check_suffix(place: Path, name: str, known: Sequence[str], other: str) -> None:
    suffix = place.suffix.lower()
    if suffix in known:
        return
    if suffix in IMAGE_SUFFIXES:
        raise ValueError(
            f"{_shown(name)} is a single image file: name the folder that holds all of the images"
        )
    packed = suffix in (".zip", ".tar", ".gz", ".tgz", ".7z")
    raise ValueError(
        f"{_shown(name)} ends in {suffix or 'no suffix'!r}, expected {other} or a file that ends "
        f"in {', '.join(known)}" + (": unpack it first" if packed else "")
    )


# Image files


@contextmanager
def _opened(file: Any, shown: str) -> Iterator[Image.Image]:
    """A PIL image of one of our formats, one frame; any failure inside is told with the path."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=_FORMATS) as image:
            frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
            if frames > 1:
                raise _NotAnImage(
                    f"{shown} is an animation of {frames} frames, expected an image: "
                    "save its frames one by one, or remove it"
                )
            if image.format == "GIF":
                raise _NotAnImage(
                    f"{shown} is a GIF under another name, expected PNG, JPEG or WebP: convert it"
                )
            yield image
    except UnidentifiedImageError:
        size = file.seek(0, os.SEEK_END)
        what = "is no PNG, JPEG or WebP image, or its first bytes are damaged" * (size > 0)
        raise ValueError(f"{shown} {what or 'is an empty file'}: replace or remove it") from None
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{shown} is too large ({_reason(error)}): make it smaller, or raise "
            "PIL.Image.MAX_IMAGE_PIXELS if it is to be trusted"
        ) from error
    except _NotAnImage as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # decoders raise all kinds on damaged files
        raise _damaged(shown, error) from error


class _NotAnImage(Exception):
    """Passes through the handler of what decoders raise."""


#: What undoes each orientation of EXIF: values of PIL.Image.Transpose.
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8. PIL would decode a whole PNG in search of it."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # EXIF can be damaged in many ways, and the image whole
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _is_deep(image: Image.Image, file: Any) -> bool:
    """Whether a PNG has 16 bits a channel, which PIL tells of grey ones only."""
    if image.format != "PNG":
        return False
    file.seek(24)  # the signature, IHDR's length and name, width, height, and then the depth
    return bool(file.read(1) == b"\x10")


def _pixels(image: Image.Image, channels: int) -> Tensor:
    """uint8 [C, H, W] of an open image, upright."""
    from PIL import Image

    grey = image.mode in _GREY_MODES
    image.load()
    turn = _orientation(image)
    upright = image if turn == 1 else image.transpose(Image.Transpose(_TURNS[turn]))
    if upright.mode.startswith("I"):  # 16 bits: 65535 is 255, and what lies between is rounded
        deep = np.asarray(upright).astype(np.int64).clip(0, 65535)
        upright = Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
    elif _transparent(upright):
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        upright = upright.convert("RGB")
    if upright.mode != "L" and grey:
        upright = upright.convert("L")
    if channels == 3 and upright.mode != "RGB":
        upright = upright.convert("RGB")
    pixels = torch.from_numpy(np.array(upright))
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()


# Arrays


def _array_key(image: Tensor) -> bytes:
    """SHA-256 of a contiguous uint8 image, its shape included."""
    digest = hashlib.sha256(f"{_KEY}, array, {list(image.shape)}\n".encode())
    digest.update(image.numpy().data)
    return digest.digest()


def _channels_first(images: Tensor, shown: str) -> Tensor:
    """A view of shape [N, C, H, W]."""
    shape = tuple(images.shape)
    if images.dtype not in (torch.uint8, torch.bool) and not images.is_floating_point():
        dtype = str(images.dtype).removeprefix("torch.")
        raise ValueError(
            f"{shown} holds {dtype} of shape {shape}, expected images of uint8, bool or floats in "
            "[0, 1], or features of floats: convert it, images in 0–255 to uint8"
        )
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{shown} has shape {shape}, expected images [N, H, W], [N, C, H, W] or [N, H, W, C], "
            "or features (N, D) of floats: "
            + ("give one image as x[None]" if images.ndim == 2 else "reshape it")
        )
    if 0 in shape:
        raise ValueError(f"{shown} has shape {shape}, which is empty: expected at least one image")
    if images.ndim == 3:
        if shape[2] in (3, 4) and min(shape[:2]) > 4:
            raise ValueError(
                f"{shown} has shape {shape}, which looks like one colour image: give a set of "
                "them as [N, H, W, 3], one alone as x[None]"
            )
        return images.unsqueeze(1)
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first and last:
        raise ValueError(
            f"{shown} has shape {shape}, and either its second or its last axis could be the "
            "channels: crop or repeat the images so that only one has length 1 or 3"
        )
    if not first and not last:
        alpha = " (lay an alpha channel on white, or drop it)" if 4 in (shape[1], shape[3]) else ""
        raise ValueError(
            f"{shown} has shape {shape}, expected 1 or 3 channels in its second or last axis{alpha}"
        )
    return images if first else images.permute(0, 3, 1, 2)


def _pieces(x: Tensor) -> Iterator[tuple[int, Tensor]]:
    """``x`` in pieces of whole rows and bounded size, each with its first row's number."""
    rows = max(1, _ELEMENTS // max(1, x[0].numel()))
    for start in range(0, len(x), rows):
        yield start, x[start : start + rows]


def _check_range(images: Tensor, shown: str) -> bool:
    """Raise unless floats lie in [0, 1]; whether there are any between two of 256 levels."""
    if not images.is_floating_point():
        return False
    low, high, fractions = math.inf, -math.inf, False
    for start, piece in _pieces(images):
        values = piece.to(torch.float32)
        least, most = (float(x) for x in values.aminmax())
        if not (math.isfinite(least) and math.isfinite(most)):
            raise ValueError(_not_finite(values, start, shown, "images"))
        low, high = min(low, least), max(high, most)
        if not fractions:
            levels = values * 255
            # A half-precision float is off a level by more than a float32 is.
            fractions = float((levels - levels.round()).abs().max()) > 0.07
    if low >= -_SLACK and high <= 1 + _SLACK:
        return fractions
    advice = "scale them to [0, 1]"
    if low >= -_SLACK and high <= 256:
        advice = "divide them by 255, or save them as uint8"
    elif low >= -1 - _SLACK and high <= 1 + _SLACK:
        advice = "if they lie in [-1, 1], take (x + 1) / 2"
    raise ValueError(
        f"the float images in {shown} reach from {low:.4g} to {high:.4g}, expected [0, 1]: {advice}"
    )


def _check_features(values: Tensor, shown: str) -> None:
    shape = tuple(values.shape)
    if values.ndim != 2 or not values.is_floating_point():
        dtype = str(values.dtype).removeprefix("torch.")
        raise ValueError(f"{shown} holds {dtype} of shape {shape}, expected floats (N, D)")
    if 0 in shape:
        raise ValueError(
            f"{shown} has shape {shape}, which is empty: expected features (N, D), one row a sample"
        )
    for start, piece in _pieces(values):
        if not bool(torch.isfinite(piece).all()):
            raise ValueError(_not_finite(piece, start, shown, "features"))


def _not_finite(piece: Tensor, start: int, shown: str, what: str) -> str:
    bad = (~torch.isfinite(piece)).flatten(1).any(1)
    row = start + int(bad.nonzero()[0])
    return (
        f"the {what} in {shown} hold NaN or infinity, first in row {row}: find out where they come "
        "from, or drop those rows"
    )


def _tensor(array: npt.NDArray[np.generic], shown: str) -> Tensor:
    """The array as a tensor, without a copy where torch can do with its memory."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ValueError(f"{shown} holds {array.dtype}, expected an array of numbers")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


def _load(place: Path, shown: str, array: str | None, usual: Sequence[str]) -> Tensor:
    """One array of a file, as a tensor."""
    suffix = place.suffix.lower()
    if suffix in (".npz", ".npy"):
        return _tensor(_load_numpy(place, shown, array, usual), shown)
    if suffix == ".safetensors":
        return _load_safetensors(place, shown, array, usual)
    return _load_torch(place, shown, array, usual)


def _choose(names: Sequence[str], array: str | None, usual: Sequence[str], shown: str) -> str:
    if array is not None:
        if array not in names:
            raise ValueError(
                f"{shown} holds no array {array!r}, but {_listed(names)}: name one of them"
            )
        return array
    if len(names) == 1:
        return names[0]
    known = [name for name in usual if name in names]
    if len(known) == 1:
        return known[0]
    if not names:
        raise ValueError(f"{shown} holds no array, expected one of images or features")
    raise ValueError(
        f"{shown} holds several arrays ({_listed(names)}), none of which is plainly meant: "
        "name one with array="
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*(_shown(name) for name in names[:10]), *["…"] * (len(names) > 10)]) or "none"


@contextmanager
def _reading(shown: str) -> Iterator[None]:
    """Turn what a damaged file raises into one sentence with its path."""
    try:
        yield
    except (PermissionError, FileNotFoundError, IsADirectoryError) as error:
        raise _unreadable(shown, error) from error
    except MemoryError as error:
        raise ValueError(
            f"{shown} does not fit into memory: save it as .npy, which is read from disk in parts"
        ) from error
    except (
        *(OSError, EOFError, ValueError, TypeError, LookupError, RuntimeError, SyntaxError),
        *(struct.error, zlib.error, zipfile.BadZipFile, pickle.UnpicklingError),
        *(AttributeError, OverflowError, NotImplementedError),
    ) as error:
        if "pickle" in str(error).lower() or isinstance(error, pickle.UnpicklingError):
            raise ValueError(
                f"{shown} holds Python objects or is damaged, and gqlib loads no pickles: save "
                "plain arrays or tensors"
            ) from error
        raise _damaged(shown, error) from error


def _load_numpy(
    place: Path, shown: str, array: str | None, usual: Sequence[str]
) -> npt.NDArray[np.generic]:
    with _reading(shown), place.open("rb") as file:
        magic = file.read(8)
    if not magic:
        raise ValueError(f"{shown} is an empty file, expected an array: replace it")
    if magic[:6] == b"\x93NUMPY":
        if len(magic) > 6 and magic[6] > 3:
            raise ValueError(
                f"{shown} has the .npy version {magic[6]}, newer than the 3 that is known here: "
                "upgrade NumPy, or save it with an older one"
            )
        if array is not None:
            raise ValueError(f"{shown} holds one array without a name: leave array={array!r} out")
        with _reading(shown):
            try:
                # Pages come from disk when they are read; a change would stay in memory.
                return np.asarray(np.load(place, mmap_mode="c", allow_pickle=False))
            except ValueError:  # an empty array has nothing to map
                return np.asarray(np.load(place, allow_pickle=False))
    if magic[:2] != b"PK":
        raise ValueError(
            f"{shown} is no NumPy file, or its first bytes are damaged, and gqlib loads no "
            "pickles: save it with numpy.save or numpy.savez"
        )
    with _reading(shown):
        file_of_arrays = np.load(place, allow_pickle=False)
    with file_of_arrays as arrays:
        name = _choose(arrays.files, array, usual, shown)
        with _reading(shown):
            return np.asarray(arrays[name])


def _statistics(place: Path, name: str) -> GaussianStatistics | None:
    """Statistics, if the file is an ``.npz`` that holds some."""
    if place.suffix.lower() != ".npz" or not zipfile.is_zipfile(place):
        return None
    from gqlib.metrics import GaussianStatistics

    shown = _shown(name)
    with _reading(shown), np.load(place, allow_pickle=False) as file:
        if not {"mu", "sigma"} <= set(file.files):
            return None
        version = int(file["version"]) if "version" in file.files else 1
    if version > _STATISTICS_VERSION:
        raise ValueError(
            f"{shown} holds statistics of version {version}, newer than the {_STATISTICS_VERSION} "
            "that is known here: upgrade gqlib"
        )
    try:
        return GaussianStatistics.load(place)
    except (OSError, EOFError, LookupError, TypeError, zlib.error, zipfile.BadZipFile) as error:
        raise _damaged(shown, error) from error
    except ValueError as error:
        raise ValueError(f"{shown} holds no usable statistics: {_reason(error)}") from error


def _load_torch(place: Path, shown: str, array: str | None, usual: Sequence[str]) -> Tensor:
    if place.stat().st_size == 0:
        raise ValueError(f"{shown} is an empty file, expected a tensor: replace it")
    with _reading(shown), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch has to say of kinds that are refused below
        options: dict[str, Any] = {"map_location": "cpu", "weights_only": True}
        try:
            loaded = torch.load(str(place), mmap=True, **options)
        except RuntimeError:  # files of torch before 1.6 cannot be mapped
            loaded = torch.load(place, **options)
    if isinstance(loaded, Mapping):
        tensors = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)}
        loaded = tensors[_choose(list(tensors), array, usual, shown)]
    elif array is not None:
        raise ValueError(f"{shown} holds nothing with a name: leave array={array!r} out")
    if not isinstance(loaded, Tensor):
        raise ValueError(
            f"{shown} holds a {type(loaded).__name__}, expected a tensor or a dict of tensors"
        )
    if loaded.layout != torch.strided or loaded.is_quantized or loaded.is_meta:
        raise ValueError(
            f"{shown} holds a sparse, quantised or meta tensor, expected a plain one: save "
            "x.to_dense() or x.dequantize()"
        )
    return loaded.detach()


#: safetensors' names of those dtypes that can be images, features or labels.
_SAFE_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def _load_safetensors(place: Path, shown: str, array: str | None, usual: Sequence[str]) -> Tensor:
    """One tensor of a safetensors file, as a view of the disk.

    The format: 8 bytes with the header's length, the header in JSON, and the data, of which each
    tensor has the part between its two ``data_offsets`` (https://huggingface.co/docs/safetensors).
    """
    with _reading(shown), place.open("rb") as file:
        size = place.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, 100_000_000):
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        header.pop("__metadata__", None)
    name = _choose(list(header), array, usual, shown)
    with _reading(shown):
        entry = header[name]
        shape = [int(x) for x in entry["shape"]]
        start, stop = (int(x) for x in entry["data_offsets"])
        if entry["dtype"] in _SAFE_DTYPES:
            dtype = _SAFE_DTYPES[entry["dtype"]]
            if min([0, start, *shape]) < 0 or stop - start != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"the bytes of {name} do not fit its shape")
            if stop > size - 8 - length:
                raise ValueError(f"the bytes of {name} reach beyond the end of the file")
            if stop == start:
                return torch.empty(shape, dtype=dtype)
            offset = 8 + length + start
            mapped = np.memmap(place, np.uint8, "c", offset, (stop - start,))
            # An address that is no multiple of the element's size would be read wrongly or slowly.
            data = np.asarray(mapped) if offset % dtype.itemsize == 0 else np.array(mapped)
            return torch.from_numpy(data).view(dtype).view(shape)
    raise ValueError(
        f"{shown} holds {name} in the dtype {entry['dtype']}, expected one of "
        f"{', '.join(_SAFE_DTYPES)}"
    )


# Labels


def _text_lines(place: Path, shown: str) -> list[str]:
    try:
        return place.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown} is no UTF-8 text ({_reason(error)}): convert it") from error
    except OSError as error:
        raise _unreadable(shown, error) from error


def _csv_labels(lines: Sequence[str], shown: str) -> list[str]:
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    except csv.Error as error:
        raise _damaged(shown, error) from error
    if not rows:
        return []
    heading = [cell.lower() for cell in rows[0]]
    column = 0
    if "label" in heading:
        column = heading.index("label")
        rows = rows[1:]
    elif len(heading) > 1:
        raise ValueError(
            f"{shown} has the columns {_listed(rows[0])}, expected one called label, or one alone"
        )
    for number, row in enumerate(rows, 1):
        if row and len(row) != len(heading):
            raise ValueError(
                f"row {number} of {shown} has {_number(len(row), 'cell')}, expected {len(heading)}"
            )
    return [row[column] if row else "" for row in rows]


def _array_labels(place: Path, shown: str, array: str | None) -> list[str]:
    usual = ("labels", "label")
    if place.suffix.lower() in (".npz", ".npy"):
        values = _load_numpy(place, shown, array, usual)
    else:
        tensor = _load(place, shown, array, usual)
        values = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if values.ndim != 1 or values.dtype.kind not in "biuU":
        advice = ": take the argmax of each row" if values.ndim == 2 else ""
        raise ValueError(
            f"{shown} holds {values.dtype} of shape {values.shape}, expected one integer or "
            f"string a sample{advice}"
        )
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    return [str(value).strip() for value in values.tolist()]

"""One image file: what its header says, and its pixels."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gqlib.evaluation.sources._messages import damaged, reason, unreadable

if TYPE_CHECKING:
    from PIL import Image

#: PIL's names. GIF is listed so that a GIF under another name gets a fitting message.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_GREY_MODES = ("1", "L", "LA", "I", "I;16")


class Header(NamedTuple):
    """What an image file's header says; the size is the one after EXIF's rotation."""

    format: str
    size: tuple[int, int]
    grey: bool
    alpha: bool
    deep: bool
    cmyk: bool


def read_header(path: Path, shown: str) -> Header:
    """Read a file's header; its pixels are not decoded."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(shown, error) from error
    with file, _opened(file, shown) as image:
        height, width = image.height, image.width
        if _orientation(image) >= 5:
            height, width = width, height
        return Header(
            format="JPEG" if image.format == "MPO" else str(image.format),
            size=(height, width),
            grey=image.mode in _GREY_MODES,
            alpha=_transparent(image),
            deep=_is_deep(image, file),
            cmyk=image.mode == "CMYK",
        )


def decode(content: bytes, channels: int, shown: str) -> Tensor:
    """A file's bytes as uint8 [C, H, W], upright; C is ``channels``: 3, or 1 for a grey image."""
    with _opened(io.BytesIO(content), shown) as image:
        return _pixels(image, channels)


@contextmanager
def _opened(file: IO[bytes], shown: str) -> Iterator[Image.Image]:
    """A PIL image of one of our formats, with one frame; any error inside names the path."""
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
        what = "is not a PNG, JPEG or WebP image, or its first bytes are damaged" * (size > 0)
        raise ValueError(f"{shown} {what or 'is an empty file'}: replace or remove it") from None
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{shown} is too large ({reason(error)}): make it smaller, or raise "
            "PIL.Image.MAX_IMAGE_PIXELS if it is to be trusted"
        ) from error
    except _NotAnImage as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # decoders raise all kinds on damaged files
        raise damaged(shown, error) from error


class _NotAnImage(Exception):
    """An error that the handler of decoders' errors lets through."""


#: What undoes each orientation of EXIF: values of PIL.Image.Transpose. PIL's exif_transpose would
#: write the rest of EXIF anew, and fail where that is damaged.
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8. PIL would decode a whole PNG to find it."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # EXIF can be damaged in many ways, and the image whole
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "RGBA") or "transparency" in image.info


def _is_deep(image: Image.Image, file: IO[bytes]) -> bool:
    """Whether a PNG has 16 bits a channel, which PIL says only of grey ones."""
    if image.format != "PNG":
        return False
    file.seek(24)  # the signature, IHDR's length and name, width, height, and then the depth
    return file.read(1) == b"\x10"


def _pixels(image: Image.Image, channels: int) -> Tensor:
    from PIL import Image

    image.load()  # EXIF can stand behind the pixels
    turn = _orientation(image)
    upright = image if turn == 1 else image.transpose(Image.Transpose(_TURNS[turn]))
    if upright.mode.startswith("I"):  # 16 bits: 65535 is 255, and what lies between is rounded
        deep = np.asarray(upright).astype(np.int64)
        upright = Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
    elif _transparent(upright):
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    mode = "RGB" if channels == 3 else "L"
    if upright.mode != mode:
        upright = upright.convert(mode)
    pixels = torch.from_numpy(np.array(upright))
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()

"""Bad input: whatever is wrong with a path, a file or its content is told in one sentence."""

import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_sources import COLOUR, SAVERS, animation, png, safetensors

from gqlib.evaluation.sources import open_source, read_labels


def bad(make, fragment, error=ValueError, call=open_source, array=None):
    return pytest.param(make, fragment, error, call, array, id=fragment)


def in_folder(write):
    """A folder of one good image, one file that ``write`` makes of its path."""

    def make(path):
        png(path / "a.png", COLOUR)
        write(path / "b.png")
        return path

    return make


def array_file(suffix, x):
    def make(path):
        file = path.with_suffix(suffix)
        SAVERS[suffix](file, x)
        return file

    return make


def content(suffix, written):
    def make(path):
        file = path.with_suffix(suffix)
        file.write_bytes(written)
        return file

    return make


def npz(**arrays):
    def make(path):
        np.savez(path.with_suffix(".npz"), **arrays)
        return path.with_suffix(".npz")

    return make


def torch_file(x):
    def make(path):
        torch.save(x, path.with_suffix(".pt"))
        return path.with_suffix(".pt")

    return make


#: One number of a safetensors file.
ENTRY = b'{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'


def safe(header, data=b""):
    def make(path):
        safetensors(path.with_suffix(".safetensors"), header, data)
        return path.with_suffix(".safetensors")

    return make


def folder(make):
    def made(path):
        path.mkdir()
        make(path)
        return path

    return made


def encoded(kind, **options):
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


def cut(suffix, x, keep=0.6):
    def make(path):
        file = array_file(suffix, x)(path)
        whole = file.read_bytes()
        file.write_bytes(whole[: int(len(whole) * keep)])
        return file

    return make


def linked(path):
    path.with_suffix(".npy").symlink_to(path / "nowhere")
    return path.with_suffix(".npy")


def pipe(path):
    os.mkfifo(path.with_suffix(".npy"))
    return path.with_suffix(".npy")


def broken_crc(path):
    whole = bytearray(encoded("PNG"))
    whole[len(whole) // 2] ^= 255
    path.write_bytes(whole)


def broken_statistics(path):
    """The list of arrays can be read, and an array cannot."""
    np.savez_compressed(path.with_suffix(".npz"), mu=np.arange(99.0), sigma=np.eye(99))
    whole = bytearray(path.with_suffix(".npz").read_bytes())
    whole[60:90] = b"\xff" * 30
    path.with_suffix(".npz").write_bytes(whole)
    return path.with_suffix(".npz")


X = np.random.default_rng(2).normal(size=(40, 30)).astype(np.float32)
WITH_NAN = np.where(np.arange(12).reshape(4, 3) == 7, np.nan, 0.5).astype(np.float32)
PICTURES = np.full((4, 5, 5), 0.5, np.float32)
PICTURES_WITH_NAN = PICTURES.copy()
PICTURES_WITH_NAN[2, 1, 1] = np.nan

CASES = [
    # Paths
    bad(lambda path: path, "does not exist: check the spelling", FileNotFoundError),
    bad(lambda path: "", "the path is empty", FileNotFoundError),
    bad(lambda path: "a\0b", "holds a zero byte"),
    bad(linked, "(a link to nothing)", FileNotFoundError),
    bad(pipe, "is a device or a pipe"),
    bad(content(".zip", b"PK"), "ends in '.zip'"),
    bad(content(".tfrecord", b""), "expected a folder of images or a file that ends in .npz, .npy"),
    bad(content("", b""), "ends in 'no suffix'"),
    bad(content(".png", encoded("PNG")), "is a single image file"),
    # Folders
    bad(folder(lambda p: None), "is empty, expected images (.png, .jpg, .jpeg, .webp)"),
    bad(folder(lambda p: (p / "sub").mkdir()), "is empty, expected images"),
    bad(
        folder(lambda p: (p / "x.gif").touch()), "holds no image (.png, .jpg, .jpeg, .webp), only 1"
    ),
    bad(folder(lambda p: (p / "x.npy").touch()), "name an array's file itself"),
    bad(
        in_folder(lambda p: p.symlink_to("nowhere")),
        "b.png is a link to a file that does not exist",
        FileNotFoundError,
    ),
    bad(in_folder(lambda p: None), "is a folder and array='x'", array="x"),
    # Image files
    bad(in_folder(lambda p: p.touch()), "b.png is an empty file"),
    bad(in_folder(lambda p: p.write_text("<html>")), "b.png is not a PNG, JPEG or WebP image"),
    bad(
        in_folder(lambda p: p.write_bytes(encoded("PNG")[:5000])),
        "b.png is damaged or cut short (image file is truncated",
    ),
    bad(
        in_folder(lambda p: p.write_bytes(encoded("JPEG")[:2000])),
        "b.png is damaged or cut short",
    ),
    bad(in_folder(lambda p: p.write_bytes(encoded("WEBP")[:900])), "b.png is "),
    bad(in_folder(broken_crc), "b.png is damaged"),
    bad(in_folder(lambda p: animation(p, format="WEBP")), "b.png is an animation of 3 frames"),
    bad(
        in_folder(lambda p: animation(p, format="PNG")), "animation of 3 frames, expected an image"
    ),
    bad(in_folder(lambda p: animation(p, format="GIF")), "b.png is an animation of 3 frames, e"),
    bad(in_folder(lambda p: p.write_bytes(encoded("GIF"))), "b.png is a GIF under another name"),
    bad(
        in_folder(lambda p: p.write_bytes(encoded("BMP"))),
        "b.png is not a PNG, JPEG or WebP image,",
    ),
    # Arrays
    bad(array_file(".npy", np.zeros((0, 4, 4), np.uint8)), "shape (0, 4, 4), which is empty"),
    bad(array_file(".npy", np.zeros((0, 4), np.float32)), "shape (0, 4), which is empty"),
    bad(array_file(".npy", np.zeros((4, 0), np.float32)), "shape (4, 0), which is empty"),
    bad(array_file(".npy", np.zeros(4, np.float32)), "has shape (4,), expected images [N, H, W]"),
    bad(array_file(".npy", np.float32(4)), "has shape (), expected images [N, H, W]"),
    bad(array_file(".npy", np.zeros((4, 4), np.uint8)), "give one image as x[None]"),
    bad(array_file(".npz", np.zeros((2, 3, 4, 4, 4), np.uint8)), "shape (2, 3, 4, 4, 4), expected"),
    bad(array_file(".npy", np.zeros((4, 9, 9), np.int64)), "holds int64 of shape (4, 9, 9)"),
    bad(array_file(".npy", np.zeros((4, 9), np.int32)), "holds int32 of shape (4, 9)"),
    bad(
        array_file(".npy", np.zeros((4, 9), complex)), "holds complex128, expected an array of num"
    ),
    bad(array_file(".npy", np.array(["a"])), "holds <U1, expected an array of numbers"),
    bad(torch_file(torch.zeros(4, 9, dtype=torch.complex64)), "holds complex64 of shape (4, 9)"),
    bad(array_file(".npy", np.zeros((9, 9, 3), np.uint8)), "looks like one colour image"),
    bad(array_file(".npy", np.zeros((2, 9, 9, 4), np.uint8)), "lay an alpha channel on white"),
    bad(array_file(".npy", np.zeros((2, 9, 9, 5), np.uint8)), "expected 1 or 3 channels in its"),
    bad(array_file(".npy", np.zeros((2, 3, 9, 3), np.uint8)), "either its second or its last axis"),
    bad(
        array_file(".npy", PICTURES * 510), "reach from 255 to 255, expected [0, 1]: divide them by"
    ),
    bad(array_file(".npy", PICTURES * -2), "if they lie in [-1, 1], take (x + 1) / 2"),
    bad(
        array_file(".npy", PICTURES * 1e6), "reach from 5e+05 to 5e+05, expected [0, 1]: scale them"
    ),
    bad(array_file(".npy", PICTURES_WITH_NAN), "the images in"),
    bad(array_file(".pt", PICTURES_WITH_NAN), "hold NaN or infinity, first in row 2"),
    bad(array_file(".npy", PICTURES * np.inf), "hold NaN or infinity, first in row 0"),
    bad(array_file(".npz", WITH_NAN), "the features in"),
    bad(array_file(".pt", WITH_NAN), "hold NaN or infinity, first in row 2: find"),
    # Damage, and what is no array
    bad(content(".npy", b""), "x.npy is an empty file"),
    bad(content(".npz", b""), "x.npz is an empty file"),
    bad(content(".pt", b""), "x.pt is an empty file"),
    bad(content(".npy", b"<html>\n<body>"), "x.npy is not a NumPy file"),
    bad(content(".npy", pickle.dumps([1])), "gqlib loads no pickles: save it with numpy.save"),
    bad(lambda p: npz(x=np.array([{}], object))(p), "x.npz holds Python objects or is damaged"),
    bad(
        lambda p: (np.save(p.with_suffix(".npy"), np.array([{}], object)), p.with_suffix(".npy"))[
            1
        ],
        "x.npy holds Python objects or is damaged, and gqlib loads no pickles",
    ),
    bad(content(".npy", b"\x93NUMPY\x07\x00" + b" " * 40), "has the .npy version 7, newer than"),
    bad(cut(".npy", X), "x.npy is damaged or cut short"),
    bad(cut(".npz", X), "x.npz is damaged or cut short"),
    bad(cut(".pt", X), "x.pt "),
    bad(cut(".safetensors", X), "x.safetensors is damaged or cut short ("),
    bad(npz(), "holds no array"),
    bad(npz(a=X, b=X), "holds several arrays (a, b)"),
    bad(npz(images=X, features=X), "holds several arrays (images, features)"),
    bad(npz(a=X), "holds no array 'x', but a", array="x"),
    bad(array_file(".npy", X), "holds one array without a name", array="x"),
    bad(torch_file({}), "x.pt holds no array"),
    bad(torch_file([torch.zeros(2, 2)]), "holds a list, expected a tensor"),
    bad(torch_file({"epoch": 3}), "holds no array, expected one of images or features"),
    bad(torch_file(torch.zeros(2, 2)), "holds nothing with a name", array="x"),
    bad(torch_file(torch.nn.Linear(2, 2)), "x.pt holds Python objects or is damaged"),
    bad(torch_file(torch.eye(3).to_sparse()), "holds a sparse, quantised or meta tensor"),
    bad(content(".pt", b"nonsense" * 9), "x.pt holds Python objects or is damaged, and gqlib"),
    bad(content(".safetensors", b"\1\0\0"), "x.safetensors is damaged or cut short ("),
    bad(content(".safetensors", b"\xff" * 30), "x.safetensors is damaged or cut short ("),
    bad(safe(b"{nonsense"), "x.safetensors is damaged or cut short ("),
    bad(safe(b"[1]"), "x.safetensors is damaged or cut short ("),
    bad(safe({"__metadata__": {}}), "x.safetensors holds no array"),
    bad(
        safe(b'{"x":%b,"x":%b}' % (ENTRY % (0, 4), ENTRY % (4, 8)), bytes(8)),
        "x.safetensors is damaged or cut short (",
    ),
    bad(
        safe({"x": {"dtype": "U8", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, bytes(4)),
        "x.safetensors is damaged or cut short (",
    ),
    bad(
        content(".safetensors", struct.pack("<Q", 5_000_000) + b"[" * 5_000_000),
        "x.safetensors is damaged or cut short (",
    ),
    bad(
        safe({"x": {"dtype": "F32", "shape": [2, 2]}}),
        "x.safetensors is damaged or cut short (",
    ),
    bad(
        safe({"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 15]}}, bytes(16)),
        "x.safetensors is damaged or cut short (",
    ),
    bad(
        safe({"x": {"dtype": "F32", "shape": [-2, -2], "data_offsets": [0, 16]}}, bytes(16)),
        "x.safetensors is damaged or cut short (",
    ),
    bad(
        safe({"x": {"dtype": "F8_E5M2", "shape": [2, 2], "data_offsets": [0, 4]}}, bytes(4)),
        "holds x in the dtype F8_E5M2, expected one of BOOL",
    ),
    # Statistics
    bad(npz(mu=np.zeros(3), sigma=np.eye(2)), "x.npz holds no usable statistics"),
    bad(broken_statistics, "x.npz holds no usable statistics: "),
    bad(npz(mu=np.full(3, np.nan), sigma=np.eye(3)), "holds no usable statistics: mean holds 3"),
    bad(
        npz(mu=np.zeros(3), sigma=np.eye(3), version=99),
        "has version 99, and this gqlib reads up to 1",
    ),
    # Labels
    bad(lambda p: p, "x does not exist", FileNotFoundError, call=read_labels),
    bad(folder(lambda p: None), "is a folder, expected a file of labels", call=read_labels),
    bad(content(".json", b"[]"), "expected labels one a line", call=read_labels),
    bad(content(".txt", b"\n\n"), "holds no labels", call=read_labels),
    bad(content(".csv", b""), "x.csv holds no labels", call=read_labels),
    bad(content(".txt", b"a\n\nb\n"), "label 2 of 3 in", call=read_labels),
    bad(content(".txt", b"\xff\xfea\0"), "is not UTF-8 text", call=read_labels),
    bad(content(".txt", b"a"), "holds text and array='x'", call=read_labels, array="x"),
    bad(content(".csv", b"a,b\n1,2"), "has the columns a, b, expected one", call=read_labels),
    bad(content(".csv", b"a,label\n1"), "row 1 of", call=read_labels),
    bad(array_file(".npy", X[0]), "holds float32 of shape (30,)", call=read_labels),
    bad(array_file(".pt", X), "take the argmax of each row", call=read_labels),
]


def read_all(source):
    """An image file is opened when it is needed: looking at all of them finds what is wrong."""
    assert isinstance(source.warnings, tuple)
    for i in range(len(source)):
        source.read(i)


@pytest.mark.parametrize(("make", "fragment", "error", "call", "array"), CASES)
def test_bad_input(tmp_path, make, fragment, error, call, array):
    if make is pipe and not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    path = make(tmp_path / "x")
    with pytest.raises(error) as caught:
        read_all(call(path, array))
    text = str(caught.value)
    assert type(caught.value) is error
    assert fragment in text
    assert "\n" not in text
    assert len(text) < 600
    if path and "\0" not in str(path):
        assert "x" in text


def test_an_unreadable_file(tmp_path, monkeypatch):
    png(tmp_path / "a.png", COLOUR)
    images = open_source(tmp_path)
    assert images.sizes

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ValueError, match=r"a.png cannot be read \(Permission denied\)"):
        images.read(0)


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ValueError, match=r"cannot be read \(Permission denied\)"):
        open_source(tmp_path)


def test_an_image_that_vanishes(tmp_path):
    png(tmp_path / "a.png", COLOUR)
    images = open_source(tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a.png does not exist \(any more\)"):
        images.read(0)


def test_a_bomb(tmp_path, monkeypatch):
    png(tmp_path / "a.png", np.zeros((300, 300), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"a.png is too large"):
        open_source(tmp_path).read(0)

"""What can be measured: folders of images of all kinds, arrays, statistics, labels."""

import json
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gqlib.evaluation.sources import FeatureArray, ImageArray, ImageFolder, open_source, read_labels
from gqlib.metrics import GaussianStatistics

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 256, (6, 8), dtype=np.uint8)


def first_hwc(images, i=0):
    """Image ``i`` with channels last, as PIL has it."""
    return images.read(i).permute(1, 2, 0).numpy()


def png(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def deep_rgb_png(path, pixels):
    """A PNG of 16 bits a channel in colour, which PIL cannot write."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">2I5B", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def animation(path, **options):
    frames = [Image.fromarray(np.full((6, 8, 3), 80 * i, np.uint8)) for i in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)


def safetensors(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def save_safetensors(path, **arrays):
    names = {"b1": "BOOL", "u1": "U8", "i8": "I64", "f2": "F16", "f4": "F32", "f8": "F64"}
    header, data = {}, b""
    for name, x in arrays.items():
        offsets = [len(data), len(data) + x.nbytes]
        dtype = names[x.dtype.str[1:]]
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": offsets}
        data += x.tobytes()
    safetensors(path, header, data)


# Folders


def test_a_folder_in_the_order_of_its_paths(tmp_path):
    for path in ("b.png", "a/z.JPG", "a/b/c.webp", "a-b.jpeg", ".hidden.png", ".git/x.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        kind = {"png": "PNG", "webp": "WEBP"}.get(path[-4:].strip(".").lower(), "JPEG")
        Image.fromarray(COLOUR).save(tmp_path / path, kind)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "a" / "LICENSE").write_text("x")
    images = open_source(tmp_path)
    assert isinstance(images, ImageFolder)
    assert images.name == str(tmp_path)
    assert images.files == ["a-b.jpeg", "a/b/c.webp", "a/z.JPG", "b.png"]
    assert [images.label(i) for i in range(4)] == [None, "a/b", "a", None]
    assert images.formats == {"JPEG": 2, "WEBP": 1, "PNG": 1}
    assert images.sizes == {(6, 8): 4}
    assert images.ignored == {".txt": 1, "no ending": 1}
    assert any("mixes file formats (JPEG 2, PNG 1, WEBP 1)" in text for text in images.warnings)
    assert any("2 other files" in text and "ignored" in text for text in images.warnings)
    assert images.describe(3) == str(tmp_path / "b.png")
    for i in range(4):
        image = images.read(i)
        assert (image.dtype, image.shape) == (torch.uint8, (3, 6, 8))
    assert np.array_equal(first_hwc(images, 3), COLOUR)


def test_a_plain_folder_warns_of_nothing(tmp_path):
    for i in range(3):
        png(tmp_path / f"{i}.png", COLOUR)
    assert open_source(str(tmp_path)).warnings == ()
    assert len(open_source(tmp_path)) == 3


def test_grey_stays_one_channel_and_becomes_rgb_beside_colour(tmp_path):
    png(tmp_path / "a.png", GREY)
    grey = open_source(tmp_path)
    assert grey.channels == 1
    assert np.array_equal(grey.read(0)[0], GREY)
    png(tmp_path / "b.png", COLOUR)
    mixed = open_source(tmp_path)
    assert mixed.channels == 3
    assert np.array_equal(first_hwc(mixed), np.repeat(GREY[:, :, None], 3, 2))
    assert any("mixes 1 grey and 1 colour images" in text for text in mixed.warnings)
    # The same file gives other bytes, so it has another key.
    assert mixed.key(0) != grey.key(0)


def test_palette_and_one_bit(tmp_path):
    few = (COLOUR // 128) * 255
    Image.fromarray(few).quantize(8).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "P"
    assert np.array_equal(first_hwc(open_source(tmp_path)), few)
    (tmp_path / "a.png").unlink()
    Image.fromarray(GREY > 127).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "1"
    assert np.array_equal(open_source(tmp_path).read(0)[0], (GREY > 127) * 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparency_is_laid_on_white(tmp_path, mode):
    alpha = np.zeros((6, 8), np.uint8)
    alpha[:, 4:] = 255
    options = {}
    if mode == "RGBA":
        image = Image.fromarray(np.dstack([COLOUR, alpha]))
    elif mode == "LA":
        image = Image.fromarray(np.dstack([GREY, alpha]), "LA")
    else:  # one colour that is transparent
        image = Image.fromarray(np.where(alpha, 7, 99).astype(np.uint8)).convert(mode)
        options = {"transparency": {"RGB": (99, 99, 99), "L": 99, "P": 99}[mode]}
    image.save(tmp_path / "a.png", **options)
    images = open_source(tmp_path)
    assert images.channels == (1 if mode in ("LA", "L") else 3)
    got = images.read(0)
    assert (got[:, :, :4] == 255).all()
    kept = {"RGBA": COLOUR.transpose(2, 0, 1), "LA": GREY[None]}.get(mode)
    expected = np.full((1, 6, 8), 7) if kept is None else kept
    assert np.array_equal(got[:, :, 4:], np.broadcast_to(expected, got.shape)[:, :, 4:])
    assert images.warnings == (
        f"1 of 1 images in {tmp_path} can be transparent: they were laid on white",
    )


def test_half_transparency(tmp_path):
    png(tmp_path / "a.png", np.full((2, 2, 4), (0, 100, 200, 128), np.uint8))
    assert open_source(tmp_path).read(0)[:, 0, 0].tolist() == [127, 177, 227]


def test_sixteen_bits_are_rounded_to_eight(tmp_path):
    deep = np.linspace(0, 65535, 48).astype(np.uint16).reshape(6, 8)
    png(tmp_path / "grey" / "a.png", deep)
    images = open_source(tmp_path / "grey")
    assert np.array_equal(images.read(0)[0], np.round(deep / 257))
    assert any("1 of 1 images" in text and "16 bits" in text for text in images.warnings)
    (tmp_path / "rgb").mkdir()
    deep_rgb_png(tmp_path / "rgb" / "a.png", np.repeat(deep[:, :, None], 3, 2))
    images = open_source(tmp_path / "rgb")
    # PIL cuts where it should round: one level of difference.
    assert np.abs(first_hwc(images)[:, :, 0] - np.round(deep / 257)).max() <= 1
    assert any("16 bits" in text for text in images.warnings)


def test_cmyk_becomes_rgb(tmp_path):
    Image.fromarray(np.full((8, 8, 3), (200, 30, 60), np.uint8)).convert("CMYK").save(
        tmp_path / "a.jpg", quality=95
    )
    images = open_source(tmp_path)
    assert np.abs(first_hwc(images).astype(int) - (200, 30, 60)).max() <= 6
    assert any("are CMYK" in text for text in images.warnings)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "webp"])
def test_exif_orientation_is_applied(tmp_path, orientation, kind):
    turned = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR, -1),
        7: np.rot90(COLOUR, 2).transpose(1, 0, 2),
        8: np.rot90(COLOUR, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOUR).save(tmp_path / f"a.{kind}", exif=exif, lossless=True)
    images = open_source(tmp_path)
    assert np.array_equal(first_hwc(images), turned)
    assert images.sizes == {turned.shape[:2]: 1}


def test_damaged_exif_does_not_matter(tmp_path):
    png(tmp_path / "a.png", COLOUR, exif=b"Exif\0\0nonsense")
    assert np.array_equal(first_hwc(open_source(tmp_path)), COLOUR)


def test_the_orientation_counts_where_the_rest_of_exif_is_damaged(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = (72, 1)  # a resolution
    damaged = exif.tobytes().replace(b"\x01\x1a", b"\x01\x03")  # a compression, a whole number
    png(tmp_path / "a.png", COLOUR, exif=damaged)
    assert np.array_equal(first_hwc(open_source(tmp_path)), np.rot90(COLOUR, -1))


def test_a_photograph_with_a_preview_is_one_image(tmp_path):
    """Phones write MPO files: JPEGs with a second picture behind the first."""
    photo, preview = Image.fromarray(COLOUR), Image.fromarray(COLOUR[:3, :3])
    photo.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[preview])
    images = open_source(tmp_path)
    assert images.formats == {"JPEG": 1}
    assert images.read(0).shape == (3, 6, 8)


def test_the_content_counts_and_not_the_ending(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png", "JPEG")
    assert open_source(tmp_path).formats == {"JPEG": 1}


def test_mixed_sizes_are_told(tmp_path):
    png(tmp_path / "a.png", COLOUR)
    png(tmp_path / "b.png", COLOUR[:3])
    images = open_source(tmp_path)
    assert images.sizes == Counter({(6, 8): 1, (3, 8): 1})
    assert any("2 sizes, from 8×3 to 8×6 pixels" in text for text in images.warnings)


def test_symbolic_links_are_followed_and_circles_are_not(tmp_path):
    root = tmp_path / "root"
    png(root / "a" / "x.png", COLOUR)
    png(tmp_path / "elsewhere" / "y.png", COLOUR)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "up").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    images = open_source(root)
    assert images.files == ["a/x.png", "linked/y.png"]
    circles = [text for text in images.warnings if "in a circle" in text]
    assert len(circles) == 1
    assert circles[0].startswith("3 links in")


@pytest.mark.skipif(os.name == "nt", reason="a file name is text there")
def test_a_file_name_that_is_no_text(tmp_path):
    folder = os.fsencode(tmp_path)
    try:
        png(Path(os.fsdecode(folder + b"/\xff.png")), COLOUR)
    except OSError:
        pytest.skip("this file system takes no such name")
    images = open_source(tmp_path)
    assert images.read(0).shape == (3, 6, 8)
    images.describe(0).encode()


def test_keys_follow_the_content(tmp_path):
    png(tmp_path / "a" / "1.png", COLOUR)
    png(tmp_path / "a" / "2.png", COLOUR[::-1])
    png(tmp_path / "b" / "other.png", COLOUR)
    a, b = open_source(tmp_path / "a"), open_source(tmp_path / "b")
    assert a.key(0) == b.key(0)
    assert a.key(0) != a.key(1)
    assert len(a.key(0)) == 32
    image, key = a.read_with_key(1)
    assert torch.equal(image, a.read(1))
    assert key == a.key(1)


def test_headers_alone_tell_sizes_and_formats(tmp_path, monkeypatch):
    for kind in ("png", "jpg", "webp"):
        Image.fromarray(COLOUR).save(tmp_path / f"a.{kind}")
    images = open_source(tmp_path)
    monkeypatch.setattr("gqlib.evaluation.sources._folder.decode", None)
    for plugin in ("PngImagePlugin.PngImageFile", "JpegImagePlugin.JpegImageFile"):
        monkeypatch.setattr(f"PIL.{plugin}.load", None)
    assert images.sizes == {(6, 8): 3}
    assert images.formats == {"PNG": 1, "JPEG": 1, "WEBP": 1}


def test_threads_may_share_a_folder(tmp_path):
    for i in range(20):
        png(tmp_path / f"{i:02}.png", np.full((4, 4), i, np.uint8))
    images = open_source(tmp_path)
    got = [None] * 20

    def work(i):
        got[i] = int(images.read(i)[0, 0, 0])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == list(range(20))


def test_the_home_folder_can_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    png(tmp_path / "set" / "a.png", GREY)
    images = open_source("~/set")
    assert images.name == "~/set"
    assert len(images) == 1


# Arrays

IMAGES = RANDOM.integers(0, 256, (5, 3, 6, 8), dtype=np.uint8)
SAVERS = {
    ".npy": lambda path, x: np.save(path, x),
    ".npz": lambda path, x: np.savez(path, x),
    ".pt": lambda path, x: torch.save(torch.from_numpy(x), path),
    ".pth": lambda path, x: torch.save({"samples": torch.from_numpy(x), "epoch": 3}, path),
    ".safetensors": lambda path, x: save_safetensors(path, x=x),
}


@pytest.fixture(params=SAVERS)
def saved(request, tmp_path):
    """A function that saves an array in one of the formats and opens it."""

    def save(x, name="x"):
        path = tmp_path / (name + request.param)
        SAVERS[request.param](path, np.ascontiguousarray(x))
        return open_source(path)

    return save


def test_images_of_every_layout(saved):
    for array in (IMAGES, IMAGES.transpose(0, 2, 3, 1)):
        images = saved(array)
        assert isinstance(images, ImageArray)
        assert len(images) == 5
        assert (images.formats, images.sizes) == ({}, {(6, 8): 5})
        assert images.warnings == ()
        for i in range(5):
            assert np.array_equal(images.read(i), IMAGES[i])
            assert images.read(i).is_contiguous()
    grey = saved(IMAGES[:, 0])
    assert np.array_equal(grey.read(2), IMAGES[2, :1])
    assert grey.label(0) is None
    assert grey.describe(2).startswith("image 2 of ")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_eight_bits_come_back_exactly(saved, dtype):
    images = saved((IMAGES / 255).astype(dtype))
    assert all(np.array_equal(images.read(i), IMAGES[i]) for i in range(5))
    assert images.warnings == ()


def test_floats_between_levels_are_rounded_and_told(saved):
    images = saved(np.full((2, 4, 4), 0.501, np.float32))
    assert (images.read(0) == 128).all()
    assert "rounded to 8 bits" in images.warnings[0]


def test_black_and_white(saved):
    images = saved(GREY[None] > 127)
    assert np.array_equal(images.read(0)[0], (GREY > 127) * 255)


def test_one_content_has_one_key_in_every_form(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    torch.save(torch.from_numpy(IMAGES / 255), tmp_path / "b.pt")
    np.savez(tmp_path / "c.npz", IMAGES.transpose(0, 2, 3, 1))
    sources = [open_source(tmp_path / name) for name in ("a.npy", "b.pt", "c.npz")]
    for i in range(5):
        assert len({source.key(i) for source in sources}) == 1
        assert sources[0].read_with_key(i)[1] == sources[0].key(i)
    assert len({sources[0].key(i) for i in range(5)}) == 5
    # The same bytes in another shape are another image.
    square = ImageArray(np.zeros((1, 2, 8), np.uint8))
    assert square.key(0) != ImageArray(np.zeros((1, 4, 4), np.uint8)).key(0)


def test_features(saved):
    x = RANDOM.normal(size=(7, 4)).astype(np.float32)
    features = saved(x)
    assert isinstance(features, FeatureArray)
    assert len(features) == 7
    assert np.array_equal(features.values, x)
    assert features.warnings == ()


def test_an_npy_file_stays_on_disk(tmp_path):
    """Opening a file of a gigabyte takes no gigabyte (on ext4 and the like, not even on disk)."""
    path = tmp_path / "big.npy"
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (4000, 3, 300, 300))
    del array
    code = (
        "import resource, sys; from gqlib.evaluation.sources import open_source\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "images = open_source(sys.argv[1]); images.read(3999)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    pytest.importorskip("resource")
    shown = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)
    assert int(shown.stdout) < 100_000  # KiB


def test_the_file_is_not_changed_through_the_tensor(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 4), np.float32))
    open_source(tmp_path / "x.npy").values[0, 0] = 1
    assert np.load(tmp_path / "x.npy").sum() == 0


def test_bytes_of_the_other_order_and_reversed_axes(tmp_path):
    x = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "x.npy", x.astype(">f8"))
    assert np.array_equal(open_source(tmp_path / "x.npy").values, x)
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    assert np.array_equal(open_source(tmp_path / "x.npy").values, x)
    assert np.array_equal(ImageArray(IMAGES[::-1]).read(0), IMAGES[4])


def test_bfloat16(tmp_path):
    torch.save(torch.tensor([[0.5, 0.25]], dtype=torch.bfloat16), tmp_path / "x.pt")
    assert open_source(tmp_path / "x.pt").values.tolist() == [[0.5, 0.25]]
    safetensors(
        tmp_path / "x.safetensors",
        {"x": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]}, "__metadata__": {}},
        struct.pack("<2H", 0x3F00, 0x3E80),
    )
    assert open_source(tmp_path / "x.safetensors").values.tolist() == [[0.5, 0.25]]


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".safetensors"])
def test_one_of_several_arrays(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"

    def save(**arrays):
        if suffix == ".npz":
            np.savez(path, **arrays)
        elif suffix == ".pt":
            torch.save({k: torch.from_numpy(v) for k, v in arrays.items()}, path)
        else:
            save_safetensors(path, **arrays)

    labels = np.arange(5)
    for name in ("images", "arr_0"):
        save(**{name: IMAGES, "labels": labels})
        assert len(open_source(path)) == 5
        assert read_labels(path) == ["0", "1", "2", "3", "4"]
    save(real=IMAGES[:2], fake=IMAGES[2:])
    assert len(open_source(path, "fake")) == 3
    with pytest.raises(ValueError, match=r"several arrays \((real, fake|fake, real)\)"):
        open_source(path)
    with pytest.raises(ValueError, match="no array 'images', but"):
        open_source(path, "images")


def test_what_the_safetensors_package_writes(tmp_path):
    package = pytest.importorskip("safetensors.torch")
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
        package.save_file({"features": x, "labels": torch.arange(5)}, tmp_path / "x.safetensors")
        values = open_source(tmp_path / "x.safetensors").values
        assert values.dtype == dtype
        assert torch.equal(values, x)
        assert read_labels(tmp_path / "x.safetensors") == list("01234")


def test_a_safetensors_tensor_at_an_odd_address(tmp_path):
    values = np.arange(6, dtype=np.float32)
    header = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "features": {"dtype": "F32", "shape": [3, 2], "data_offsets": [1, 25]},
    }
    safetensors(tmp_path / "x.safetensors", header, b"\1" + values.tobytes())
    got = open_source(tmp_path / "x.safetensors").values
    assert np.array_equal(got.flatten(), values)


# Statistics


def test_statistics(tmp_path):
    x = RANDOM.normal(size=(50, 3))
    kept = GaussianStatistics.from_features(x, extractor="digits", resize="none")
    kept.save(tmp_path / "kept.npz")
    got = open_source(tmp_path / "kept.npz")
    assert isinstance(got, GaussianStatistics)
    assert (got.n, got.extractor, got.resize) == (50, "digits", "none")
    assert torch.allclose(got.cov, kept.cov)


def test_statistics_that_pytorch_fid_published(tmp_path):
    np.savez(tmp_path / "x.npz", mu=np.zeros(3), sigma=np.eye(3))
    got = open_source(tmp_path / "x.npz")
    assert isinstance(got, GaussianStatistics)
    assert got.n is None


def test_samples_beside_statistics_are_had_by_name(tmp_path):
    np.savez(tmp_path / "x.npz", mu=np.zeros(3), sigma=np.eye(3), arr_0=IMAGES)
    assert isinstance(open_source(tmp_path / "x.npz"), GaussianStatistics)
    assert isinstance(open_source(tmp_path / "x.npz", "arr_0"), ImageArray)


# Labels


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", "cat\ndog\ncat\n"),
        ("x.txt", "\ufeffcat\r\n dog \r\ncat\r\n\r\n\n"),
        ("x.csv", "file,Label\n1.png,cat\n2.png,dog\n3.png,cat\n"),
        ("x.csv", 'label\n"cat"\ndog\ncat'),
        ("x.csv", "cat\ndog\ncat\n\n"),
    ],
)
def test_labels_in_text(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    assert read_labels(tmp_path / name) == ["cat", "dog", "cat"]


def test_labels_in_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.array([3, 1], np.uint16))
    np.savez(tmp_path / "b.npz", np.array([3, 1]))
    torch.save(torch.tensor([3, 1]), tmp_path / "c.pt")
    for name in ("a.npy", "b.npz", "c.pt"):
        assert read_labels(tmp_path / name) == ["3", "1"]
    np.save(tmp_path / "a.npy", np.array(["cat", "dog"]))
    assert read_labels(tmp_path / "a.npy") == ["cat", "dog"]
    np.save(tmp_path / "a.npy", np.array([True, False]))
    assert read_labels(tmp_path / "a.npy") == ["1", "0"]


# The module


def test_the_import_is_light():
    code = (
        "import sys, torch; before = set(sys.modules)\n"
        "import gqlib.evaluation.sources, gqlib.features.extraction\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(shown.stdout.split())
    assert "gqlib" in loaded
    assert not loaded & {"PIL", "torchvision", "tqdm", "matplotlib", "safetensors", "scipy"}

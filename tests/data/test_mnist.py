"""MNIST as shipped: whole, verified, quick, and safe from its callers."""

import gzip
import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from gqlib import data
from gqlib.data import mnist_files as shipped


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package's folder that a test may damage."""
    folder = tmp_path / "mnist"
    shutil.copytree(shipped.FOLDER, folder)
    monkeypatch.setattr(shipped, "FOLDER", folder)
    return folder


@pytest.mark.parametrize(
    ("split", "n", "first", "counts"),
    [
        (
            "train",
            60_000,
            [5, 0, 4, 1, 9],
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        ),
        ("test", 10_000, [7, 2, 1, 0, 4], [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ],
)
def test_whole_and_in_order(split, n, first, counts):
    digits = data.load("mnist", split)
    assert (digits.name, digits.split, len(digits)) == ("mnist", split, n)
    assert digits.images.shape == (n, 28, 28)
    assert digits.images.dtype == torch.uint8
    assert digits.labels.dtype == torch.int64
    assert digits.labels[:5].tolist() == first
    assert torch.bincount(digits.labels).tolist() == counts


def test_the_tensors_hold_the_published_bytes():
    digits = data.load()
    header = bytes([0, 0, 8, 3, 0, 0, 234, 96, 0, 0, 0, 28, 0, 0, 0, 28])
    found = hashlib.sha256(header + digits.images.numpy().tobytes()).hexdigest()
    assert found == "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"


def test_a_caller_cannot_change_a_later_load():
    first = data.load("mnist", "test")
    first.images.zero_()
    first.labels.zero_()
    second = data.load("mnist", "test")
    assert second.images.any()
    assert second.labels[0] == 7


def test_both_splits_load_in_half_a_second():
    """In a fresh process, digests and all; processor time, since other work may be going on."""
    script = (
        "import time; from gqlib import data; start = time.process_time()\n"
        "data.load('mnist', 'train'); data.load('mnist', 'test')\n"
        "print(time.process_time() - start)"
    )
    seconds = [
        float(
            subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
        )
        for _ in range(3)
    ]
    assert min(seconds) < 0.5


def test_the_package_stays_small_and_names_the_licence():
    assert sum(path.stat().st_size for path in shipped.FOLDER.iterdir()) < 12e6
    text = (shipped.FOLDER / "LICENSE").read_text(encoding="utf-8")
    for word in ("LeCun", "Cortes", "Burges", "CC BY-SA 3.0", *shipped.SHA256.values()):
        assert word in text


def test_a_missing_file_is_named(copy):
    (copy / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels.* is missing: install gqlib again"):
        data.load("mnist", "test")


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "empty"])
def test_a_damaged_file_is_named(copy, damage):
    path = copy / "t10k-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "other":  # a sound archive with one pixel changed
        plain = bytearray(gzip.decompress(content))
        plain[5000] ^= 1
        content = gzip.compress(plain, compresslevel=1)
    else:
        content = b""
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"t10k-images.* is damaged .*install gqlib again"):
        data.load("mnist", "test")


def test_a_wrong_digest_is_noticed(copy, monkeypatch):
    monkeypatch.setitem(shipped.SHA256, "t10k-labels-idx1-ubyte", "0" * 64)
    with pytest.raises(ValueError, match=r"t10k-labels.* is damaged .*expected 0000"):
        data.load("mnist", "test")


def test_the_fixed_division():
    used, held_out = data.mnist_split()
    assert used.shape == (50_000,)
    assert held_out.shape == (10_000,)
    assert torch.equal(torch.cat([used, held_out]).sort().values, torch.arange(60_000))
    assert torch.equal(held_out, held_out.sort().values)
    # The shipped weights depend on it: it may never change.
    digest = hashlib.sha256(held_out.numpy().astype("<i8").tobytes()).hexdigest()
    assert digest == "e7b457238134ab24585e08d1da4117e4dd2f2479f3c80bbd59618065fbd15381"


def test_the_held_out_digits_are_representative():
    labels = data.load().labels
    _, held_out = data.mnist_split()
    share = torch.bincount(labels) / len(labels)
    # Four standard errors of a share in a sample of 10,000.
    bound = 4 * (share * (1 - share) / 10_000).sqrt()
    assert ((torch.bincount(labels[held_out]) / 10_000 - share).abs() < bound).all()
    # Spread evenly over the file, which does not mix its writers.
    sixths = np.histogram(held_out.numpy(), bins=6, range=(0, 60_000))[0] / 10_000
    assert abs(sixths - 1 / 6).max() < 0.015

"""torchvision's data sets, on small files made here in its formats; nothing is downloaded."""

import hashlib
import pickle
import struct
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from gqlib import data


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test may reach the network; each try is counted."""
    tries = []

    def refuse(request, *args, **kwargs):
        tries.append(request)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tries


def _fashion(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    made = {}
    for split, prefix, n in (("train", "train", 6), ("test", "t10k", 4)):
        images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = random.integers(0, 10, n, dtype=np.uint8)
        header = struct.pack(">4i", 0x803, n, 28, 28)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">2i", 0x801, n)
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
        made[split] = (images, labels)
    return made


def _cifar(folder: Path, monkeypatch) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    folder = folder / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def write(name, entry):
        content = pickle.dumps(entry)
        (folder / name).write_bytes(content)
        return hashlib.md5(content).hexdigest()

    def batch(name, n):
        images = random.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)
        labels = random.integers(0, 10, n)
        digest = write(name, {"data": images.reshape(n, -1), "labels": labels.tolist()})
        return images, labels, [name, digest]

    train = [batch(f"data_batch_{i}", 2) for i in range(1, 6)]
    test = [batch("test_batch", 3)]
    meta = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [entry for *_, entry in train])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [entry for *_, entry in test])
    monkeypatch.setitem(datasets.CIFAR10.meta, "md5", meta)
    return {
        split: (np.concatenate([b[0] for b in some]), np.concatenate([b[1] for b in some]))
        for split, some in (("train", train), ("test", test))
    }


@pytest.mark.parametrize("split", ["train", "test"])
def test_fashion_mnist(tmp_path, split, offline):
    images, labels = _fashion(tmp_path)[split]
    loaded = data.load("fashion_mnist", split, root=tmp_path)
    assert torch.equal(loaded.images, torch.from_numpy(images))
    assert torch.equal(loaded.labels, torch.from_numpy(labels).long())
    assert (loaded.name, loaded.split) == ("fashion_mnist", split)
    assert not offline


@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar10_has_its_colours_first(tmp_path, split, monkeypatch, offline):
    images, labels = _cifar(tmp_path, monkeypatch)[split]
    loaded = data.load("cifar10", split, root=str(tmp_path))
    assert loaded.images.is_contiguous()
    assert torch.equal(loaded.images, torch.from_numpy(images))
    assert torch.equal(loaded.labels, torch.from_numpy(labels))
    assert loaded.float_images().shape == (len(images), 3, 32, 32)
    assert not offline


def test_the_default_root_is_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images, _ = _fashion(tmp_path / "cache" / "gqlib")["test"]
    assert torch.equal(data.load("fashion_mnist", "test").images, torch.from_numpy(images))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    with pytest.raises(FileNotFoundError, match=r"home/\.cache/gqlib"):
        data.load("fashion_mnist", "test", download=False)


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_missing_files_and_no_download(tmp_path, name, offline):
    with pytest.raises(FileNotFoundError, match=f"{name} is not in .* download=True"):
        data.load(name, root=tmp_path, download=False)
    assert not offline
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_offline_is_one_clear_sentence(tmp_path, name, offline):
    with pytest.raises(ConnectionError, match=r"could not be downloaded .*no route") as caught:
        data.load(name, root=tmp_path / "new")
    assert "connect to the internet" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert offline
    assert not list((tmp_path / "new").iterdir())  # nothing half-fetched is left


def test_a_download_is_moved_into_place(tmp_path, monkeypatch):
    def download(self):
        root = Path(self.root)
        made.update(_fashion(root))
        (root / "FashionMNIST" / "raw" / "train-images-idx3-ubyte.gz").write_bytes(b"packed")

    made = {}
    monkeypatch.setattr(datasets.FashionMNIST, "download", download)
    loaded = data.load("fashion_mnist", "test", root=tmp_path)
    assert torch.equal(loaded.images, torch.from_numpy(made["test"][0]))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        f"FashionMNIST/raw/{prefix}-{kind}-ubyte"
        for prefix in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    }


@pytest.mark.parametrize("keep", [0, 3, 10, 100, 800])
def test_a_damaged_fashion_mnist(tmp_path, keep):
    _fashion(tmp_path)
    path = tmp_path / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"fashion_mnist in .* is damaged .*delete that folder"):
        data.load("fashion_mnist", "test", root=tmp_path)


def test_a_damaged_cifar10_is_fetched_anew(tmp_path, monkeypatch, offline):
    _cifar(tmp_path, monkeypatch)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ConnectionError, match="cifar10 could not be downloaded"):
        data.load("cifar10", root=tmp_path)
    assert offline

"""FID's features compared with published implementations, with the same random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gqlib.features import Extractor, Inception, inception


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(inception._random_weights(0), path)
    return path


def images(*size: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8, generator=generator)


def batch_of(extractor: Extractor, x: Tensor) -> Tensor:
    return torch.stack([extractor.prepare(image) for image in x])


@pytest.mark.parametrize("size", [(64, 64), (299, 299), (340, 420)])
def test_pytorch_fid(file: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    peer = pytest.importorskip("pytorch_fid.inception")
    monkeypatch.setattr(peer, "load_state_dict_from_url", lambda *_, **__: torch.load(file))
    net = peer.InceptionV3([peer.InceptionV3.DEFAULT_BLOCK_INDEX]).eval()
    x, ours = images(*size), Inception(file)
    with torch.no_grad():
        want = net(x / 255)[0].flatten(1)
    torch.testing.assert_close(ours(batch_of(ours, x)), want, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(64, 64), (340, 420)])
def test_torch_fidelity(file: Path, size: tuple[int, int]) -> None:
    """Its resizing is TensorFlow 1's, and its scores take logits without their bias."""
    peer = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    net = peer.FeatureExtractorInceptionV3(
        "peer", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(file)
    )
    x, ours = images(*size), Inception(file, resize="tf-bilinear")
    with torch.no_grad():
        features, logits = net(x)
    got, probabilities = ours.features_and_probabilities(batch_of(ours, x))
    torch.testing.assert_close(got, features, rtol=0, atol=1e-4)
    torch.testing.assert_close(probabilities, logits.softmax(1), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 64), (340, 420)])
def test_clean_fid_s_resizing(size: tuple[int, int]) -> None:
    peer = pytest.importorskip("cleanfid.resize")
    resize = peer.build_resizer("clean")
    for image in images(*size):
        want = resize(image.permute(1, 2, 0).numpy()).transpose(2, 0, 1)
        got = inception.resized(image / 255, "bicubic-antialias")
        np.testing.assert_allclose(128 * got.numpy() + 128, want, rtol=0, atol=1e-4)

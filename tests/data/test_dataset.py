"""The data set record, the binarisation, and how `load` answers a wrong call."""

import dataclasses
import subprocess
import sys

import pytest
import torch

from gqlib import data


def _dataset(*shape):
    images = torch.arange(torch.Size(shape).numel()).remainder(256).to(torch.uint8).view(shape)
    return data.Dataset(images, torch.zeros(shape[0], dtype=torch.int64), "made", "train")


def test_float_images_of_grey_and_of_colour():
    grey, colour = _dataset(3, 4, 5), _dataset(3, 2, 4, 5)
    assert grey.float_images().shape == (3, 1, 4, 5)
    assert colour.float_images().shape == (3, 2, 4, 5)
    assert grey.float_images().dtype == torch.float32
    assert torch.equal(grey.float_images()[:, 0] * 255, grey.images.float())
    assert (
        data.Dataset(
            torch.full((1, 2, 2), 255, dtype=torch.uint8), torch.zeros(1).long(), "white", "test"
        )
        .float_images()
        .eq(1)
        .all()
    )


def test_float_images_is_a_copy():
    grey = _dataset(3, 4, 5)
    before = grey.images.clone()
    grey.float_images().zero_()
    assert torch.equal(grey.images, before)


def test_the_record_is_frozen_and_says_what_it_is():
    grey = _dataset(3, 4, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        grey.name = "another"
    assert repr(grey) == "Dataset(made, train: 3 images of 4×5)"
    assert len(grey) == 3


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(3, 4, 5), torch.zeros(3).long(), "images are torch.float32"),
        (torch.zeros(3, 4).byte(), torch.zeros(3).long(), r"of shape \(3, 4\)"),
        (torch.zeros(3, 4, 5).byte(), torch.zeros(2).long(), r"of shape \[3\], one for each"),
        (torch.zeros(3, 4, 5).byte(), torch.zeros(3), "labels are torch.float32"),
    ],
)
def test_a_record_that_does_not_fit_together(images, labels, message):
    with pytest.raises(ValueError, match=message):
        data.Dataset(images, labels, "made", "train")


def test_binarised_at_more_than_127():
    images = torch.tensor([[0, 1, 127], [128, 129, 255]], dtype=torch.uint8)
    want = torch.tensor([[0.0, 0, 0], [1, 1, 1]])
    assert torch.equal(data.binarised(images), want)
    assert torch.equal(data.binarised(images.double() / 255), want)
    assert data.binarised(images.double() / 255).dtype == torch.float32


@pytest.mark.parametrize(
    "images",
    [
        torch.tensor([0.0, 255.0]),
        torch.tensor([-0.5, 1.0]),
        torch.tensor([0.0, float("nan")]),
        torch.tensor([0, 1]),
    ],
)
def test_binarised_refuses_other_ranges_and_types(images):
    with pytest.raises(ValueError, match=r"expected .*\[0, 1\]"):
        data.binarised(images)


def test_unknown_names_and_splits():
    with pytest.raises(ValueError, match="no data set 'minst', expected one of mnist, fashion"):
        data.load("minst")
    with pytest.raises(ValueError, match="mnist has no split 'valid', expected one of train, test"):
        data.load("mnist", "valid")
    with pytest.raises(ValueError, match="cifar10 has no split ''"):
        data.load("cifar10", "")


def test_importing_data_and_features_stays_light():
    script = (
        "import sys, gqlib.data, gqlib.features.digits\n"
        "print([m for m in ('torchvision', 'matplotlib', 'tqdm', 'scipy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    torch_alone = (
        "import sys, torch\n"
        "print([m for m in ('torchvision', 'matplotlib', 'tqdm', 'scipy') if m in sys.modules])"
    )
    bare = subprocess.run([sys.executable, "-c", torch_alone], capture_output=True, check=True)
    assert shown == bare.stdout

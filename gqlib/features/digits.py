"""A small classifier of MNIST digits: 64 features of a digit, for distances between sets of digits.

What InceptionV3 is to photographs (Heusel et al. 2017, "GANs trained by a two time-scale update
rule converge to a local Nash equilibrium", section 3), this network is to 28×28 digits. It was
trained on the 50,000 digits of :func:`gqlib.data.mnist_split`; the other 10,000 training digits
and the test set are new to it: 99.52 % and 99.49 % of them come out right. Train it again from
nothing with

    python -m gqlib.features.digits --output digits.npz
"""

from __future__ import annotations

import argparse
import io
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gqlib._utils import atomic
from gqlib.features.images import check_range, unit_floats

#: The number of features of a digit.
FEATURES = 64
WEIGHTS = Path(__file__).resolve().parent / "digits.npz"


class DigitNet(nn.Module):
    """Four convolutions, a layer of 64 features, ten logits; 84,442 parameters.

    Images are uint8 (0 … 255), bool, or floats in [0, 1], of shape [N, 28, 28] or [N, 1, 28, 28],
    white on black as MNIST's are. Logits and features are float32 and differentiable with respect
    to float images. For other images a ``ValueError`` says what is wrong.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False),  # 14×14
            nn.BatchNorm2d(16),
            nn.SiLU(),
            nn.Conv2d(16, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.SiLU(),
            nn.MaxPool2d(2),  # 7×7
            nn.Conv2d(32, 48, 3, padding=1, bias=False),
            nn.BatchNorm2d(48),
            nn.SiLU(),
            nn.Conv2d(48, 64, 3, stride=2, bias=False),  # 3×3
            nn.BatchNorm2d(64),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(64 * 9, FEATURES, bias=False),
            # Gives every feature the same scale before the activation: none dies, none dominates.
            nn.BatchNorm1d(FEATURES),
            nn.SiLU(),
        )
        self.head = nn.Linear(FEATURES, 10)

    def features(self, images: Tensor) -> Tensor:
        """The activations below the logits, [N, 64], each at least −0.28 (SiLU's minimum)."""
        features: Tensor = self.body(_prepared(images))
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the ten digits, [N, 10]."""
        logits: Tensor = self.head(self.features(images))
        return logits


def load_digit_net(device: torch.device | str = "cpu") -> DigitNet:
    """The shipped network, in eval mode, its parameters without gradients.

    Raises:
        FileNotFoundError: The package's weight file is missing.
        ValueError: The package's weight file is damaged.
    """
    net = _fresh_net()
    repair = "install gqlib again, as its README says"
    try:
        with np.load(WEIGHTS, allow_pickle=False) as file:
            state = {name: torch.from_numpy(file[name]) for name in file.files}
        net.load_state_dict(state)
    except FileNotFoundError:
        raise FileNotFoundError(f"{WEIGHTS}, a part of gqlib, is missing: {repair}") from None
    except (OSError, EOFError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{WEIGHTS}, a part of gqlib, is damaged ({reason}): {repair}") from error
    return net.to(device).requires_grad_(False).eval()


def digit_features(
    images: Tensor | npt.NDArray[np.generic],
    batch_size: int = 1000,
    device: torch.device | str | None = None,
) -> Tensor:
    """The shipped network's 64 features of each digit.

    Args:
        images: As :class:`DigitNet` takes them, in a tensor or an array; N may be 0.
        batch_size: How many images go through the network at once.
        device: Where the network runs; by default where the images are.

    Returns:
        float32 [N, 64], without a graph, on the images' device.

    Raises:
        ValueError: Images of a wrong shape, type or range, or ``batch_size`` below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected at least 1")
    images = torch.as_tensor(images)
    _check_shape(images)
    check_range(images)
    net = load_digit_net(images.device if device is None else device)
    place = next(net.parameters()).device
    features = torch.empty(len(images), FEATURES, device=images.device)
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            stop = start + batch_size
            features[start:stop] = net.features(images[start:stop].to(place))
    return features


def accuracy(net: DigitNet, images: Tensor, labels: Tensor, batch_size: int = 1000) -> float:
    """The share of images whose largest logit is their label's; keeps the mode of ``net``."""
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            stop = start + batch_size
            right += int((net(images[start:stop]).argmax(1) == labels[start:stop]).sum())
    return right / len(images)


def train(
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int = 8,
    batch_size: int = 125,
    seed: int = 0,
    progress: bool = True,
) -> DigitNet:
    """Train a new network; the same inputs give the same bits on the same machine.

    Cross-entropy, AdamW, one cycle of learning rates; digits are shifted, turned and scaled a
    little.

    Args:
        images: uint8 [N, 28, 28].
        labels: int64 [N], 0 … 9.
        epochs: Passes over the images.
        batch_size: Images a step; a smaller last batch is left out.
        seed: Seeds the initial weights, the order and the distortions.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The network in eval mode, its parameters without gradients.

    Raises:
        ValueError: Other images, or fewer than one batch of them.
    """
    from tqdm import tqdm

    _check_shape(images)
    if images.dtype != torch.uint8 or images.ndim != 3:
        raise ValueError(
            f"training images are {images.dtype} of shape {list(images.shape)}, "
            "expected uint8 of shape [N, 28, 28]"
        )
    if len(images) < batch_size:
        raise ValueError(f"{len(images)} images are fewer than one batch of {batch_size}")
    generator = torch.Generator().manual_seed(seed)
    net = _fresh_net(seed).train()
    steps = epochs * (len(images) // batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)
    with tqdm(total=steps, desc="digit net", unit="step", disable=not progress) as bar:
        for _ in range(epochs):
            order = torch.randperm(len(images), generator=generator)
            for start in range(0, len(images) - batch_size + 1, batch_size):
                batch = order[start : start + batch_size]
                x = _distorted(images[batch].unsqueeze(1) / 255, generator)
                loss = F.cross_entropy(net(x), labels[batch])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                bar.update()
    return net.requires_grad_(False).eval()


def save_weights(net: DigitNet, path: str | os.PathLike[str]) -> None:
    """Write the weights as an uncompressed ``.npz``; equal weights give equal bytes.

    ``np.load(path, allow_pickle=False)`` reads it. The file appears whole or not at all.
    """
    with atomic.replacing(Path(path)) as part, zipfile.ZipFile(part, "w") as file:
        for name, value in net.state_dict().items():
            content = io.BytesIO()
            np.save(content, value.cpu().numpy(), allow_pickle=False)
            # ZipInfo's default date is 1980-01-01: the file does not depend on the clock.
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())


def _fresh_net(seed: int = 0) -> DigitNet:
    """A network with initial values; the global random state is restored."""
    # Layers draw their initial values from the global generator only.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs as well
        return DigitNet()


def _check_shape(images: Tensor) -> None:
    if tuple(images.shape[1:]) not in ((28, 28), (1, 28, 28)):
        raise ValueError(
            f"images have shape {list(images.shape)}, expected [N, 28, 28] or [N, 1, 28, 28]"
        )


def _prepared(images: Tensor) -> Tensor:
    """float32 [N, 1, 28, 28], scaled so that MNIST has mean 0 and standard deviation 1."""
    _check_shape(images)
    x = unit_floats(images).to(torch.float32)
    return (x.reshape(-1, 1, 28, 28) - 0.1307) / 0.3081


def _distorted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by up to 2 pixels, turn by up to 10 degrees and scale by up to 10 %, each at random."""
    n = len(x)
    uniform = torch.rand(n, 4, generator=generator) * 2 - 1
    angle = uniform[:, 0] * (10 * torch.pi / 180)
    scale = 1 + 0.1 * uniform[:, 1]
    shift = uniform[:, 2:] * (2 / 14)  # the grid's coordinates run from -1 to 1
    cos, sin = scale * angle.cos(), scale * angle.sin()
    maps = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1).view(n, 2, 3)
    grid = F.affine_grid(maps, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command that trains the shipped weights."""
    from gqlib import data

    parser = argparse.ArgumentParser(
        prog="python -m gqlib.features.digits",
        description="Train the digit classifier from nothing and save its weights.",
    )
    parser.add_argument("--output", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--epochs", type=int, default=8, help="passes over the 50,000 digits (8)")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (0)")
    options = parser.parse_args(arguments)

    digits, test = data.load("mnist", "train"), data.load("mnist", "test")
    used, held_out = data.mnist_split()
    start = time.perf_counter()
    net = train(digits.images[used], digits.labels[used], epochs=options.epochs, seed=options.seed)
    seconds = time.perf_counter() - start
    save_weights(net, options.output)
    print(f"trained on {len(used)} digits for {options.epochs} epochs in {seconds:.0f} s")
    for name, images, labels in (
        ("held out", digits.images[held_out], digits.labels[held_out]),
        ("test", test.images, test.labels),
    ):
        print(f"accuracy, {name}: {100 * accuracy(net, images, labels):.2f} %")
    print(f"wrote {options.output} ({options.output.stat().st_size} bytes)")


if __name__ == "__main__":
    main()

"""PyTorch's VAE example compared with this library: time to the example's test loss.

``examples/vae`` of PyTorch, written again here with its choices: a ReLU perceptron
784-400-20-400-784, sigmoid outputs, cross-entropy plus KL summed over the batch, Adam at 1e-3,
batches of 128 that a DataLoader puts together image by image (PIL image, then ``ToTensor``), and
a test of all 10,000 images after each epoch. It trains for 4 epochs; images are not saved.

Ours is the same network on the same images and must reach the example's last test loss in at most
a third of its time. Batches are drawn from memory, and the learning rate takes one cycle. Both
test losses are the same estimate, with one draw of z for each of the 10,000 grey test images, and
both times run from the first batch to the last test loss.

    python benchmarks/vae_race.py --json race.json

Runs alternate in one process. The exit status says whether the bar was met.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor

from gqlib import data, training
from gqlib.models.vae import VAE, vae_step

THREADS = 2
BAR = 1 / 3

#: How ours is trained: chosen on 10,000 images held out of the training set, never on the test set.
EPOCHS = 2
BATCH = 128
PEAK = 8e-3


class ExampleImages(Dataset):
    """MNIST as torchvision serves it: each image becomes a PIL image and then a tensor."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels, self.transform = images, labels, ToTensor()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy())
        return self.transform(picture), int(self.labels[index])


class ExampleVAE(nn.Module):
    """The example's network: probabilities out, noise from the global state."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean = nn.Linear(400, 20)
        self.log_variance = nn.Linear(400, 20)
        self.expand = nn.Linear(20, 400)
        self.pixels = nn.Linear(400, 784)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        h = F.relu(self.hidden(x.view(-1, 784)))
        mu, logvar = self.mean(h), self.log_variance(h)
        std = torch.exp(logvar / 2)
        z = mu + std * torch.randn_like(std)
        return torch.sigmoid(self.pixels(F.relu(self.expand(z)))), mu, logvar


def example_loss(
    probabilities: torch.Tensor, x: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy plus KL, summed over the batch."""
    cross = F.binary_cross_entropy(probabilities, x.view(-1, 784), reduction="sum")
    return cross - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


def run_example(train: data.Dataset, test: data.Dataset, seed: int, epochs: int) -> list[dict]:
    """The example's training; one entry for each epoch, with seconds so far and test loss."""
    torch.manual_seed(seed)
    batches = DataLoader(ExampleImages(train.images, train.labels), batch_size=128, shuffle=True)
    tests = DataLoader(ExampleImages(test.images, test.labels), batch_size=128)
    model = ExampleVAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    entries = []
    started = time.perf_counter()
    for _ in range(epochs):
        model.train()
        total = 0.0
        for x, _labels in batches:
            optimizer.zero_grad()
            probabilities, mu, logvar = model(x)
            loss = example_loss(probabilities, x, mu, logvar)
            loss.backward()
            total += loss.item()
            optimizer.step()
        model.eval()
        total = 0.0
        with torch.no_grad():
            for x, _labels in tests:
                probabilities, mu, logvar = model(x)
                total += example_loss(probabilities, x, mu, logvar).item()
        seconds = time.perf_counter() - started
        entries.append({"seconds": seconds, "test_loss": total / len(test.images)})
    return entries


def run_ours(train: data.Dataset, test: data.Dataset, seed: int, epochs: int = EPOCHS) -> dict:
    """Our training and one test at its end."""
    started = time.perf_counter()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = VAE(latent_dim=20, hidden=400)
    optimizer = torch.optim.Adam(model.parameters(), lr=PEAK, fused=True)
    history = training.fit(
        lambda x, generator: vae_step(model, x, optimizer, generator),
        train.images.unsqueeze(1),
        {"model": model, "optimizer": optimizer},
        steps=epochs * (len(train.images) // BATCH),
        batch_size=BATCH,
        seed=seed,
        prepare=lambda rows: rows.float() / 255,
        schedule=training.one_cycle,
        progress=False,
    )
    loss = test_loss(model, test.float_images(), seed)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "test_loss": loss, "steps": len(history)}


@torch.no_grad()
def test_loss(model: VAE, x: torch.Tensor, seed: int) -> float:
    """Cross-entropy plus KL in nats an image, one draw of z for each image."""
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for batch in x.split(1000):
        logits, mu, logvar = model(batch, generator)
        total += F.binary_cross_entropy_with_logits(logits, batch, reduction="sum").item()
        total += -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()).item()
    return total / len(x)


def entropy_floor(x: torch.Tensor) -> float:
    """The cross-entropy of grey pixels with themselves, nats an image: no model gets below it."""
    p = x.double()
    return float(-(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).flatten(1).sum(1).mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs of each side")
    parser.add_argument("--example-epochs", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    train, test = data.load("mnist", "train"), data.load("mnist", "test")

    runs = []
    for seed in range(1, options.runs + 1):
        example = run_example(train, test, seed, options.example_epochs)[-1]
        ours = run_ours(train, test, seed)
        runs.append({"seed": seed, "example": example, "ours": ours})
        print(f"run {seed}: example {_line(example)} | ours {_line(ours)}", flush=True)

    median = {
        side: {
            key: statistics.median(run[side][key] for run in runs)
            for key in ("seconds", "test_loss")
        }
        for side in ("example", "ours")
    }
    ratio = median["ours"]["seconds"] / median["example"]["seconds"]
    met = ratio <= BAR and median["ours"]["test_loss"] <= median["example"]["test_loss"]
    print(f"\n{'median of ' + str(len(runs)):24s}{'seconds':>10s}{'test loss':>12s}")
    for side, name in (("example", "PyTorch's example"), ("ours", "gqlib")):
        print(f"{name:24s}{median[side]['seconds']:10.1f}{median[side]['test_loss']:12.2f}")
    print(f"\n{ratio:.2f} of the example's time, bar {BAR:.2f}: {'met' if met else 'NOT met'}")

    if options.json:
        result = {
            "benchmark": "vae_race",
            "machine": f"{platform.machine()}, {THREADS} threads, torch {torch.__version__}",
            "runs": runs,
            "median": median,
            "time_ratio": ratio,
            "bar": BAR,
            "met": met,
            "entropy_floor": entropy_floor(test.float_images()),
        }
        half = options.json.with_name(options.json.name + ".part")
        half.write_text(json.dumps(result, indent=2) + "\n")
        half.replace(options.json)
    return 0 if met else 1


def _line(entry: dict) -> str:
    return f"{entry['seconds']:6.1f} s, {entry['test_loss']:.2f} nats"


if __name__ == "__main__":
    raise SystemExit(main())

"""Images a second in training: data on the device against a DataLoader, same networks and steps.

The VAE of lesson 05 and the DCGAN of lesson 07 are each trained twice from the same seed: by
:func:`gqlib.training.fit`, which draws batches from one tensor on the device, and by a loop over a
DataLoader that serves MNIST as torchvision does (each image becomes a PIL image, then a tensor,
:class:`vae_race.ExampleImages`) and moves each batch to the device. The updates are the same
functions; only the path of the data differs.

    python benchmarks/training_race.py --json race.json

All four alternate in one process, and the first updates of each run are not counted. ``--workers``
gives the DataLoader worker processes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from vae_race import ExampleImages

from gqlib import data, training
from gqlib.models.gan import Discriminator, Generator, gan_step
from gqlib.models.vae import VAE, vae_step

THREADS = 2
BATCH = 128
WARM_UP = 20
STEPS = {"vae": 800, "gan": 120}
LATENT = 64

State = Mapping[str, nn.Module | torch.optim.Optimizer]


def prepared(model: str, device: torch.device) -> tuple[training.Step, State]:
    """A new network, its step, and what the step changes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if model == "vae":
            vae = VAE().to(device)
            adam = torch.optim.Adam(vae.parameters(), fused=True)
            return lambda x, g: vae_step(vae, x, adam, g), {"vae": vae, "adam": adam}
        G, D = Generator(LATENT).to(device), Discriminator().to(device)
        opt_G = torch.optim.Adam(G.parameters(), betas=(0.5, 0.99), fused=True)
        opt_D = torch.optim.Adam(D.parameters(), betas=(0.5, 0.99), fused=True)
        state = {"G": G, "D": D, "opt_G": opt_G, "opt_D": opt_D}
        return lambda x, g: gan_step(x, G, D, opt_G, opt_D, LATENT, g), state


def run_ours(model: str, train: data.Dataset, device: torch.device) -> float:
    """Images a second of :func:`gqlib.training.fit`."""
    step, state = prepared(model, device)
    history = training.fit(
        step,
        train.images.unsqueeze(1).to(device),
        state,
        steps=WARM_UP + STEPS[model],
        batch_size=BATCH,
        prepare=lambda rows: rows.float() / 255,
        progress=False,
    )
    # Each step ends with its losses on the CPU, so nothing is still under way at these times.
    return BATCH * STEPS[model] / (history.seconds[-1] - history.seconds[WARM_UP - 1])


def run_loader(model: str, train: data.Dataset, device: torch.device, workers: int) -> float:
    """Images a second of the same step in a loop over a DataLoader."""
    step, _ = prepared(model, device)
    images = ExampleImages(train.images, train.labels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        batches = DataLoader(
            images, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers
        )
        noise = torch.Generator(device).manual_seed(0)
        endless = itertools.chain.from_iterable(itertools.repeat(batches))
        for done, (x, _labels) in enumerate(endless):
            step(x.to(device), noise)
            if done + 1 == WARM_UP:
                started = time.perf_counter()
            elif done + 1 == WARM_UP + STEPS[model]:
                break
    return BATCH * STEPS[model] / (time.perf_counter() - started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved runs of each kind")
    parser.add_argument("--workers", type=int, default=0, help="the DataLoader's processes")
    parser.add_argument("--device", help="such as cuda; by default the best there is")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    device = training.device(options.device)
    train = data.load("mnist", "train")

    sides: dict[str, Callable[[str], float]] = {
        "gqlib": lambda model: run_ours(model, train, device),
        "loader": lambda model: run_loader(model, train, device, options.workers),
    }
    rates: dict[str, dict[str, list[float]]] = {m: {s: [] for s in sides} for m in STEPS}
    for round_ in range(1, options.rounds + 1):
        for model, (side, run) in itertools.product(STEPS, sides.items()):
            rates[model][side].append(run(model))
            print(
                f"round {round_}: {model} {side:7s} {rates[model][side][-1]:8.0f} images/s",
                flush=True,
            )

    median = {m: {s: statistics.median(rates[m][s]) for s in sides} for m in rates}
    ratio = {m: median[m]["gqlib"] / median[m]["loader"] for m in median}
    print(f"\n{'median of ' + str(options.rounds):14s}{'gqlib':>10s}{'loader':>10s}{'ratio':>8s}")
    for model, of in median.items():
        print(f"{model:14s}{of['gqlib']:10.0f}{of['loader']:10.0f}{ratio[model]:8.2f}")
    if options.json:
        result = {
            "benchmark": "training_race",
            "machine": f"{platform.machine()}, {THREADS} threads, torch {torch.__version__}",
            "device": _named(device),
            "loader_workers": options.workers,
            "batch_size": BATCH,
            "images_per_second": rates,
            "median": median,
            "ratio": ratio,
        }
        half = options.json.with_name(options.json.name + ".part")
        half.write_text(json.dumps(result, indent=2) + "\n")
        half.replace(options.json)
    return 0


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


if __name__ == "__main__":
    raise SystemExit(main())

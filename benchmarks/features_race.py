"""From a folder of images to InceptionV3 features, compared with pytorch-fid and torch-fidelity.

    python benchmarks/features_race.py --output race.json

All three read the same PNG files and run the same network with the same random weights (speed does
not depend on them) on the CPU with two threads, each with its default batches and file readers.
They take turns; the median of three counts. The clock starts with the folder's path and stops with
the features; networks are loaded before. Ours resizes in each peer's way, so that the features must
be the same.

The exit status says whether ours was at least as fast as both, and the features equal.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from metrics_race import OURS, Peer, introduce, limit_threads, print_table, write_json
from PIL import Image

from gqlib.evaluation.sources import ImageFolder
from gqlib.features import load_extractor
from gqlib.features.extraction import extract
from gqlib.features.inception import _random_weights

REPETITIONS = 3
BAR = 1.0
#: Features of the same weights and pixels differ by rounding only, in units of their spread.
AGREEMENT = 1e-4

#: From a folder to float32 features (N, 2048), rows in the order of the file names.
Extraction = Callable[[Path], torch.Tensor]


def make_images(folder: Path, count: int, side: int) -> None:
    """PNG files of smooth colours with some noise, which compress as photographs do."""
    random = np.random.default_rng(0)
    for i in range(count):
        colours = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        smooth = Image.fromarray(colours).resize((side, side), Image.Resampling.BICUBIC)
        noisy = np.asarray(smooth, dtype=np.int16) + random.integers(-8, 9, (side, side, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{i:05d}.png")


def ours(weights: Path, resize: str) -> Extraction:
    extractor = load_extractor("inception", weights=weights, resize=resize, device="cpu")
    return lambda folder: extract(ImageFolder(folder), extractor, cache=None).features


def pytorch_fid(weights: Path) -> Extraction:
    from pytorch_fid import fid_score, inception

    state = torch.load(weights, weights_only=True)
    with mock.patch.object(inception, "load_state_dict_from_url", return_value=state):
        model = inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[2048]])

    def run(folder: Path) -> torch.Tensor:
        # As its command line does: 50 images a batch, a reader for each core.
        files = sorted(folder.glob("*.png"))
        quiet = io.StringIO()
        with contextlib.redirect_stderr(quiet), contextlib.redirect_stdout(quiet):
            found = fid_score.get_activations(files, model, num_workers=2)
        return torch.from_numpy(found).float()

    return run


def torch_fidelity(weights: Path) -> Extraction:
    from torch_fidelity import utils

    options = {"cuda": False, "verbose": False, "feature_extractor_weights_path": str(weights)}
    extractor = utils.create_feature_extractor("inception-v3-compat", ["2048"], **options)

    def run(folder: Path) -> torch.Tensor:
        images = utils.prepare_input_from_descriptor({"input": str(folder)}, verbose=False)
        with warnings.catch_warnings():  # of more readers than cores
            warnings.simplefilter("ignore", UserWarning)
            found = utils.get_featuresdict_from_dataset(images, extractor, 64, False, False, False)
        return found["2048"]

    return run


#: Each peer with our name of its way of resizing.
PEERS = (
    (Peer("pytorch-fid", ("pytorch_fid",), pytorch_fid), "bilinear"),
    (Peer("torch-fidelity", ("torch_fidelity",), torch_fidelity), "tf-bilinear"),
)


def race(peer: Peer, resize: str, weights: Path, folder: Path, count: int) -> dict[str, Any]:
    """Images a second of both, and how far their features are apart."""
    contenders = {OURS: ours(weights, resize), peer.name: peer.run(weights)}
    with tempfile.TemporaryDirectory() as few:
        make_images(Path(few), 4, 32)
        for run in contenders.values():  # first calls are not timed
            run(Path(few))
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    features = {}
    for _ in range(REPETITIONS):
        for name, run in contenders.items():
            started = time.perf_counter()
            features[name] = run(folder)
            rates[name].append(count / (time.perf_counter() - started))
    a, b = features[OURS], features[peer.name]
    apart = float((a - b).abs().max() / b.std())
    rate = {name: statistics.median(values) for name, values in rates.items()}
    ratio = rate[OURS] / rate[peer.name]
    return {
        "peer": peer.name,
        "resize": resize,
        "images_per_second": rate,
        "runs": rates,
        "ratio": ratio,
        "largest_difference": apart,
        "met": ratio >= BAR and apart <= AGREEMENT,
    }


def row_of(result: dict[str, Any]) -> tuple[str, ...]:
    rate = result["images_per_second"]
    return (
        f"{result['images']} images of {result['side']}², {result['resize']}",
        f"{rate[OURS]:.1f} a second",
        f"{result['peer']} (apart {result['largest_difference']:.0e})",
        f"{rate[result['peer']]:.1f} a second",
        f"{result['ratio']:.2f}×",
        f"≥ {BAR:g}×",
        "yes" if result["met"] else "NO",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=200, help="how many (default %(default)s)")
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 256], metavar="PIXELS")
    parser.add_argument("--output", type=Path, help="write the numbers to this JSON file")
    options = parser.parse_args()
    limit_threads()
    machine, versions, missing = introduce([peer for peer, _ in PEERS])
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        weights = Path(temporary) / "weights.pth"
        torch.save(_random_weights(), weights)
        for side in options.sides:
            folder = Path(temporary) / str(side)
            folder.mkdir()
            make_images(folder, options.images, side)
            for peer, resize in PEERS:
                if missing.intersection(peer.needs):
                    continue
                print(f"… {peer.name}, {side} pixels", file=sys.stderr, flush=True)
                found = race(peer, resize, weights, folder, options.images)
                results.append({"images": options.images, "side": side, **found})
    print()
    print_table([row_of(result) for result in results])
    met = bool(results) and all(result["met"] for result in results)
    if options.output:
        report = {
            "benchmark": "features_race",
            "hardware": machine,
            "versions": versions,
            "races": results,
            "bars_met": met,
        }
        write_json(options.output, report)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

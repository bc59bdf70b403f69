"""How good are the digits of the DCGAN that lesson 07 trains, and how much do seeds differ?

The lesson's recipe on the 60,000 training digits, once for each seed. The averaged generator is
judged by the Fréchet distance of 10,000 samples to the 10,000 test digits, in the 64 features of
:func:`gqlib.features.digit_features`. The floor is the distance between the same test digits and
the 10,000 training digits that the feature network has never seen: real digits get no less. Bar:
the median over seeds is at most 16 times the floor, with at most 95 s of training on 2 threads.

    python benchmarks/gan_quality.py --json quality.json

Each seed is written to the file when it is done, and a second call continues with the others. The
exit status says whether the bar was met.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import platform
import statistics
from pathlib import Path

import torch

from gqlib import data, metrics, training
from gqlib.course.answers.lesson_07 import class_histogram, collapsed
from gqlib.features import digit_features, load_digit_net
from gqlib.models.gan import Discriminator, Generator, gan_step, update_ema

THREADS = 2
SEEDS = (0, 1, 2, 3, 4)
RATIO_BAR = 16
SECONDS_BAR = 95
SAMPLES = 10_000

#: The recipe of lesson 07: changing one changes the other.
LATENT = 64
BATCH = 64
STEPS = 2500
RATE = 2e-3
BETAS = (0.5, 0.99)


def decay(step: int) -> float:
    """Of the average at update ``step`` = 1, 2, …: its memory is about a ninth of the run so far.

    A constant 0.999 would leave 8 % of the untrained weights in it after 2,500 updates.
    """
    return (1 + step) / (10 + step)


def falling(progress: float) -> float:
    """The learning rate's factor: 1 for the first half, then a straight line to 0."""
    return min(1.0, 2 * (1 - progress))


def train_gan(
    images: torch.Tensor, seed: int, steps: int, progress: bool
) -> tuple[Generator, training.History]:
    """The recipe on uint8 images [N, 28, 28]: the averaged generator, and what happened."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        G, D = Generator(LATENT), Discriminator()
    ema, updates = copy.deepcopy(G), itertools.count(1)
    opt_G = torch.optim.Adam(G.parameters(), lr=RATE, betas=BETAS, fused=True)
    opt_D = torch.optim.Adam(D.parameters(), lr=RATE, betas=BETAS, fused=True)

    def step(real: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
        values = gan_step(real, G, D, opt_G, opt_D, LATENT, generator)
        update_ema(ema, G, decay(next(updates)))
        return values

    history = training.fit(
        step,
        images.unsqueeze(1),
        {"G": G, "D": D, "ema": ema, "opt_G": opt_G, "opt_D": opt_D},
        steps=steps,
        batch_size=BATCH,
        seed=seed,
        prepare=lambda rows: rows.float() / 255,
        schedule=falling,
        progress=progress,
    )
    return ema.eval(), history


def judge(ema: Generator, real: torch.Tensor, labels: torch.Tensor, seed: int) -> dict:
    """Distance, class counts of all samples, and the verdict on 500 of them."""
    generator = torch.Generator().manual_seed(seed)
    fake = torch.cat([ema.sample(1000, generator) for _ in range(SAMPLES // 1000)])
    net = load_digit_net()
    with torch.no_grad():
        classes = torch.cat([net(batch).argmax(1) for batch in fake.split(1000)])
    counts, reference = class_histogram(classes), class_histogram(labels)
    few = class_histogram(classes[:500])
    return {
        "distance": float(metrics.frechet_distance(real, digit_features(fake))),
        "class_histogram": counts.tolist(),
        "missing_classes": (counts == 0).nonzero().flatten().tolist(),
        "collapsed_by_500": collapsed(few, reference),
        "missing_classes_of_500": (few == 0).nonzero().flatten().tolist(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the numbers to this file, and go on there")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)

    train, test = data.load("mnist", "train"), data.load("mnist", "test")
    real = digit_features(test.images)
    unseen = digit_features(train.images[data.mnist_split()[1]])
    setting = {
        "benchmark": "gan_quality",
        "machine": f"{platform.machine()}, {THREADS} threads, torch {torch.__version__}",
        "steps": options.steps,
        "batch_size": BATCH,
        "floor": float(metrics.frechet_distance(real, unseen)),
        "bar": {"ratio": RATIO_BAR, "seconds": SECONDS_BAR},
    }
    print(f"floor {setting['floor']:.4f}", flush=True)
    runs = _done(options.json, setting)
    for seed in options.seeds:
        if seed not in runs:
            ema, history = train_gan(train.images, seed, options.steps, progress=True)
            if history.interrupted:
                return 130
            run = {"seed": seed, "seconds": history.seconds[-1]}
            run |= judge(ema, real, test.labels, seed)
            run["ratio"] = run["distance"] / setting["floor"]
            runs[seed] = run
            _write(options.json, {**setting, "runs": list(runs.values())})
        print(_line(runs[seed]), flush=True)

    chosen = [runs[seed] for seed in options.seeds]
    summary = {key: _spread([run[key] for run in chosen]) for key in ("seconds", "ratio")}
    met = summary["ratio"]["median"] <= RATIO_BAR and summary["seconds"]["median"] <= SECONDS_BAR
    for key, spread in summary.items():
        low, high = spread["range"]
        print(f"{key:8s} median {spread['median']:.1f}, from {low:.1f} to {high:.1f}")
    print(f"bar: {RATIO_BAR} floors in {SECONDS_BAR} s: {'met' if met else 'NOT met'}")
    result = {**setting, "runs": list(runs.values()), "summary": summary, "met": met}
    _write(options.json, result)
    return 0 if met else 1


def _spread(values: list[float]) -> dict:
    return {"median": statistics.median(values), "range": [min(values), max(values)]}


def _line(run: dict) -> str:
    return (
        f"seed {run['seed']}: {run['seconds']:6.1f} s, distance {run['distance']:.3f} = "
        f"{run['ratio']:.1f} floors, classes {run['class_histogram']}, "
        f"missing {run['missing_classes'] or 'none'}"
    )


def _done(path: Path | None, setting: dict) -> dict[int, dict]:
    """The finished seeds of an earlier call with the same settings."""
    if path is None or not path.exists():
        return {}
    earlier = json.loads(path.read_text())
    if {key: earlier.get(key) for key in setting} != setting:
        raise SystemExit(f"{path} is of other settings: delete it, or name another file")
    return {run["seed"]: run for run in earlier["runs"]}


def _write(path: Path | None, result: dict) -> None:
    if path is not None:
        half = path.with_name(path.name + ".part")
        half.write_text(json.dumps(result, indent=2) + "\n")
        half.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())

"""The metrics compared with packages that practitioners use: seconds, memory and answers.

    python benchmarks/metrics_race.py --output race.json
    python benchmarks/metrics_race.py --jobs frechet kernel
    python benchmarks/metrics_race.py --quick

Contenders of a job get the same float32 features and take turns, three times each, or until they
have used 25 seconds; the median counts, or the faster one of two. All use two threads. Peak memory
is measured in a separate process.

Bars are for features x = z Aᵀ with the columns of a Gaussian A times exp(−j/200), whose spectrum
decays as that of Inception features does; both sides have one A. Also reported are independent
features and, for the Fréchet distance, fakes whose A correlates by 0.9 with the real one's. A is
divided by 16, to about the scale of Inception's features. On a larger scale x·y/D + 1 < 0 occurs,
where NumPy's power is four times slower, which would count against torch-fidelity's kernel.

Peers come with ``pip install '.[bench]'``; one that is missing is skipped with a line that says
so. The exit status says whether every bar was met; ``--quick`` runs small sizes, sets no bars on
them, and its exit status only says that the answers are right.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import io
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gqlib import metrics

THREADS = 2
REPETITIONS = 3
#: A contender that has used this many seconds on a job does not start another run.
ENOUGH = 25.0
#: Seconds before each run, in which the last one's idle threads stop to look for work.
PAUSE = 0.5
K = 5
OURS = "gqlib"
GB = 1e9

# --- inputs


class Data:
    """Two sets of float32 features and what is made of them before the clock starts."""

    def __init__(self, n: int, d: int, law: str) -> None:
        self.n, self.d, self.law = n, d, law
        mixing = None if law == "isotropic" else _mixing(d, 0)
        self.real = features(n, mixing, d, seed=1)
        if mixing is not None and law == "two spectra":
            mixing = 0.9 * mixing + (1 - 0.9**2) ** 0.5 * _mixing(d, 1)
        self.fake = features(n, mixing, d, seed=2).mul_(1.02).add_(0.01)

    @cached_property
    def ours(self) -> list[metrics.GaussianStatistics]:
        return [metrics.GaussianStatistics.from_features(x) for x in (self.real, self.fake)]

    @cached_property
    def moments(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Mean and covariance of both sides, float64, as NumPy computes them."""
        sides = [x.double().numpy() for x in (self.real, self.fake)]
        return [(x.mean(0), np.cov(x, rowvar=False)) for x in sides]

    @cached_property
    def covariances(self) -> list[torch.Tensor]:
        return [torch.from_numpy(cov) for _, cov in self.moments]

    @property
    def subset_size(self) -> int:
        return min(1000, self.n)


def features(n: int, mixing: torch.Tensor | None, d: int, seed: int) -> torch.Tensor:
    """Shape (n, d), float32, made in pieces so that nothing larger is ever held."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.empty(n, d)
    for rows in x.split(1000):
        z = torch.randn(len(rows), d, generator=generator, dtype=torch.float64)
        rows.copy_(z if mixing is None else z @ mixing.T)
    return x


def _mixing(d: int, seed: int) -> torch.Tensor:
    a = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return a * torch.exp(-torch.arange(d) / 200) / 16


@lru_cache(maxsize=1)
def data(n: int, d: int, law: str) -> Data:
    return Data(n, d, law)


# --- what is timed: ours


def frechet_from_statistics(d: Data) -> float:
    return float(metrics.frechet_distance(*d.ours))


def frechet_from_features(d: Data) -> float:
    return float(metrics.frechet_distance(d.real, d.fake))


def neighbours(d: Data) -> dict[str, float]:
    scores = metrics.neighbour_scores(d.real, d.fake, k=K)
    return {name: float(getattr(scores, name)) for name in SCORES}


def kernel(d: Data) -> float:
    return float(metrics.kernel_distance(d.real, d.fake))


def evaluate(d: Data) -> dict[str, float]:
    """All of these from one shared pass, and the Vendi scores that come with them."""
    found = metrics.evaluate(d.real, d.fake, k=K)
    scores = {name: getattr(found.neighbour_scores, name) for name in SCORES}
    return {
        "frechet": float(found.frechet_distance),
        "kernel": float(found.kernel_distance),
        **scores,
    }


SCORES = ("precision", "recall", "density", "coverage")

# --- what is timed: the others. They are imported only here.


def reference(d: Data) -> None:
    """The least that a Fréchet distance could do: what the first bar is measured in."""
    first, second = d.covariances
    torch.linalg.cholesky(first)
    product = first @ second
    torch.linalg.eigvalsh(first)
    _ = product @ first


def torch_fidelity_statistics(d: Data) -> float:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    sides = [{"mu": mu, "sigma": sigma} for mu, sigma in d.moments]
    return float(fid_statistics_to_metric(*sides, verbose=False)[KEY_METRIC_FID])


def torch_fidelity_frechet(d: Data) -> float:
    from torch_fidelity.metric_fid import (
        KEY_METRIC_FID,
        fid_features_to_statistics,
        fid_statistics_to_metric,
    )

    sides = [fid_features_to_statistics(x) for x in (d.real, d.fake)]
    return float(fid_statistics_to_metric(*sides, verbose=False)[KEY_METRIC_FID])


def torchmetrics_statistics(d: Data) -> float:
    from torchmetrics.image.fid import _compute_fid

    return float(_compute_fid(*(torch.from_numpy(a) for side in d.moments for a in side)))


def pytorch_fid_statistics(d: Data) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    return float(calculate_frechet_distance(*d.moments[0], *d.moments[1]))


def torch_fidelity_kernel(d: Data) -> float:
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    found = kid_features_to_metric(
        d.real, d.fake, kid_subsets=100, kid_subset_size=d.subset_size, verbose=False
    )
    return float(found[KEY_METRIC_KID_MEAN])


def prdc_neighbours(d: Data) -> dict[str, float]:
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(d.real.numpy(), d.fake.numpy(), nearest_k=K)
    return {name: float(found[name]) for name in SCORES}


def peers_evaluate(d: Data) -> dict[str, float]:
    return {
        "frechet": torch_fidelity_frechet(d),
        "kernel": torch_fidelity_kernel(d),
        **prdc_neighbours(d),
    }


# --- answers


def float64_neighbours(d: Data) -> dict[str, float]:
    """The four scores by whole rows of float64 distances; random data have no ties to settle."""
    x, y = d.real.double(), d.fake.double()
    x, y = x - x.mean(0), y - x.mean(0)
    radii_x, radii_y = _radii(x), _radii(y)
    depth, recalled, covered = torch.zeros(len(y)), [], []
    for rows, radius in zip(x.split(500), radii_x.split(500), strict=True):
        squares = _squares(rows, y)
        inside = squares <= radius[:, None]
        depth += inside.sum(0)
        covered.append(inside.any(1))
        recalled.append((squares <= radii_y).any(1))
    return {
        "precision": float((depth > 0).double().mean()),
        "recall": float(torch.cat(recalled).double().mean()),
        "density": float(depth.double().sum()) / (K * len(y)),
        "coverage": float(torch.cat(covered).double().mean()),
    }


def _radii(x: torch.Tensor) -> torch.Tensor:
    radii = []
    for start in range(0, len(x), 500):
        squares = _squares(x[start : start + 500], x)
        i = torch.arange(len(squares))
        squares[i, start + i] = math.inf
        radii.append(squares.topk(K, largest=False).values[:, -1])
    return torch.cat(radii)


def _squares(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x.square().sum(1)[:, None] + y.square().sum(1) - 2 * (x @ y.T)


def same_scores(d: Data, ours: dict[str, float]) -> bool:
    """Whether all of them are those of float64."""
    exact = float64_neighbours(d)
    return all(math.isclose(ours[name], exact[name], rel_tol=1e-12) for name in SCORES)


# --- the jobs


@dataclass(frozen=True)
class Peer:
    """Another way to do a job: its name, the modules that it needs, and the call."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[Data], Any]


@dataclass(frozen=True)
class Bar:
    """Our time may be at most that of ``peer`` divided by ``at_least``."""

    peer: str
    at_least: float


@dataclass(frozen=True)
class Race:
    """Our seconds compared with those of peers, on n + n samples of d features."""

    key: str
    title: str
    n: int
    d: int
    law: str
    ours: Callable[[Data], Any]
    peers: tuple[Peer, ...]
    bars: tuple[Bar, ...] = ()
    #: Attributes of the data that are made before the clock starts.
    ready: tuple[str, ...] = ()
    right: Callable[[Data, Any], bool] | None = None

    def small(self) -> Race:
        n, d = max(30, self.n // 20), min(self.d, 64)
        return replace(self, n=n, d=d, bars=())


@dataclass(frozen=True)
class Memory:
    """Peak memory of one call, each size in a separate process."""

    key: str
    title: str
    sizes: tuple[tuple[int, int], ...]
    calls: tuple[str, ...]
    #: Bars for ours: GB above the inputs, GB in all, the exponent of growth with n.
    extra: float | None = None
    total: float | None = None
    exponent: float | None = None

    def small(self) -> Memory:
        sizes = tuple((max(100, n // 40), min(d, 64)) for n, d in self.sizes)
        return Memory(self.key, self.title, sizes[:2], self.calls)


TORCH_FIDELITY = Peer("torch-fidelity", ("torch_fidelity",), torch_fidelity_statistics)
TORCHMETRICS = Peer("torchmetrics", ("torchmetrics",), torchmetrics_statistics)
PYTORCH_FID = Peer("pytorch-fid", ("pytorch_fid",), pytorch_fid_statistics)
REFERENCE = Peer("Cholesky + 2 products + eigvalsh", (), reference)
FRECHET_FEW = Peer("torch-fidelity", ("torch_fidelity",), torch_fidelity_frechet)
KERNEL = Peer("torch-fidelity, 100 subsets", ("torch_fidelity",), torch_fidelity_kernel)
PRDC = Peer("prdc", ("prdc",), prdc_neighbours)
SUM = Peer("torch-fidelity + prdc", ("torch_fidelity", "prdc"), peers_evaluate)


def both(race: Race) -> tuple[Race, Race]:
    """The race on features with a decaying spectrum and, without bars, on isotropic ones."""
    return race, replace(race, law="isotropic", bars=())


FRECHET = Race(
    "frechet",
    "Fréchet distance from statistics",
    n=10_000,
    d=2048,
    law="decaying",
    ours=frechet_from_statistics,
    peers=(REFERENCE, TORCH_FIDELITY, TORCHMETRICS, PYTORCH_FID),
    bars=(Bar(REFERENCE.name, 1 / 1.5), Bar("torch-fidelity", 8), Bar("pytorch-fid", 15)),
    ready=("ours", "moments", "covariances"),
)

JOBS: tuple[Race | Memory, ...] = (
    *both(FRECHET),
    replace(FRECHET, law="two spectra", bars=()),
    *both(
        Race(
            "frechet-few",
            "Fréchet distance from features",
            n=500,
            d=2048,
            law="decaying",
            ours=frechet_from_features,
            peers=(FRECHET_FEW,),
            bars=(Bar("torch-fidelity", 50),),
        )
    ),
    *both(
        Race(
            "neighbours",
            "precision, recall, density, coverage",
            n=10_000,
            d=2048,
            law="decaying",
            ours=neighbours,
            peers=(PRDC,),
            bars=(Bar("prdc", 3.5),),
            right=same_scores,
        )
    ),
    *both(
        Race(
            "kernel",
            "kernel distance of all pairs",
            n=10_000,
            d=2048,
            law="decaying",
            ours=kernel,
            peers=(KERNEL,),
            bars=(Bar(KERNEL.name, 1),),
        )
    ),
    *both(
        Race(
            "evaluate",
            "evaluate: FD, KID, P, R, D, C",
            n=10_000,
            d=2048,
            law="decaying",
            ours=evaluate,
            peers=(SUM,),
            bars=(Bar(SUM.name, 3),),
        )
    ),
    Race(
        "neighbours-many",
        "precision, recall, density, coverage",
        n=50_000,
        d=64,
        law="decaying",
        ours=neighbours,
        peers=(),
    ),
    Memory("memory", "P, R, D, C: peak", ((10_000, 2048),), ("neighbours", "prdc"), extra=0.5),
    Memory("memory-many", "P, R, D, C: peak", ((50_000, 64),), ("neighbours",), total=1.5),
    Memory(
        "memory-growth",
        "evaluate: peak against n",
        ((5_000, 64), (10_000, 64), (20_000, 64), (40_000, 64)),
        ("evaluate",),
        exponent=1.1,
    ),
)

# --- time


def run_race(race: Race, missing: set[str], repetitions: int, pause: float) -> dict[str, Any]:
    """Seconds, answers and bars of one race; contenders take turns."""
    contenders = {OURS: race.ours}
    contenders |= {p.name: p.run for p in race.peers if not missing.intersection(p.needs)}
    tiny = Data(40, 8, race.law)
    for run in contenders.values():  # imports and first calls are not timed
        run(tiny)
    d = data(race.n, race.d, race.law)
    for name in race.ready:
        getattr(d, name)
    runs: dict[str, list[float]] = {name: [] for name in contenders}
    answers: dict[str, Any] = {}
    for _ in range(repetitions):
        for name, run in contenders.items():
            if sum(runs[name]) > ENOUGH:
                continue
            time.sleep(pause)
            started = time.perf_counter()
            answers[name] = run(d)
            runs[name].append(time.perf_counter() - started)
    seconds = {name: statistics.median_low(values) for name, values in runs.items()}
    right = race.right(d, answers[OURS]) if race.right else None
    return {
        "job": race.key,
        "title": race.title,
        "n": race.n,
        "d": race.d,
        "law": race.law,
        "seconds": seconds,
        "runs": runs,
        "answers": {name: answer for name, answer in answers.items() if answer is not None},
        "answers_are_float64s": right,
        "bars": [_judged(bar, seconds) for bar in race.bars],
    }


def _judged(bar: Bar, seconds: dict[str, float]) -> dict[str, Any]:
    ratio = seconds[bar.peer] / seconds[OURS] if bar.peer in seconds else None
    met = None if ratio is None else ratio >= bar.at_least
    return {"peer": bar.peer, "at_least": bar.at_least, "ratio": ratio, "met": met}


# --- memory

CALLS: dict[str, Peer] = {
    "neighbours": Peer(OURS, (), neighbours),
    "evaluate": Peer(OURS, (), evaluate),
    "prdc": PRDC,
}


def run_memory(job: Memory, missing: set[str]) -> dict[str, Any]:
    """GB above the inputs and in all, for each call and size."""
    measured = [
        {"call": call, "contender": CALLS[call].name, "n": n, "d": d, **_in_a_process(call, n, d)}
        for call in job.calls
        if not missing.intersection(CALLS[call].needs)
        for n, d in job.sizes
    ]
    ours = [m for m in measured if m["contender"] == OURS]
    bars = [
        {"what": what, "value": value, "at_most": limit, "met": value <= limit}
        for what, value, limit in (
            ("GB above the inputs", max(m["extra_gb"] for m in ours), job.extra),
            ("GB in all", max(m["total_gb"] for m in ours), job.total),
            ("exponent of n", _exponent(ours), job.exponent),
        )
        if limit is not None
    ]
    return {"job": job.key, "title": job.title, "measured": measured, "bars": bars}


def _exponent(measured: Sequence[dict[str, Any]]) -> float:
    """The power of n that inputs and work space together grow with, from least to most samples."""
    first, last = measured[0], measured[-1]
    if first["n"] == last["n"]:
        return math.nan
    growth = (last["inputs_gb"] + last["extra_gb"]) / (first["inputs_gb"] + first["extra_gb"])
    return math.log(growth) / math.log(last["n"] / first["n"])


def _in_a_process(call: str, n: int, d: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", call, str(n), str(d)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(call: str, n: int, d: int) -> None:
    """In the child: print what the call needs, from a baseline after the inputs are made.

    The peak since the start is compared with what is in use at the baseline, so that a higher
    peak before it could only count against the call.
    """
    run = CALLS[call].run
    run(Data(600, 8, "decaying"))
    inputs = data(n, d, "decaying")
    before = _in_use()
    started = time.perf_counter()
    run(inputs)
    seconds = time.perf_counter() - started
    peak = _peak()
    size = inputs.real.nbytes + inputs.fake.nbytes
    found = {
        "seconds": seconds,
        "inputs_gb": size / GB,
        "extra_gb": (peak - before) / GB,
        "total_gb": peak / GB,
    }
    print(json.dumps(found))


def _peak() -> int:
    """The most memory that this process ever held, bytes."""
    known = _status("VmHWM")
    if known is not None:
        return known
    import resource

    # Not on Linux, where a child starts with the peak of the process that it was started from.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _in_use() -> int:
    """The memory that this process holds now, bytes; its peak where that is not told."""
    known = _status("VmRSS")
    return _peak() if known is None else known


def _status(name: str) -> int | None:
    """A line of Linux's /proc/self/status, in bytes."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


# --- the report


def rows_of(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Job, ours, peer, theirs, ratio, bar, met: one row a peer or bar."""
    if "measured" in result:
        return _memory_rows(result)
    title = f"{result['title']}, {result['n']:,} × {result['d']}, {result['law']}"
    seconds = result["seconds"]
    ours = f"{seconds[OURS]:.3f} s"
    bars = {bar["peer"]: bar for bar in result["bars"]}
    rows = []
    for name in dict.fromkeys([*seconds, *bars]):
        if name == OURS:
            continue
        bar = bars.get(name)
        limit = f"≥ {bar['at_least']:.2g}×" if bar else ""
        if name not in seconds:
            rows.append((title, ours, name, "missing", "", limit, ""))
            continue
        ratio = f"{seconds[name] / seconds[OURS]:.2f}×"
        times = f"{seconds[name]:.3f} s, {len(result['runs'][name])} runs"
        rows.append((title, ours, name, times, ratio, limit, _met(bar)))
    if not rows:
        rows.append((title, ours, "", "", "", "", ""))
    right = result["answers_are_float64s"]
    if right is not None:
        rows.append((title, "", "float64", "", "", "equal answers", "yes" if right else "NO"))
    return rows


def _memory_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for m in result["measured"]:
        title = f"{result['title']}, {m['n']:,} × {m['d']}"
        used = f"{m['extra_gb']:.3f} + {m['inputs_gb']:.3f} GB"
        whole = f"{m['total_gb']:.2f} GB in all, {m['seconds']:.1f} s"
        ours = m["contender"] == OURS
        rows.append(
            (title, used if ours else "", m["contender"], whole if ours else used, *[""] * 3)
        )
    for bar in result["bars"]:
        value = f"{bar['value']:.3f}"
        rows.append(
            (result["title"], value, bar["what"], "", "", f"≤ {bar['at_most']:g}", _met(bar))
        )
    return rows


def _met(bar: dict[str, Any] | None) -> str:
    return "" if bar is None or bar["met"] is None else ("yes" if bar["met"] else "NO")


HEAD = ("job", "gqlib", "beside", "its", "ratio", "bar", "met")


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need to be; a job's name only in its first row."""
    widths = [max(len(row[i]) for row in (HEAD, *rows)) for i in range(len(HEAD))]
    last = ""
    for row in (HEAD, *rows):
        cells = ["" if i == 0 and cell == last else cell for i, cell in enumerate(row)]
        print("  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip())
        last = row[0]


# --- the machine


def hardware() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"cpu": model, "cores": os.cpu_count(), "threads": THREADS, "load_before": load}


PEERS = ("torch-fidelity", "torchmetrics", "pytorch-fid", "prdc", "scikit-learn")
PACKAGES = ("gqlib", "torch", "numpy", "scipy", *PEERS)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def write_json(path: Path, report: dict[str, Any]) -> None:
    half = path.with_name(path.name + ".part")
    half.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    half.replace(path)


def limit_threads() -> None:
    """Two threads for PyTorch and, if threadpoolctl is there, for NumPy's and SciPy's BLAS."""
    import scipy.linalg  # noqa: F401  (its BLAS is another one than NumPy's)

    torch.set_num_threads(THREADS)
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits

        threadpool_limits(THREADS)


def introduce(peers: Sequence[Peer]) -> tuple[dict[str, Any], dict[str, str], set[str]]:
    """Print what runs here; return machine, versions and the modules that are missing."""
    machine, found = hardware(), versions()
    print(f"{machine['cpu']}, {machine['cores']} cores, {THREADS} threads")
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    if (machine["load_before"] or 0) > 0.5:
        print(f"the machine is busy (load {machine['load_before']:.1f}): times may be too long")
    needed = {module for peer in peers for module in peer.needs}
    missing = {module for module in needed if importlib.util.find_spec(module) is None}
    for module in sorted(missing):
        print(f"{module} is not installed and left out: pip install '.[bench]'")
    return machine, found, missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    keys = list(dict.fromkeys(job.key for job in JOBS))
    parser.add_argument("--jobs", nargs="+", choices=keys, default=keys, metavar="JOB")
    parser.add_argument("--quick", action="store_true", help="small sizes, no bars")
    parser.add_argument("--output", type=Path, help="write the numbers to this JSON file")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    limit_threads()
    if options.measure:
        call, n, d = options.measure
        measure(call, int(n), int(d))
        return 0

    jobs = [job for job in JOBS if job.key in options.jobs]
    if options.quick:
        jobs = [job.small() for job in jobs]
    peers = [p for job in jobs if isinstance(job, Race) for p in job.peers]
    peers += [CALLS[call] for job in jobs if isinstance(job, Memory) for call in job.calls]
    machine, found, missing = introduce(peers)
    turns = (1, 0.0) if options.quick else (REPETITIONS, PAUSE)
    results = []
    for job in jobs:
        print(f"… {job.key}", file=sys.stderr, flush=True)
        if isinstance(job, Memory):
            results.append(run_memory(job, missing))
        else:
            results.append(run_race(job, missing, *turns))
    print()
    print_table([row for result in results for row in rows_of(result)])

    right = all(result.get("answers_are_float64s") is not False for result in results)
    judged = [bar["met"] for result in results for bar in result["bars"]]
    met = right and all(judged)
    if not options.quick:
        unknown = sum(m is None for m in judged)
        print(f"\n{sum(bool(m) for m in judged)} of {len(judged)} bars met, {unknown} not measured")
    if options.output:
        report = {
            "benchmark": "metrics_race",
            "quick": options.quick,
            "hardware": machine,
            "versions": found,
            "jobs": [result for result in results if "seconds" in result],
            "memory": [result for result in results if "measured" in result],
            "answers_right": right,
            "bars_met": None if options.quick else met,
        }
        write_json(options.output, report)
    return 0 if (right if options.quick else met) else 1


if __name__ == "__main__":
    raise SystemExit(main())

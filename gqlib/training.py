"""The training loop that the models of the course share.

A model brings one function, ``step(batch, generator) -> {"loss": ...}``, which makes one update and
returns its losses. :func:`fit` does the rest: minibatches from memory, learning rate, progress,
history, checkpoints. The result depends on nothing random but the seed.
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from gqlib._utils import atomic
from gqlib._utils.devices import device as device
from gqlib.models.updates import scaled_by

Step = Callable[[Tensor, torch.Generator], Mapping[str, float]]


def one_cycle(progress: float, rise: float = 0.3, start: float = 0.04, end: float = 1e-4) -> float:
    """A factor for the learning rate at ``progress`` in [0, 1]: up to 1 along a cosine, then down.

    The cycle of Smith & Topin 2018 ("Super-Convergence", section 3) in cosine form.
    """
    rising = progress < rise
    low, part = (start, progress / rise) if rising else (end, (1 - progress) / (1 - rise))
    return low + (1 - low) * 0.5 * (1 - math.cos(math.pi * part))


@dataclass
class History:
    """What happened: ``history["loss"]`` is a list with one number a step.

    ``seconds`` is the training time after each step, without evaluations. ``evaluations`` has
    one dict each, with "step", "seconds" and what ``evaluate`` returned.
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False

    def __getitem__(self, name: str) -> list[float]:
        return self.values[name]

    def __len__(self) -> int:
        return len(self.seconds)


def fit(
    step: Step,
    data: Tensor,
    state: Mapping[str, nn.Module | Optimizer],
    *,
    steps: int,
    batch_size: int = 128,
    seed: int = 0,
    prepare: Callable[[Tensor], Tensor] | None = None,
    schedule: Callable[[float], float] | None = None,
    mixed_precision: bool | torch.dtype = False,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    progress: bool = True,
) -> History:
    """Call ``step`` on ``steps`` shuffled minibatches of ``data`` and return the history.

    Args:
        step: Makes one update from a batch [batch_size, ...] and a generator for its noise.
        data: All examples [N, ...] on the device where training happens. Each epoch has a new
            order, and leaves out what does not fill a batch at its end.
        state: Every module and optimiser that ``step`` changes, by name: what a checkpoint holds.
        steps: The number of updates, including those of a checkpoint.
        batch_size: Examples a batch; all N if there are fewer.
        seed: Seeds the order, the noise, and what layers such as dropout draw. The global random
            state is restored afterwards.
        prepare: Makes a batch out of the chosen rows, for example floats out of bytes.
        schedule: Maps progress in [0, 1] to a factor of the optimisers' own learning rates, such
            as :func:`one_cycle`.
        mixed_precision: Run ``step`` under autocast: True for bfloat16, or ``torch.float16``,
            with the loss scaled in a step that uses :func:`gqlib.models.updates.update`.
        evaluate: Called every ``evaluate_every`` steps and after the last one.
        evaluate_every: See above; 0 means after the last step only.
        checkpoint: A file. If it exists, the run continues from there and ends as if it had never
            stopped; delete it to start again. It is written every ``checkpoint_every`` steps and at
            the end.
        checkpoint_every: See above.
        progress: Show a bar with the losses.

    Ctrl-C ends the run after the current step and keeps what was learned (``.interrupted``).

    Raises:
        FloatingPointError: A value that ``step`` returned is not finite.
        ValueError: ``data`` and ``state`` don't fit together, or the checkpoint is another run's.
    """
    for name, item in state.items():
        weight = next(item.parameters(), None) if isinstance(item, nn.Module) else None
        if weight is not None and weight.device != data.device:
            raise ValueError(
                f"{name} is on {weight.device} and the data on {data.device}: "
                "move one of them with .to(device)"
            )
    if not len(data) or batch_size < 1:
        raise ValueError(f"batches of {batch_size} from {len(data)} examples: need at least 1 each")
    precision = torch.bfloat16 if mixed_precision is True else mixed_precision or None
    if precision not in (None, torch.bfloat16, torch.float16):
        raise ValueError(
            f"mixed_precision={mixed_precision}, expected False, True (bfloat16), or torch.float16"
        )
    batch_size = min(batch_size, len(data))
    batches = len(data) // batch_size
    optimizers = [item for item in state.values() if isinstance(item, Optimizer)]
    peaks = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    run = {"seed": seed, "batch_size": batch_size, "examples": len(data)}
    if schedule is not None:
        run["steps"] = steps  # another end would have meant other learning rates from the start
    noise = torch.Generator(data.device).manual_seed(_stream(seed, 0))
    scaler = torch.amp.GradScaler(data.device.type, enabled=precision is torch.float16)
    history, order = History(), None

    with _own_randomness(data.device, seed), _ctrl_c() as pressed, _Bar(steps, progress) as bar:
        if checkpoint is not None and Path(checkpoint).exists():
            history = _load(Path(checkpoint), run, state, noise, scaler)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        try:
            for done in range(len(history), steps):
                started = time.perf_counter()
                epoch, position = divmod(done, batches)
                if order is None or position == 0:
                    shuffle = torch.Generator().manual_seed(_stream(seed, 1, epoch))
                    order = torch.randperm(len(data), generator=shuffle).to(data.device)
                batch = data[order[position * batch_size : (position + 1) * batch_size]]
                batch = batch if prepare is None else prepare(batch)
                for group, peak in zip(groups, peaks, strict=True):
                    group["lr"] = peak * (1.0 if schedule is None else schedule(done / steps))
                mixed = torch.autocast(data.device.type, precision, enabled=precision is not None)
                with mixed, scaled_by(scaler):
                    values = {name: float(value) for name, value in step(batch, noise).items()}
                for name, value in values.items():
                    if not math.isfinite(value):
                        raise FloatingPointError(
                            f"{name} became {value} in step {done + 1}: start again with a lower "
                            "learning rate, or clip the gradients"
                        )
                    history.values.setdefault(name, []).append(value)
                past = history.seconds[-1] if done else 0.0
                history.seconds.append(past + time.perf_counter() - started)
                bar.show(done + 1, values)

                stop, last = pressed(), done + 1 == steps
                due = evaluate_every and (done + 1) % evaluate_every == 0
                if evaluate is not None and (last or due):
                    at = {"step": done + 1, "seconds": history.seconds[-1]}
                    history.evaluations.append({**at, **evaluate()})
                if checkpoint is not None and (last or stop or (done + 1) % checkpoint_every == 0):
                    _save(Path(checkpoint), run, state, noise, scaler, history)
                if stop:
                    break
        finally:
            for group, peak in zip(groups, peaks, strict=True):
                group["lr"] = peak
    history.interrupted = len(history) < steps
    return history


def _stream(seed: int, *name: int) -> int:
    """A different seed for each use, so that no two of them draw the same numbers."""
    # As an int before the shift: NumPy 1 shifts no uint64 by one.
    return int(np.random.SeedSequence((seed, *name)).generate_state(1, np.uint64)[0]) >> 1


@contextlib.contextmanager
def _own_randomness(where: torch.device, seed: int) -> Iterator[None]:
    """A block with a seeded global state, from which layers such as dropout draw."""
    cuda = where.type == "cuda"
    with torch.random.fork_rng(devices=[where] if cuda else []):
        torch.default_generator.manual_seed(_stream(seed, 2))
        if cuda:
            with torch.cuda.device(where):
                torch.cuda.manual_seed(_stream(seed, 2))
        yield


@contextlib.contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C only asks to stop, so that an update is completed; a second one aborts."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():  # signals don't come here
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _save(
    path: Path,
    run: object,
    state: Any,
    noise: torch.Generator,
    scaler: torch.amp.GradScaler,
    history: History,
) -> None:
    cuda = noise.device.type == "cuda"
    content = {
        "run": run,
        "state": {name: item.state_dict() for name, item in state.items()},
        "noise": noise.get_state(),
        "scaler": scaler.state_dict(),
        "global": torch.get_rng_state(),
        "global_cuda": torch.cuda.get_rng_state(noise.device) if cuda else None,
        "history": [history.values, history.seconds, history.evaluations],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as part:
        torch.save(content, part)


def _load(
    path: Path,
    run: object,
    state: Any,
    noise: torch.Generator,
    scaler: torch.amp.GradScaler,
) -> History:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        saved = content["run"], sorted(content["state"])
    except Exception as error:
        raise ValueError(
            f"{path} is not a checkpoint of a training run ({error}): delete it"
        ) from error
    if saved != (run, sorted(state)):
        raise ValueError(
            f"{path} belongs to another run, {saved}, this one is {(run, sorted(state))}: "
            "delete it to start again, or name another file"
        )
    for name, item in state.items():
        item.load_state_dict(content["state"][name])
    noise.set_state(content["noise"])
    if scaler.is_enabled() and content["scaler"]:
        scaler.load_state_dict(content["scaler"])
    torch.set_rng_state(content["global"])
    if content["global_cuda"] is not None and noise.device.type == "cuda":
        torch.cuda.set_rng_state(content["global_cuda"], noise.device)
    values, seconds, evaluations = content["history"]
    return History(values, seconds, evaluations)


class _Bar:
    """A bar on the terminal; in a notebook one short line that changes in place."""

    def __init__(self, total: int, wanted: bool) -> None:
        self.total, self.started, self.shown = total, time.monotonic(), -math.inf
        self.bar: Any = None
        self.line: Any = None
        if wanted and _in_notebook():
            from IPython import display

            show: Any = display.display
            self.line = show({"text/plain": ""}, raw=True, display_id=True)
        elif wanted:
            self.bar = tqdm(total=total, leave=False, unit="step", mininterval=0)

    def show(self, done: int, values: Mapping[str, float]) -> None:
        now, last = time.monotonic(), done == self.total
        if now - self.shown < 0.2 and not last:
            return
        self.shown, elapsed = now, now - self.started
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        if self.bar is not None:
            self.bar.set_postfix_str(numbers, refresh=False)
            self.bar.update(done - self.bar.n)
        elif self.line is not None:
            text = f"{done} steps in {elapsed:.0f} s, the last with {numbers}"
            if not last:
                text = tqdm.format_meter(done, self.total, elapsed, ncols=100, postfix=numbers)
            self.line.update({"text/plain": text}, raw=True)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None

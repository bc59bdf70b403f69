"""The loop: reproducible, resumable to the bit, interruptible, and clear when it stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from gqlib import training
from gqlib.models.updates import update

DATA = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))


class Run:
    """A small model that uses the batch, the generator, dropout and Adam's state."""

    def __init__(self, lr: float = 0.05) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            self.model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        self.state = {"model": self.model, "optimizer": self.optimizer}
        self.batches: list[torch.Tensor] = []
        self.rates: list[float] = []

    def step(self, batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
        self.batches.append(batch)
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        noise = torch.randn(len(batch), 1, generator=generator)
        loss = (self.model(batch) - batch.sum(1, keepdim=True) - 0.1 * noise).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}

    def fit(self, steps: int, step=None, **options) -> training.History:
        options = {"batch_size": 16, "progress": False, **options}
        return training.fit(step or self.step, DATA, self.state, steps=steps, **options)

    def weights(self) -> torch.Tensor:
        return torch.cat([p.detach().flatten() for p in self.model.parameters()])


def test_device() -> None:
    assert training.device("cpu") == torch.device("cpu")
    assert training.device().type in ("cuda", "mps", "cpu")
    with pytest.raises(ValueError, match=r"there is no device 'tpu' on this machine: choose from"):
        training.device("tpu")
    with pytest.raises(ValueError, match=r"'cuda:99'.*cpu, or pass None"):
        training.device("cuda:99")


def test_device_prefers_cuda_then_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert training.device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert training.device() == torch.device("cuda:0")
    assert training.device("cuda:1") == torch.device("cuda:1")
    assert training.device("cuda") == torch.device("cuda")
    with pytest.raises(ValueError, match="cuda:0, cuda:1, mps, cpu"):
        training.device("cuda:2")


def test_a_run_depends_on_its_seed_alone() -> None:
    one, two, other = Run(), Run(), Run()
    before = torch.get_rng_state()
    first = one.fit(9)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    second = two.fit(9)
    assert first["loss"] == second["loss"]
    assert torch.equal(one.weights(), two.weights())
    assert other.fit(9, seed=1)["loss"] != first["loss"]


def test_an_epoch_sees_each_example_at_most_once_and_in_a_new_order() -> None:
    run = Run()
    history = run.fit(6)  # 50 examples in batches of 16: three a epoch
    assert len(history) == 6 == len(history["loss"])
    assert history.seconds == sorted(history.seconds)
    first, second = torch.cat(run.batches[:3]), torch.cat(run.batches[3:])
    assert len(first.unique(dim=0)) == len(second.unique(dim=0)) == 48
    assert not torch.equal(first, second)


def test_few_examples_make_one_batch() -> None:
    run = Run()
    run.fit(2, batch_size=1000)
    assert [len(batch) for batch in run.batches] == [50, 50]


def test_prepare_makes_the_batch() -> None:
    run = Run()
    run.fit(1, prepare=lambda rows: (rows > 0.5).float())
    assert set(run.batches[0].unique().tolist()) == {0.0, 1.0}


def test_one_cycle_rises_and_falls() -> None:
    run = Run(lr=0.02)
    run.fit(100, schedule=training.one_cycle)
    assert run.rates[0] == pytest.approx(0.02 * 0.04)
    assert max(run.rates) == pytest.approx(0.02, rel=1e-2)
    assert run.rates.index(max(run.rates)) == 30
    assert run.rates[-1] < 0.02 * 0.005
    assert run.optimizer.param_groups[0]["lr"] == 0.02
    assert training.one_cycle(1.0) == pytest.approx(1e-4)


@pytest.mark.parametrize("stop", [3, 4, 7])
@pytest.mark.parametrize("schedule", [None, training.one_cycle])
def test_resumed_is_bitwise_the_uninterrupted_run(tmp_path: Path, stop: int, schedule) -> None:
    file = tmp_path / "deep" / "run.pt"
    whole = Run()
    expected = whole.fit(
        11,
        schedule=schedule,
        evaluate=lambda: {"w": float(whole.weights().sum())},
        evaluate_every=2,
    )

    broken = Run()

    def crash(batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
        if len(broken.batches) == stop + 1:
            raise MemoryError
        return broken.step(batch, generator)

    options = {"schedule": schedule, "checkpoint": file, "checkpoint_every": stop}
    with pytest.raises(MemoryError):
        broken.fit(
            11,
            crash,
            evaluate=lambda: {"w": float(broken.weights().sum())},
            evaluate_every=2,
            **options,
        )

    resumed = Run()
    history = resumed.fit(
        11, evaluate=lambda: {"w": float(resumed.weights().sum())}, evaluate_every=2, **options
    )
    assert len(resumed.batches) == 11 - stop
    assert torch.equal(resumed.weights(), whole.weights())
    assert history["loss"] == expected["loss"]
    for got, want in zip(history.evaluations, expected.evaluations, strict=True):
        assert (got["step"], got["w"]) == (want["step"], want["w"])
    state, want = resumed.optimizer.state_dict(), whole.optimizer.state_dict()
    assert all(
        torch.equal(state["state"][i]["exp_avg_sq"], want["state"][i]["exp_avg_sq"])
        for i in want["state"]
    )
    assert state["param_groups"] == want["param_groups"]
    again = Run()
    assert again.fit(11, **options)["loss"] == expected["loss"]
    assert not again.batches
    assert list(file.parent.iterdir()) == [file]


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    file, whole, part = tmp_path / "run.pt", Run(), Run()
    part.fit(4, checkpoint=file)
    part = Run()
    part.fit(9, checkpoint=file)
    whole.fit(9)
    assert torch.equal(part.weights(), whole.weights())


def test_a_write_that_fails_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.pt"
    Run().fit(4, checkpoint=file)
    before = file.read_bytes()

    def half(content: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        Run().fit(8, checkpoint=file)
    assert file.read_bytes() == before


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    Run().fit(2, checkpoint=file)
    with pytest.raises(ValueError, match=r"belongs to another run.*delete it to start again"):
        Run().fit(2, checkpoint=file, seed=1)
    with pytest.raises(ValueError, match=r"belongs to another run"):
        Run().fit(2, checkpoint=file, schedule=training.one_cycle)
    file.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"is not a checkpoint"):
        Run().fit(2, checkpoint=file)


def test_ctrl_c_finishes_the_step_and_keeps_what_was_learned(tmp_path: Path) -> None:
    file = tmp_path / "run.pt"
    whole, run = Run(), Run()
    whole.fit(10)

    def press(batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
        if len(run.batches) == 4:
            signal.raise_signal(signal.SIGINT)
        return run.step(batch, generator)

    handler = signal.getsignal(signal.SIGINT)
    history = run.fit(10, press, checkpoint=file, evaluate=lambda: {"one": 1.0})
    assert history.interrupted
    assert len(history) == len(run.batches) == 5
    assert history.evaluations == []
    assert signal.getsignal(signal.SIGINT) is handler
    resumed = Run()
    assert not resumed.fit(10, checkpoint=file).interrupted
    assert torch.equal(resumed.weights(), whole.weights())


def test_a_second_ctrl_c_breaks_off() -> None:
    def stuck(batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        Run().fit(10, stuck)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, value: float) -> None:
    run, file = Run(), tmp_path / "run.pt"

    def bad(batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
        return {"loss": value if len(run.batches) == 3 else run.step(batch, generator)["loss"]}

    with pytest.raises(
        FloatingPointError, match=rf"loss became {value} in step 4: .*learning rate"
    ):
        run.fit(10, bad, schedule=training.one_cycle, checkpoint=file, checkpoint_every=1)
    assert run.optimizer.param_groups[0]["lr"] == 0.05
    assert len(torch.load(file, weights_only=True)["history"][1]) == 3


def test_mixed_precision_only_when_asked() -> None:
    seen: list[torch.dtype] = []
    run = Run()

    def look(batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
        seen.append(run.model(batch).dtype)
        return {"loss": 0.0}

    run.fit(1, look)
    run.fit(1, look, mixed_precision=True)
    run.fit(1, look, mixed_precision=torch.bfloat16)
    run.fit(1, look, mixed_precision=torch.float16)
    assert seen == [torch.float32, torch.bfloat16, torch.bfloat16, torch.float16]
    with pytest.raises(ValueError, match=r"mixed_precision=torch\.float64, expected False, True"):
        run.fit(1, look, mixed_precision=torch.float64)


def test_float16_scales_the_loss_and_resumes(tmp_path: Path) -> None:
    """A gradient of 1e-7 is 0 in float16, unless the loss was scaled."""

    def one(steps: int, file: Path | None = None, run: Run | None = None) -> Run:
        run = run or Run()

        def step(batch: torch.Tensor, generator: torch.Generator) -> dict[str, float]:
            loss = 1e-7 * run.model(batch).float().mean()
            update(loss, run.optimizer)
            largest = max(float(p.grad.abs().max()) for p in run.model.parameters())
            return {"loss": loss.item(), "gradient": largest}

        run.history = run.fit(
            steps, step, mixed_precision=torch.float16, checkpoint=file, checkpoint_every=1
        )
        return run

    file = tmp_path / "run.pt"
    whole = one(6, file)
    assert min(whole.history["gradient"]) > 1e-9
    saved = torch.load(file, weights_only=True)["scaler"]
    assert saved["scale"] > 1
    assert saved["_growth_tracker"] == 6
    again = tmp_path / "again.pt"
    one(2, again)
    assert torch.equal(one(6, again).weights(), whole.weights())
    assert torch.load(again, weights_only=True)["scaler"] == saved


def test_data_and_model_must_be_on_one_device() -> None:
    run = Run()
    with pytest.raises(ValueError, match=r"model is on cpu and the data on meta: move one"):
        training.fit(run.step, DATA.to("meta"), run.state, steps=1)
    with pytest.raises(ValueError, match=r"from 0 examples"):
        training.fit(run.step, DATA[:0], run.state, steps=1)


def test_the_bar_goes_to_stderr_and_leaves_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Run().fit(3, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "loss" in err
    assert err.endswith("\r")
    Run().fit(3)
    assert capfd.readouterr() == ("", "")


def test_import_stays_light() -> None:
    code = "import sys, gqlib.training, gqlib.models.vae; print(*sys.modules)"
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout.split()
    assert not {"matplotlib", "torchvision", "IPython", "pandas"} & set(loaded)

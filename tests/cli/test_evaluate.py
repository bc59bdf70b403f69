"""``gqlib evaluate`` as its user meets it: folders in, a table, JSON or a page out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gqlib
from gqlib import cli, data
from gqlib.features import Extractor, digit_features
from gqlib.metrics import GaussianStatistics, evaluate, frechet_distance

N = 60


def _folder(path: Path, images: torch.Tensor, labels: torch.Tensor, suffix: str = ".png") -> Path:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        target = path / str(int(label)) / f"{i:04}{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.numpy()).save(target)
    return path


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four disjoint folders of digits, and the fakes once more as an array."""
    root = tmp_path_factory.mktemp("sets")
    digits = data.load("mnist", "test")
    found = {}
    for index, name in enumerate(("real", "fake", "train", "holdout")):
        rows = slice(index * N, index * N + N)
        found[name] = _folder(root / name, digits.images[rows], digits.labels[rows])
    np.savez(root / "fake.npz", images=digits.images[N : 2 * N].numpy())
    found["array"] = root / "fake.npz"
    return found


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "90")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: exit status, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            status = cli.main(["evaluate", *map(str, arguments)])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def _json(run: Run, *arguments: object) -> dict[str, object]:
    status, out, err = run(*arguments, "--json", "-", "--quiet")
    assert status == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def _features(folder: Path) -> torch.Tensor:
    paths = sorted(folder.rglob("*.png"), key=lambda p: p.relative_to(folder).as_posix())
    return digit_features(np.stack([np.array(Image.open(path)) for path in paths]))


def test_a_table_for_people(run: Run, sets: dict[str, Path]) -> None:
    status, out, _ = run(
        sets["real"],
        sets["fake"],
        "--train",
        sets["train"],
        "--holdout",
        sets["holdout"],
        "--labels",
        "folders",
    )
    assert status == 0
    for words in ("Fréchet", "precision", "coverage", "ollapse", "emorisation", "ias", "rtifacts"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 90


def test_json_holds_what_the_library_says(run: Run, sets: dict[str, Path]) -> None:
    found = _json(run, sets["real"], sets["fake"], "--labels", "folders")
    real, fake = _features(sets["real"]), _features(sets["fake"])
    evaluation = found["evaluation"]
    assert isinstance(evaluation, dict)
    expected = evaluate(real, fake, confidence=0.95)
    assert evaluation["frechet_distance"]["value"] == pytest.approx(
        float(expected.frechet_distance), rel=1e-4
    )
    assert expected.neighbour_scores is not None
    assert evaluation["neighbour_scores"]["coverage"] == expected.neighbour_scores.coverage
    assert evaluation["representation_gap"]["n_real"] == N


def test_every_kind_of_input_gives_the_same_answer(
    run: Run, sets: dict[str, Path], tmp_path: Path
) -> None:
    fast = ("--no-intervals",)
    whole = _json(run, sets["real"], sets["fake"], *fast)["evaluation"]
    assert isinstance(whole, dict)
    images = np.load(sets["array"])["images"]
    order = [int(p.stem) for p in sorted(sets["fake"].rglob("*.png"))]
    torch.save(torch.from_numpy(images[order]), tmp_path / "fake.pt")
    for other in (sets["array"], tmp_path / "fake.pt"):
        found = _json(run, sets["real"], other, *fast)["evaluation"]
        assert isinstance(found, dict)
        assert found["frechet_distance"]["value"] == pytest.approx(
            whole["frechet_distance"]["value"], rel=1e-6
        )
    for name in ("real", "fake"):
        np.save(tmp_path / f"{name}.npy", _features(sets[name]).numpy())
    found = _json(run, tmp_path / "real.npy", tmp_path / "fake.npy", *fast)["evaluation"]
    assert isinstance(found, dict)
    assert found["frechet_distance"]["value"] == pytest.approx(
        whole["frechet_distance"]["value"], rel=1e-4
    )


def test_saved_statistics_stand_for_the_real_side(
    run: Run, sets: dict[str, Path], tmp_path: Path
) -> None:
    saved = tmp_path / "real.npz"
    whole = _json(run, sets["real"], sets["fake"], "--save-statistics", saved)["evaluation"]
    again = _json(run, saved, sets["fake"])["evaluation"]
    assert isinstance(whole, dict)
    assert isinstance(again, dict)
    assert again["frechet_distance"]["value"] == pytest.approx(
        whole["frechet_distance"]["value"], rel=1e-9
    )
    assert again["n_real"] == N
    status, _, err = run(saved, sets["fake"], "--features", "pixels", "--quiet")
    assert status == 2
    assert "digits" in err
    assert "pixels" in err


def test_pytorch_fids_statistics(run: Run, sets: dict[str, Path], tmp_path: Path) -> None:
    real = _features(sets["real"]).double()
    np.savez(tmp_path / "foreign.npz", mu=real.mean(0).numpy(), sigma=np.cov(real.numpy().T))
    found = _json(run, tmp_path / "foreign.npz", sets["fake"])
    evaluation = found["evaluation"]
    assert isinstance(evaluation, dict)
    assert evaluation["n_real"] is None
    assert evaluation["frechet_distance"]["value"] == pytest.approx(
        float(frechet_distance(real, _features(sets["fake"]))), rel=1e-4
    )
    assert "number of samples behind the real statistics is unknown" in json.dumps(found)


def test_the_page_is_one_file(run: Run, sets: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    status, _, err = run(sets["real"], sets["fake"], "--html", page)
    assert status == 0
    assert str(page) in err
    text = page.read_text()
    assert text.count("<h1") == 1
    assert "<script" not in text
    assert not [p for p in tmp_path.iterdir() if p.name not in ("cache", "report.html")]


def test_groups_from_folders_classes_or_files(
    run: Run, sets: dict[str, Path], tmp_path: Path
) -> None:
    by_folder = _json(run, sets["real"], sets["fake"], "--labels", "folders", "--no-intervals")
    for name in ("real", "fake"):
        labels = [p.parent.name for p in sorted(sets[name].rglob("*.png"))]
        (tmp_path / f"{name}.txt").write_text("\n".join(labels) + "\n")
    files = (tmp_path / "real.txt", tmp_path / "fake.txt")
    by_file = _json(run, sets["real"], sets["fake"], "--labels", *files, "--no-intervals")
    predicted = _json(run, sets["real"], sets["fake"], "--labels", "predicted", "--no-intervals")
    gaps = []
    for found in (by_folder, by_file, predicted):
        evaluation = found["evaluation"]
        assert isinstance(evaluation, dict)
        gaps.append(evaluation["representation_gap"]["value"])
    assert gaps[0] == gaps[1] == pytest.approx(gaps[2], abs=0.05)


def test_a_second_run_computes_nothing(sets: dict[str, Path], tmp_path: Path) -> None:
    """Renamed files and all: the cache goes by content."""
    calls = []

    class Counting(Extractor):
        name, resize, dims, cacheable = "counting sha256:0", "none", 4, True

        def prepare(self, image: torch.Tensor) -> torch.Tensor:
            return image

        def features_and_probabilities(self, batch: torch.Tensor) -> tuple[torch.Tensor, None]:
            calls.append(len(batch))
            return batch.float().reshape(len(batch), 4, -1).mean(2), None

        def __call__(self, batch: torch.Tensor) -> torch.Tensor:
            return self.features_and_probabilities(batch)[0]

        def probabilities(self, batch: torch.Tensor) -> None:
            return None

    options = {"features": Counting(), "cache": tmp_path / "c", "confidence": None}
    first = gqlib.evaluate(sets["real"], sets["fake"], **options)
    assert sum(calls) == 2 * N
    moved = tmp_path / "moved"
    for path in sets["fake"].rglob("*.png"):
        (moved / "x").mkdir(parents=True, exist_ok=True)
        (moved / "x" / f"{path.parent.name}{path.name}").write_bytes(path.read_bytes())
    second = gqlib.evaluate(sets["real"], moved, **options)
    assert sum(calls) == 2 * N
    assert first is not None
    assert second is not None
    assert float(first.evaluation.frechet_distance) == pytest.approx(
        float(second.evaluation.frechet_distance), rel=1e-12
    )


def test_arrays_in_memory_show_themselves_in_a_notebook(sets: dict[str, Path]) -> None:
    images = np.load(sets["array"])["images"]
    report = gqlib.evaluate(images, torch.from_numpy(images[::-1].copy()))
    assert report is not None
    assert "same" not in report.evaluation.warnings
    assert "<section" in report._repr_html_() or "<div" in report._repr_html_()


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "gqlib", "evaluate", *map(str, arguments)]


_SLOW = """
import time
def features(batch):
    time.sleep(0.5)
    return batch.float().flatten(1)[:, ::97]
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_with_a_sentence(sets: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(_SLOW)
    command = _command(
        sets["real"],
        sets["fake"],
        "--features",
        "mine:features",
        "--batch-size",
        2,
        "--json",
        tmp_path / "out.json",
    )
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell has what it runs in the background ignore Ctrl-C, these tests and their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "out.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="limits")
def test_a_full_disk_leaves_nothing(sets: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    command = _command(
        sets["real"],
        sets["fake"],
        "--no-cache",
        "--quiet",
        "--no-intervals",
        "--html",
        target / "report.html",
    )
    limited = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *command]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "report.html" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(target.iterdir()) == []


@pytest.mark.slow
def test_two_processes_give_the_same_numbers(sets: dict[str, Path], tmp_path: Path) -> None:
    arguments = (sets["real"], sets["fake"], "--no-cache", "--quiet", "--labels", "predicted")
    alone = subprocess.run(
        _command(*arguments, "--json", tmp_path / "one.json"), check=True, capture_output=True
    )
    assert alone.returncode == 0
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--standalone",
        "-m",
    ]
    command = _command(*arguments, "--json", tmp_path / "two.json")[2:]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, *command], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("one", "two"))
    _same(one["evaluation"], two["evaluation"])


def _same(one: object, two: object) -> None:
    if isinstance(one, dict):
        assert isinstance(two, dict)
        assert one.keys() == two.keys()
        for key in one:
            _same(one[key], two[key])
    elif isinstance(one, float):
        assert two == pytest.approx(one, rel=1e-10, abs=1e-12)
    else:
        assert one == two


def _png(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _truncated(root: Path) -> Path:
    path = _png(root / "broken" / "a.png", _noise(28, 28))
    _png(root / "broken" / "b.png", _noise(28, 28))
    path.write_bytes(path.read_bytes()[:-300])
    return path.parent


def _animated(root: Path) -> Path:
    frames = [Image.fromarray(_noise(28, 28, 3)), Image.fromarray(255 - _noise(28, 28, 3))]
    (root / "moving").mkdir()
    frames[0].save(root / "moving" / "a.webp", save_all=True, append_images=frames[1:])
    return root / "moving"


def _array(root: Path, name: str, **arrays: np.ndarray) -> Path:
    np.savez(root / name, **arrays)
    return root / name


def _file(root: Path, name: str, content: bytes | str) -> Path:
    path = root / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _nan(rows: int = 20) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(rows, 4))
    x[3, 2] = np.nan
    return x


def _normal(rows: int, d: int = 4) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(rows, d))


# From a folder to the arguments after REAL and FAKE's good ones, and a part of the sentence.
BAD: dict[str, tuple[Callable[[Path, dict[str, Path]], list[object]], str]] = {
    "missing folder": (lambda t, s: [t / "nowhere", s["fake"]], "nowhere"),
    "missing fake": (lambda t, s: [s["real"], t / "nowhere"], "nowhere"),
    "empty folder": (lambda t, s: [s["real"], _empty(t)], "is empty"),
    "a text file": (lambda t, s: [s["real"], _file(t, "a.txt", "hello")], "a.txt"),
    "truncated image": (lambda t, s: [s["real"], _truncated(t)], "a.png"),
    "animated WebP": (lambda t, s: [s["real"], _animated(t)], "a.webp"),
    "one image": (lambda t, s: [s["real"], _png(t / "one" / "a.png", _noise(28, 28)).parent], "1"),
    "mixed sizes for digits": (
        lambda t, s: [s["real"], _mixed(t), "--features", "digits"],
        "28",
    ),
    "mixed sizes for pixels": (lambda t, s: [s["real"], _mixed(t), "--features", "pixels"], "size"),
    "colour for digits": (
        lambda t, s: [s["real"], _colour(t), "--features", "digits"],
        "colour",
    ),
    "bad npz": (lambda t, s: [s["real"], _file(t, "x.npz", "nonsense")], "x.npz"),
    "truncated pt": (lambda t, s: [s["real"], _file(t, "x.pt", b"PK\x03\x04zz")], "x.pt"),
    "a pickle": (lambda t, s: [s["real"], _pickle(t)], "x.npy"),
    "floats to 255": (
        lambda t, s: [s["real"], _array(t, "f.npz", images=_noise(9, 28, 28) * 1.0)],
        "[0, 1]",
    ),
    "NaN features": (
        lambda t, s: [_array(t, "a.npz", x=_nan()), _array(t, "b.npz", x=_normal(20))],
        "NaN",
    ),
    "different widths": (
        lambda t, s: [_array(t, "a.npz", x=_normal(20)), _array(t, "b.npz", x=_normal(20, 5))],
        "4 features",
    ),
    "images and features": (
        lambda t, s: [s["real"], _array(t, "b.npz", x=_normal(20, 64))],
        "one kind",
    ),
    "one row of features": (
        lambda t, s: [_array(t, "a.npz", x=_normal(1)), _array(t, "b.npz", x=_normal(20))],
        "at least 2",
    ),
    "wrong rank": (lambda t, s: [s["real"], _array(t, "a.npz", x=_normal(20)[0])], "shape"),
    "two arrays": (
        lambda t, s: [s["real"], _array(t, "a.npz", x=_normal(20), y=_normal(20))],
        "x",
    ),
    "future statistics": (
        lambda t, s: [_statistics(t, version=99), s["fake"]],
        "version",
    ),
    "statistics of others": (
        lambda t, s: [_statistics(t, extractor="inception"), s["fake"]],
        "inception",
    ),
    "statistics resized otherwise": (
        lambda t, s: [_statistics(t, extractor=_digits_name(), resize="nearest"), s["fake"]],
        "resized",
    ),
    "statistics of another width": (
        lambda t, s: [_array(t, "s.npz", mu=np.zeros(3), sigma=np.eye(3)), s["fake"]],
        "3 features",
    ),
    "statistics that are no covariance": (
        lambda t, s: [_array(t, "s.npz", mu=np.zeros(64), sigma=-np.eye(64)), s["fake"]],
        "positive",
    ),
    "unknown features": (lambda t, s: [s["real"], s["fake"], "--features", "resnet"], "resnet"),
    "a missing module": (lambda t, s: [s["real"], s["fake"], "--features", "no.such:f"], "no.such"),
    "weights for digits": (
        lambda t, s: [s["real"], s["fake"], "--weights", t / "w.pth"],
        "weights",
    ),
    "missing weights": (
        lambda t, s: [s["real"], s["fake"], "--features", "inception", "--weights", t / "w.pth"],
        "w.pth",
    ),
    "foreign weights": (
        lambda t, s: [s["real"], s["fake"], "--features", "inception", "--weights", _weights(t)],
        "w.pt",
    ),
    "unknown resize": (
        lambda t, s: [s["real"], s["fake"], "--features", "inception", "--resize", "magic"],
        "magic",
    ),
    "unknown device": (lambda t, s: [s["real"], s["fake"], "--device", "tpu"], "tpu"),
    "confidence in percent": (lambda t, s: [s["real"], s["fake"], "--confidence", 95], "95"),
    "k = 0": (lambda t, s: [s["real"], s["fake"], "--k", 0], "k=0"),
    "batch of none": (lambda t, s: [s["real"], s["fake"], "--batch-size", 0], "batch_size"),
    "labels of one file": (lambda t, s: [s["real"], s["fake"], "--labels", "x.txt"], "two files"),
    "labels missing": (
        lambda t, s: [s["real"], s["fake"], "--labels", t / "a.txt", t / "b.txt"],
        "a.txt",
    ),
    "too few labels": (
        lambda t, s: [s["real"], s["fake"], "--labels", *_two(_file(t, "a.txt", "1\n2\n"))],
        "2 labels for 60",
    ),
    "labels by folder without folders": (
        lambda t, s: [s["real"], _flat(t), "--labels", "folders"],
        "sub-folder",
    ),
    "predicted by pixels": (
        lambda t, s: [s["real"], s["fake"], "--features", "pixels", "--labels", "predicted"],
        "classifier",
    ),
    "train of another width": (
        lambda t, s: [
            _array(t, "a.npz", x=_normal(20)),
            _array(t, "b.npz", x=_normal(20)),
            "--train",
            _array(t, "c.npz", x=_normal(20, 3)),
        ],
        "train 3",
    ),
    "train by statistics": (
        lambda t, s: [s["real"], s["fake"], "--train", _statistics(t)],
        "train is given by its statistics",
    ),
    "unwritable html": (
        lambda t, s: [s["real"], s["fake"], "--html", t / "nowhere" / "r.html"],
        "r.html",
    ),
    "json into a folder": (lambda t, s: [s["real"], s["fake"], "--json", t], "folder"),
    "unknown option": (lambda t, s: [s["real"], s["fake"], "--frechet"], "--frechet"),
    "no fake": (lambda t, s: [s["real"]], "FAKE"),
}


def _empty(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def _mixed(root: Path) -> Path:
    _png(root / "mixed" / "a.png", _noise(28, 28))
    _png(root / "mixed" / "b.png", _noise(32, 28))
    return root / "mixed"


def _colour(root: Path) -> Path:
    for name in "ab":
        _png(root / "colour" / f"{name}.png", _noise(28, 28, 3))
    return root / "colour"


def _flat(root: Path) -> Path:
    for name in "ab":
        _png(root / "flat" / f"{name}.png", _noise(28, 28))
    return root / "flat"


def _pickle(root: Path) -> Path:
    np.save(root / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return root / "x.npy"


def _weights(root: Path) -> Path:
    torch.save({"layer": torch.zeros(3)}, root / "w.pt")
    return root / "w.pt"


def _two(path: Path) -> list[Path]:
    return [path, path]


def _digits_name() -> str:
    from gqlib.features import load_extractor

    return load_extractor("digits", device="cpu").name


def _statistics(root: Path, version: int = 1, extractor: str = "", resize: str = "") -> Path:
    path = root / "s.npz"
    x = torch.randn(200, 64, generator=torch.Generator().manual_seed(0))
    GaussianStatistics.from_features(x, extractor=extractor, resize=resize).save(path)
    with np.load(path) as file:
        arrays = {**file, "version": version}
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, run: Run, sets: dict[str, Path], tmp_path: Path) -> None:
    make, words = BAD[name]
    arguments = make(tmp_path, sets)
    before = sorted(p for p in tmp_path.rglob("*") if "cache" not in p.parts)
    outputs = tmp_path / "results.json", tmp_path / "page.html"
    if "--json" not in arguments and "--html" not in arguments:
        arguments = [*arguments, "--json", outputs[0], "--html", outputs[1]]
    status, out, err = run(*arguments, "--quiet", *([] if "95" in words else ["--no-intervals"]))
    assert status == 2, (out, err)
    assert words in err
    assert out == ""
    assert "Traceback" not in err
    if "usage:" not in err:
        assert err.startswith("gqlib evaluate: ")
        assert len(err.strip().splitlines()) == 1
    assert sorted(p for p in tmp_path.rglob("*") if "cache" not in p.parts) == before

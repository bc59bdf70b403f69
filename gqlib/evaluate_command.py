"""``gqlib evaluate REAL FAKE``: its options, its messages and its exit status.

0: measured · 2: bad input or an output that cannot be written, said in one sentence on stderr ·
130: interrupted. Only what was asked for goes to stdout; bars and messages go to stderr.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gqlib.report import Report

_DESCRIPTION = """\
Compare generated samples (FAKE) with real ones (REAL). Each is a folder of PNG, JPEG or WebP images
(searched recursively), a .npz, .npy, .pt or .safetensors file of images or features, or an .npz of
statistics, pytorch-fid's included."""

_EPILOG = """\
examples:
  gqlib evaluate photos/ generated/ --html report.html
  gqlib evaluate test/ generated/ --train train/ --holdout validation/ --labels folders
  gqlib evaluate photos/ generated/ --save-statistics photos.npz
  gqlib evaluate photos.npz generated/ --json -
  torchrun --nproc-per-node 4 -m gqlib evaluate photos/ generated/"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``gqlib evaluate``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add = parser.add_argument
    add("real", metavar="REAL", help="the real samples")
    add("fake", metavar="FAKE", help="the generated samples")
    add("--train", metavar="PATH", help="the training set, to test for memorisation")
    add("--holdout", metavar="PATH", help="samples that the model never saw, likewise")
    add(
        "--labels",
        nargs="+",
        default=[],
        metavar="LABELS",
        help="groups, to test for bias: folders (names of the sub-folders), predicted (the "
        "extractor's classes), or two files: the real side's and the fake one's",
    )
    add(
        "--features",
        default="auto",
        help="digits, inception, pixels or module:function; auto, the default, takes digits for "
        "28×28 grey images and inception for all others",
    )
    add("--weights", type=Path, metavar="FILE", help="inception's weights; else downloaded once")
    add("--resize", metavar="MODE", help="how inception resizes: bilinear (as pytorch-fid), …")
    add("--device", help="cpu, cuda, cuda:1, mps; by default the best there is")
    add("--mixed-precision", action="store_true", help="let inception compute in 16 bits")
    add("--batch-size", type=int, metavar="N", help="images that go through the extractor at once")
    add("--k", type=int, default=5, help="neighbours for precision, recall, density, coverage (5)")
    add("--confidence", type=float, default=0.95, metavar="LEVEL", help="of the intervals (0.95)")
    add("--no-intervals", action="store_true", help="leave them out: several times faster")
    add("--seed", type=int, default=0, help="of all that is random (0)")
    add("--json", metavar="FILE", help="write the results as JSON; - for stdout, and nothing else")
    add("--html", metavar="FILE", help="write a report with pictures: one self-contained page")
    add("--save-statistics", metavar="FILE", help="keep REAL's statistics, to be given as REAL")
    add("--cache", type=Path, metavar="DIR", help="where features are kept between runs")
    add("--no-cache", action="store_true", help="keep no features")
    add("--quiet", action="store_true", help="show no progress bars")


def run_evaluate(given: argparse.Namespace) -> int:
    """Run ``gqlib evaluate``; the return value is the exit status."""
    try:
        _evaluate(given)
    except KeyboardInterrupt:
        print(
            "\ngqlib evaluate: interrupted. The features so far are kept: the same command goes on "
            "from there.",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; Python would complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, ValueError) as error:
        print(f"gqlib evaluate: {_sentence(error)}", file=sys.stderr)
        return 2
    return 0


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _evaluate(given: argparse.Namespace) -> None:
    for path in (given.json, given.html, given.save_statistics):
        if path not in (None, "-"):
            _writable(Path(path))
    # A function of the user's own is looked for beside where the command is run.
    sys.path.insert(0, str(Path.cwd()))
    with _processes() as first:
        report = _compared(given)
        if first and report is not None:
            _write(report, given)


def _writable(path: Path) -> None:
    """An ``OSError`` now rather than after an hour's work, if ``path`` cannot be written."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected the name of a file to write")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


class _processes:
    """The process group of ``torchrun``, if it runs this; tells whether this is the first one."""

    def __enter__(self) -> bool:
        self.started = int(os.environ.get("WORLD_SIZE", "1")) > 1
        if not self.started:
            return True
        import torch

        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        torch.distributed.init_process_group("nccl" if gpu else "gloo")
        return torch.distributed.get_rank() == 0

    def __exit__(self, *_: object) -> None:
        if self.started:
            from gqlib.features.extraction import end_process_group

            end_process_group()


def _compared(given: argparse.Namespace) -> Report | None:
    from gqlib.comparison import Options, compare
    from gqlib.features.extraction import default_cache

    device = given.device
    if device is None and "LOCAL_RANK" in os.environ:
        import torch

        if torch.cuda.is_available():
            device = f"cuda:{torch.cuda.current_device()}"
    options = Options(
        features=given.features,
        weights=given.weights,
        resize=given.resize,
        device=device,
        mixed_precision=given.mixed_precision,
        batch_size=given.batch_size,
        cache=None if given.no_cache else given.cache or default_cache(),
        k=given.k,
        confidence=None if given.no_intervals else given.confidence,
        seed=given.seed,
        progress=not given.quiet,
    )
    return compare(
        given.real,
        given.fake,
        train=given.train,
        holdout=given.holdout,
        labels=given.labels,
        save_statistics=given.save_statistics,
        options=options,
    )


def _write(report: Report, given: argparse.Namespace) -> None:
    if given.html is not None:
        report.save_html(given.html)
    if given.json == "-":
        print(report.json(indent=2), flush=True)
        return
    if given.json is not None:
        report.save_json(given.json)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal may know fewer letters
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(report.text(width=width, colour=colour), flush=True)
    for path in (given.html, given.json, given.save_statistics):
        if path is not None:
            print(f"Wrote {path}", file=sys.stderr)

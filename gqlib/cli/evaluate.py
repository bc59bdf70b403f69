"""``gqlib evaluate REAL FAKE``: its options, its messages and its exit status.

0: measured · 2: bad input or an output that cannot be written, with one sentence on stderr ·
130: interrupted. Results go to stdout; progress bars and messages go to stderr.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gqlib._utils.distributed import ProcessGroup

if TYPE_CHECKING:
    from gqlib.evaluation import Report

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


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "evaluate",
        help="compare generated samples with real ones",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
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
    add(
        "--resize",
        metavar="MODE",
        help="how inception resizes: bilinear (the default, as pytorch-fid), bilinear-antialias, "
        "bicubic-antialias or tf-bilinear",
    )
    add("--device", help="cpu, cuda, cuda:1 or mps (default: the best available)")
    add("--mixed-precision", action="store_true", help="let inception compute in 16 bits")
    add("--batch-size", type=int, metavar="N", help="images that go through the extractor at once")
    add(
        "--k",
        type=int,
        default=5,
        help="neighbours for precision, recall, density, coverage (default: 5)",
    )
    add("--confidence", type=float, default=0.95, metavar="LEVEL", help="of the intervals (0.95)")
    add("--no-intervals", action="store_true", help="no intervals: several times faster")
    add("--seed", type=int, default=0, help="random seed (default: 0)")
    add("--json", metavar="FILE", help="write the results as JSON; - for JSON alone on stdout")
    add("--html", metavar="FILE", help="write a report with pictures: one self-contained page")
    add(
        "--save-statistics",
        metavar="FILE",
        help="save REAL's statistics, to be given as REAL next time",
    )
    add("--cache", type=Path, metavar="DIR", help="where features are kept between runs")
    add("--no-cache", action="store_true", help="keep no features")
    add("--quiet", action="store_true", help="show no progress bars")


def run(given: argparse.Namespace) -> int:
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
        # The reader of the output has closed it, as `head` does; Python would complain at exit.
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
    # A user's function is looked for in the folder where the command is run.
    sys.path.insert(0, str(Path.cwd()))
    with ProcessGroup() as first:
        report = _report(given)
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


def _report(given: argparse.Namespace) -> Report | None:
    from gqlib._utils.cache_folder import feature_cache
    from gqlib.evaluation import evaluate

    return evaluate(
        given.real,
        given.fake,
        train=given.train,
        holdout=given.holdout,
        labels=_labels(given.labels),
        features=given.features,
        weights=given.weights,
        resize=given.resize,
        device=_device() if given.device is None else given.device,
        mixed_precision=given.mixed_precision,
        batch_size=given.batch_size,
        cache=None if given.no_cache else given.cache or feature_cache(),
        k=given.k,
        confidence=None if given.no_intervals else given.confidence,
        seed=given.seed,
        progress=not given.quiet,
    )


def _labels(words: list[str]) -> str | tuple[str, str] | None:
    match words:
        case []:
            return None
        case ["folders" | "predicted" as word]:
            return word
        case [real, fake]:
            return real, fake
    raise ValueError(
        f"labels are {' '.join(words)!r}, expected folders, predicted, or two files: the real "
        "side's labels and the fake one's"
    )


def _device() -> str | None:
    """The GPU of this process under ``torchrun``."""
    if "LOCAL_RANK" not in os.environ:
        return None
    import torch

    return f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else None


def _write(report: Report, given: argparse.Namespace) -> None:
    if given.save_statistics is not None:
        report.save_statistics(given.save_statistics)
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

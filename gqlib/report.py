"""The quality report: what an evaluation says of the four failures, in words and pictures.

One :class:`Report` gives itself as text for a terminal, as JSON for programs, and as a page of one
file for readers; the page's content is also what a notebook shows. Each form says first what was
found, then the numbers with what a faithful model would get, then what to be careful about.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from torch import Tensor

from gqlib import __version__, pictures
from gqlib.metrics import Evaluation, GapResult, Interval, Result
from gqlib.metrics.result import plain, strict
from gqlib.pictures import number, percent, shown, signs
from gqlib.verdicts import Verdict, verdicts

#: Of the JSON; counted up when a reader of it would have to change.
FORMAT_VERSION = 1
#: Images on a wall, and pairs of neighbours.
_WALL, _PAIRS = 64, 24


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Material:
    """What the report's pictures are made of; a picture without its material is left out.

    Attributes:
        real_images: Real images, uint8 [C, H, W]; the first 64 are shown.
        fake_images: Fakes, likewise.
        real_features: (N, D), for the map.
        fake_features: (M, D).
        neighbours: A fake, the training image nearest to it (a real one where no training set was
            given) and their distance; the most suspicious first.
        real_spectrum: What :func:`gqlib.metrics.spectrum.radial_power_spectrum` gives, (R,).
        fake_spectrum: The same of the fakes.
        real_labels: Group of each real sample, for the groups' shares.
    """

    real_images: Sequence[Tensor] = ()
    fake_images: Sequence[Tensor] = ()
    real_features: Tensor | None = None
    fake_features: Tensor | None = None
    neighbours: Sequence[tuple[Tensor, Tensor, float]] = ()
    real_spectrum: Tensor | None = None
    fake_spectrum: Tensor | None = None
    real_labels: Sequence[Any] | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Report:
    """An evaluation with where it comes from.

    Attributes:
        evaluation: What was measured.
        real: What the real samples were called, such as a path.
        fake: What the fakes were called.
        extractor: Identity of the feature extractor; empty if unknown.
        resize: How it resized images; empty if unknown.
        seed: Of all that was random.
        level: Largest share of faithful models that may be accused of any failure.
        warnings: Of the sources and the extraction, beside the evaluation's own.
        material: For the pictures.
    """

    evaluation: Evaluation
    real: str
    fake: str
    extractor: str = ""
    resize: str = ""
    seed: int = 0
    level: float = 0.01
    warnings: tuple[str, ...] = ()
    material: Material = field(default_factory=Material)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What was found of each failure."""
        return verdicts(self.evaluation, self.level)

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The sources' warnings and the metrics', each once."""
        return tuple(dict.fromkeys((*self.warnings, *self.evaluation.warnings)))

    def __repr__(self) -> str:
        found = ", ".join(f"{v.failure} {_STATE[v.found]}" for v in self.verdicts)
        return f"Report({shown(self.fake)} against {shown(self.real)}: {found})"

    def text(self, width: int = 80, colour: bool = False) -> str:
        """The report for a terminal of ``width`` columns, with its colours if asked."""
        return _Text(self, max(width, 24), colour).whole()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as plain Python objects."""
        return {
            "format": "gqlib report",
            "version": FORMAT_VERSION,
            "gqlib": __version__,
            "inputs": {
                "real": self.real,
                "fake": self.fake,
                "extractor": self.extractor,
                "resize": self.resize,
                "seed": self.seed,
                "level": self.level,
            },
            "verdicts": [_verdict_dict(verdict) for verdict in self.verdicts],
            "evaluation": self.evaluation.to_dict(),
            "warnings": list(self.all_warnings),
        }

    def json(self, indent: int | None = None) -> str:
        """Strict JSON: what is no finite number becomes the string ``"inf"`` or ``"nan"``."""
        return json.dumps(strict(self.to_dict()), indent=indent, allow_nan=False)

    def html(self) -> str:
        """A page of one file: no script, and nothing that is fetched from elsewhere."""
        title = f"Quality report: {shown(self.fake)} against {shown(self.real)}"
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="generator" content="gqlib {__version__}">\n'
            f"<title>{escape(title)}</title>\n<style>{_style(page=True)}</style>\n</head>\n"
            f'<body>\n<main class="gqlib-report">\n{_Page(self, "").whole()}\n</main>\n</body>\n'
            "</html>\n"
        )

    def _repr_html_(self) -> str:
        # Several reports in one notebook: their ids must differ.
        prefix = f"gq-{hashlib.sha256(self.json().encode()).hexdigest()[:8]}-"
        body = _Page(self, prefix).whole()
        return f'<style>{_style(page=False)}</style><div class="gqlib-report">{body}</div>'

    def save_json(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`json` to a file, whole or not at all.

        Raises:
            OSError: It cannot be written; the message says where and why.
        """
        _save(path, self.json(indent=2) + "\n")

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`html` to a file, whole or not at all.

        Raises:
            OSError: It cannot be written; the message says where and why.
        """
        _save(path, self.html())


def _verdict_dict(verdict: Verdict) -> dict[str, Any]:
    found = asdict(verdict)
    found["evidence"] = [
        {**asdict(item), "interval": plain(item.interval)} for item in verdict.evidence
    ]
    return found


def _save(path: str | os.PathLike[str], text: str) -> None:
    """Through a file beside it that is renamed, so that there is never half a file."""
    target = Path(path).resolve()
    temporary: Path | None = None
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            # A pipe or a device is written to: it must not be replaced.
            target.write_text(text, encoding="utf-8")
            return
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".gqlib-", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(
            f"{shown(os.fspath(path))} could not be written: {reason}; choose another place, or "
            "make room there"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


# --- words, for every form ------------------------------------------------------------------------

_STATE = {True: "found", False: "not found", None: "not tested"}

#: Name of each failure, as the verdicts have it, to its heading.
_HEADINGS = {
    "mode collapse": "Mode collapse",
    "memorisation": "Memorisation",
    "noise and artifacts": "Noise and artifacts",
    "bias": "Bias",
}

_MEANING = {
    "mode collapse": "A collapsed model keeps making the same few kinds of sample and leaves the "
    "others out.",
    "memorisation": "A model that memorises hands out its training samples, or near copies of "
    "them, as new ones.",
    "noise and artifacts": "A noisy model makes samples that no real one resembles: blurred, "
    "broken or beside the subject.",
    "bias": "A biased model makes some groups more often, or more rarely, than they occur in the "
    "real data.",
}

_FOUND = {
    "mode collapse": "Chance does not explain that: parts of the real data are missing from the "
    "fakes, or too rare among them.",
    "memorisation": "Chance does not explain that: fakes lie nearer to the training set than "
    "samples that the model never saw.",
    "noise and artifacts": "Chance does not explain that: too many fakes lie where there are no "
    "real samples.",
    "bias": "Chance does not explain that: the groups have other shares than in the real data.",
}

_NOT_FOUND = {
    "mode collapse": "Chance explains what is missing, if anything is. A gap smaller than the "
    "intervals, or in what these features do not see, would not show.",
    "memorisation": "The fakes are no nearer to the training set than chance allows. A few copies "
    "among many, or copies that these features do not recognise, would not show.",
    "noise and artifacts": "Chance explains the fakes that lie apart. Flaws that few fakes have, "
    "or that these features do not see, would not show.",
    "bias": "Chance explains the differences. Smaller ones would take more samples to show, and "
    "other groups than these were not looked at.",
}


def _measured(failure: str, e: Evaluation) -> str:
    """What the numbers of a failure say, as far as there are any."""
    scores, gap = e.neighbour_scores, e.representation_gap
    if failure == "mode collapse" and scores is not None:
        return (
            f"{percent(scores.recall)} of the real samples lie within the fakes' reach (recall), "
            f"where a faithful model would get {percent(scores.null['recall'])}; "
            f"{percent(scores.coverage)} have a fake among their nearest neighbours (coverage), "
            f"where it would get {percent(scores.null['coverage'])}."
        )
    if failure == "noise and artifacts" and scores is not None:
        return (
            f"{percent(scores.precision)} of the fakes lie within the real samples' reach "
            f"(precision), where a faithful model would get {percent(scores.null['precision'])}; "
            f"they lie in {number(scores.density)} times as many real neighbourhoods as real "
            "samples would (density)."
        )
    if failure == "memorisation":
        return _measured_memorisation(e)
    if failure == "bias" and gap is not None:
        return (
            f"{percent(gap.value)} of the fakes would have to change their group for the shares "
            f"to agree; between real samples of these numbers it would be about "
            f"{percent(gap.null)}."
        )
    return ""


def _measured_memorisation(e: Evaluation) -> str:
    parts = []
    if e.authenticity is not None:
        text = (
            f"{percent(e.authenticity.value)} of the fakes are farther from the training set than "
            "its own samples are from each other (authenticity)"
        )
        if e.authenticity.null is not None:
            text += f"; of samples that the model never saw it is {percent(e.authenticity.null)}"
        parts.append(f"{text}.")
    if e.copying_test is not None:
        parts.append(
            f"The copying test (C_T) gives {number(e.copying_test.value)}: about 0 for fresh "
            "samples, and far below for copies."
        )
    return " ".join(parts)


def _details(failure: str, e: Evaluation) -> str:
    """The groups whose share changed most, of those whose change is clear."""
    gap = e.representation_gap
    if failure != "bias" or gap is None:
        return ""
    clear = [name for name, i in gap.shift_intervals.items() if i.low > 0 or i.high < 0]
    clear.sort(key=lambda name: -abs(gap.shifts[name]))
    parts = [
        f"{shown(name)} ({100 * abs(gap.shifts[name]):.1f} points too "
        + ("many)" if gap.shifts[name] > 0 else "few)")
        for name in clear[:3]
    ]
    return f"The clearest: {', '.join(parts)}." if parts else ""


def _judged(verdict: Verdict) -> str:
    """What the verdict means."""
    if verdict.found is None:
        return f"Not tested: {verdict.missing}."
    if verdict.found:
        return _FOUND[verdict.failure]
    blamed = [item.name for item in verdict.evidence if item.alarming]
    if blamed:
        return (
            f"The {' and '.join(blamed)} is too low for chance, but fakes that lie apart from "
            "the real samples (noise) leave such a gap too, and were found."
        )
    return _NOT_FOUND[verdict.failure]


@dataclass(frozen=True)
class _Line:
    """One number of the report.

    Attributes:
        key: Its name in :attr:`Evaluation.faithful`.
        label: What to call it.
        real: Number of samples on the real side; ``None`` if unknown, 0 if none took part.
        fake: Number of fakes, likewise.
    """

    key: str
    label: str
    value: float
    interval: Interval | None
    faithful: float | None
    real: int | None
    fake: int | None

    @property
    def n(self) -> str:
        return " / ".join(
            "?" if n is None else f"{n:,}" if n else "-" for n in (self.real, self.fake)
        )


def _lines(e: Evaluation) -> list[_Line]:
    """All numbers of an evaluation, in the order of reading."""
    lines = []

    def add(key: str, label: str, result: Result | None) -> None:
        if result is not None:
            real, fake = result.n_real, result.n_fake
            if key == "real_vendi_score":
                real, fake = fake, 0
            if key == "inception_score":
                real = 0
            known = e.faithful.get(key)
            lines.append(_Line(key, label, result.value, result.interval, known, real, fake))

    add("frechet_distance", "Fréchet distance", e.frechet_distance)
    add("frechet_distance_infinity", "Fréchet, endless fakes", e.frechet_distance_infinity)
    add("kernel_distance", "Kernel distance", e.kernel_distance)
    if e.neighbour_scores is not None:
        scores = e.neighbour_scores
        for name in scores.VALUES:
            interval = None if scores.interval is None else scores.interval.get(name)
            value = float(getattr(scores, name))
            lines.append(
                _Line(
                    name,
                    name.capitalize(),
                    value,
                    interval,
                    scores.null.get(name),
                    scores.n_real,
                    scores.n_fake,
                )
            )
    add("inception_score", "Inception Score", e.inception_score)
    add("vendi_score", "Vendi score, fake", e.vendi_score)
    add("real_vendi_score", "Vendi score, real", e.real_vendi_score)
    add("authenticity", "Authenticity", e.authenticity)
    add("copying_test", "Copying test", e.copying_test)
    add("representation_gap", "Representation gap", e.representation_gap)
    return lines


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{number(interval.low)} to {number(interval.high)}"


def _interval_name(lines: Iterable[_Line]) -> str:
    levels = [line.interval.level for line in lines if line.interval is not None]
    return f"{100 * levels[0]:g} % interval" if levels else "interval"


def _optional(value: float | None) -> str:
    return "-" if value is None else number(value)


def _count(n: int | None) -> str:
    return "an unknown number of samples" if n is None else f"{n:,} samples"


def _sentence(text: str) -> str:
    """A warning as a sentence of its own."""
    text = shown(text).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


_CAUTION = (
    "Not found is no proof of absence: these samples, seen through these features, showed no sign."
)

# --- text -----------------------------------------------------------------------------------------


class _Text:
    """The report in lines of at most ``width`` columns."""

    def __init__(self, report: Report, width: int, colour: bool) -> None:
        self.report, self.width, self.colour = report, width, colour

    def whole(self) -> str:
        report, e = self.report, self.report.evaluation
        names = [
            self._wrapped(f"{side}: {shown(name)} ({_count(n)})", hang="      ")
            for side, name, n in (("real", report.real, e.n_real), ("fake", report.fake, e.n_fake))
        ]
        parts = ["\n".join([self._bold("Quality report"), *names])]
        parts += [self._verdict(verdict) for verdict in report.verdicts]
        if any(verdict.found is False for verdict in report.verdicts):
            parts.append(self._wrapped(_CAUTION))
        parts.append(self._table())
        for title, sentences in (
            ("Warnings", report.all_warnings),
            ("Left out", e.notes),
        ):
            if sentences:
                items = [self._wrapped(f"- {_sentence(s)}", hang="  ") for s in sentences]
                parts.append("\n".join([self._bold(title), *items]))
        return "\n\n".join(parts)

    def _verdict(self, verdict: Verdict) -> str:
        mark = {True: "[!]", False: "[ ]", None: "[-]"}[verdict.found]
        code = {True: "1;31", False: "1", None: "2"}[verdict.found]
        head = f"{mark} {_HEADINGS[verdict.failure]}: {_STATE[verdict.found]}"
        name, e = verdict.failure, self.report.evaluation
        body = " ".join(filter(None, (_measured(name, e), _details(name, e), _judged(verdict))))
        return f"{self._code(head, code)}\n{self._wrapped(body, start='    ', hang='    ')}"

    def _table(self) -> str:
        lines = _lines(self.report.evaluation)
        head = ("", "value", _interval_name(lines), "faithful", "n real / fake")
        rows = [
            (x.label, number(x.value), _interval(x.interval), _optional(x.faithful), x.n)
            for x in lines
        ]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(5)]
        if sum(widths) + 8 > self.width:
            return self._list(head, rows)

        def line(row: Sequence[str]) -> str:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
            return "  ".join(cells).rstrip()

        return "\n".join([self._bold(line(head)), *map(line, rows)])

    def _list(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
        """The table for a terminal that is too narrow for it."""
        lines = []
        for name, value, *others in rows:
            rest = [f"{h} {x}" for h, x in zip(head[2:], others, strict=True) if x != "-"]
            lines.append(self._wrapped(f"{name}: {value} ({', '.join(rest)})", hang="  "))
        return "\n".join(lines)

    def _wrapped(self, text: str, start: str = "", hang: str = "") -> str:
        # A share and its sign stay together.
        text = re.sub(r"(\d) %", "\\1\0%", text)
        lines = textwrap.wrap(
            text,
            self.width,
            initial_indent=start,
            subsequent_indent=hang,
            break_on_hyphens=False,
        )
        return "\n".join(lines).replace("\0", " ")

    def _bold(self, text: str) -> str:
        return self._code(text, "1")

    def _code(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text


# --- the page -------------------------------------------------------------------------------------

_SYMBOL = {True: "▲", False: "○", None: "–"}
_CLASS = {True: "found", False: "clear", None: "untested"}

#: What each failure's section shows in its table.
_KEYS = {
    "mode collapse": ("recall", "coverage"),
    "memorisation": ("authenticity", "copying_test"),
    "noise and artifacts": ("precision", "density"),
    "bias": ("representation_gap",),
}
_WHOLE = (
    "frechet_distance",
    "frechet_distance_infinity",
    "kernel_distance",
    "inception_score",
    "vendi_score",
    "real_vendi_score",
)

#: Term, what it is, citation and its DOI.
_DEFINITIONS = (
    (
        "Precision and recall",
        "Precision is the share of fakes that lie in a ball around some real sample that reaches "
        "to its k-th nearest other real sample. Recall is the same with the sides exchanged.",
        "Kynkäänniemi et al., NeurIPS 2019",
        "10.48550/arXiv.1904.06991",
    ),
    (
        "Density and coverage",
        "Density is the mean number of these real balls that a fake lies in, divided by k. "
        "Coverage is the share of these balls that hold a fake.",
        "Naeem et al., ICML 2020",
        "10.48550/arXiv.2002.09797",
    ),
    (
        "Authenticity",
        "The share of fakes that are farther from their nearest training sample than that sample "
        "is from its own nearest one.",
        "Alaa et al., ICML 2022",
        "10.48550/arXiv.2102.08921",
    ),
    (
        "Copying test (C_T)",
        "A rank test of whether fakes lie nearer to the training set than held-out samples do, as "
        "a z-score.",
        "Meehan, Chaudhuri and Dasgupta, AISTATS 2020",
        "10.48550/arXiv.2004.05675",
    ),
    (
        "Representation gap",
        "Half the sum of the absolute differences of the groups' shares: the total variation "
        "distance.",
        "",
        "",
    ),
    (
        "Fréchet distance",
        "The squared distance of two normal distributions with the features' means and "
        "covariances; FID is this on InceptionV3's features.",
        "Heusel et al., NeurIPS 2017",
        "10.48550/arXiv.1706.08500",
    ),
    (
        "Fréchet distance with endless fakes",
        "The same, extrapolated to infinitely many fakes along a line in 1/n.",
        "Chong and Forsyth, CVPR 2020",
        "10.48550/arXiv.1911.07023",
    ),
    (
        "Kernel distance",
        "The squared maximum mean discrepancy with a cubic kernel, unbiased: its mean is 0 for "
        "equal distributions, so that it may be negative.",
        "Bińkowski et al., ICLR 2018",
        "10.48550/arXiv.1801.01401",
    ),
    (
        "Inception Score",
        "How sure a classifier is of each fake and how varied its verdicts are, between 1 and the "
        "number of classes. It looks at no real sample.",
        "Salimans et al., NeurIPS 2016",
        "10.48550/arXiv.1606.03498",
    ),
    (
        "Vendi score",
        "The effective number of different samples in a set, between 1 and their number.",
        "Friedman and Dieng, TMLR 2023",
        "10.48550/arXiv.2210.02410",
    ),
    (
        "Spectrum",
        "Mean squared amplitude of the images' waves, by their number of cycles an image.",
        "Durall, Keuper and Keuper, CVPR 2020",
        "10.48550/arXiv.2003.01826",
    ),
)


class _Page:
    """The content of the page; ``prefix`` begins every id."""

    def __init__(self, report: Report, prefix: str) -> None:
        self.report, self.prefix = report, prefix
        self.evaluation, self.material = report.evaluation, report.material
        self.lines = {line.key: line for line in _lines(self.evaluation)}
        self.verdicts = {verdict.failure: verdict for verdict in report.verdicts}

    def whole(self) -> str:
        sections = [self._failure(name) for name in _HEADINGS]
        return "\n".join(
            [
                self._head(),
                self._glance(),
                *sections,
                self._as_a_whole(),
                self._careful(),
                self._made(),
                self._definitions(),
            ]
        )

    def _head(self) -> str:
        e, report = self.evaluation, self.report
        cards = "".join(
            f'<li class="{_CLASS[v.found]}"><a href="#{self._id(name)}">'
            f"<span>{_HEADINGS[name]}</span><strong>{_badge(v)}</strong></a></li>"
            for name, v in ((name, self.verdicts[name]) for name in _HEADINGS)
        )
        caution = f"<p>{_CAUTION}</p>" if any(v.found is False for v in report.verdicts) else ""
        return (
            "<header><h1>Quality report</h1>"
            f'<p class="gq-lead"><b>{_name(report.fake)}</b> (fake, {_count(e.n_fake)}) compared '
            f"with <b>{_name(report.real)}</b> (real, {_count(e.n_real)})</p>"
            f'<nav aria-label="The four failures"><ul class="gq-cards">{cards}</ul></nav>{caution}'
            "</header>"
        )

    def _glance(self) -> str:
        rows = [
            _row(self.lines[key], name)
            for name in _HEADINGS
            for key in _KEYS[name]
            if key in self.lines
        ]
        return self._section("at a glance", "At a glance", pictures.intervals(rows)) if rows else ""

    def _failure(self, name: str) -> str:
        verdict = self.verdicts[name]
        measured = _print(escape(_measured(name, self.evaluation)))
        details = escape(_details(name, self.evaluation))
        parts = [
            f"<p>{_MEANING[name]} {measured} {details}</p>",
            f"<p>{escape(_capital(_judged(verdict)))}</p>",
        ]
        lines = [self.lines[key] for key in _KEYS[name] if key in self.lines]
        alarming = {item.name for item in verdict.evidence if item.alarming}
        parts.append(self._table(lines, f"Numbers for {_HEADINGS[name].lower()}", alarming))
        parts.append(_PICTURES[name](self))
        title = f'{_HEADINGS[name]}: <span class="{_CLASS[verdict.found]}">{_badge(verdict)}</span>'
        return self._section(name, title, "".join(parts))

    def _map(self) -> str:
        real, fake = self.material.real_features, self.material.fake_features
        if real is None or fake is None:
            return ""
        return pictures.feature_map(pictures.project(real, fake, self.report.seed))

    def _walls(self) -> str:
        sides = (("real", self.material.real_images), ("fake", self.material.fake_images))
        walls = [
            f'<div><p class="gq-panel">{"Real" if side == "real" else "Fake"} images</p>'
            f"{pictures.image_wall(images[:_WALL], f'{side} images')}</div>"
            for side, images in sides
            if len(images)
        ]
        if not walls:
            return ""
        return (
            f'<figure><div class="gq-two gq-walls">{"".join(walls)}</div>'
            "<figcaption>Samples of both sides, not chosen by their quality.</figcaption></figure>"
        )

    def _noise(self) -> str:
        real, fake = self.material.real_spectrum, self.material.fake_spectrum
        spectra = "" if real is None or fake is None else pictures.spectra(real, fake)
        return self._walls() + spectra

    def _pairs(self) -> str:
        pairs = self.material.neighbours[:_PAIRS]
        if not pairs:
            return ""
        kind = "training" if self.evaluation.authenticity is not None else "real"
        items = []
        for i, (fake, other, distance) in enumerate(pairs, 1):
            alt = f"Pair {i}: fake, and nearest {kind} image at distance {number(distance)}"
            picture = pictures.image_pair(fake, other, alt)
            items.append(f"<li>{picture}<span>{signs(number(distance))}</span></li>")
        pool = "training images" if kind == "training" else "real images, for want of training ones"
        return (
            f'<figure><ol class="gq-pairs">{"".join(items)}</ol><figcaption>The fakes that lie '
            f"nearest to the {pool}, each on the left with that image on the right, and their "
            "distance in the features. Look for pairs that are the same picture.</figcaption>"
            "</figure>"
        )

    def _groups(self) -> str:
        gap = self.evaluation.representation_gap
        if gap is None:
            return ""
        return pictures.groups(gap, _shares(gap, self.material.real_labels))

    def _as_a_whole(self) -> str:
        e = self.evaluation
        distance = e.frechet_distance
        text = f"The Fréchet distance is {number(distance.value)}"
        expected = e.faithful.get("frechet_distance")
        if expected is not None:
            text += (
                f"; two sets of real samples of these sizes would be about {number(expected)} apart"
            )
        parts = [
            f"{text}. It depends on the numbers of samples, the features and the resizing: "
            "compare it only with distances that share all three."
        ]
        if e.frechet_distance_infinity is not None:
            endless = e.frechet_distance_infinity.value
            about = number(endless) if endless > 0 else f"0 (the line ends at {number(endless)})"
            parts.append(f"With endless fakes it would be about {about}.")
        if e.vendi_score is not None and e.real_vendi_score is not None:
            parts.append(
                f"The fakes are as varied as {number(e.vendi_score.value)} wholly different "
                f"samples, the real ones as {number(e.real_vendi_score.value)} (Vendi score)."
            )
        lines = [self.lines[key] for key in _WHOLE if key in self.lines]
        body = f"<p>{_print(' '.join(parts))}</p>" + self._table(lines, "Distances and diversity")
        return self._section("as a whole", "How far apart as a whole", body)

    def _careful(self) -> str:
        parts = []
        for title, sentences in (
            ("Warnings", self.report.all_warnings),
            ("Left out", self.evaluation.notes),
        ):
            items = "".join(f"<li>{escape(_capital(_sentence(s)))}</li>" for s in sentences)
            parts.append(f"<h3>{title}</h3>" + (f"<ul>{items}</ul>" if items else "<p>None.</p>"))
        return self._section("be careful", "What to be careful about", "".join(parts))

    def _made(self) -> str:
        report, e = self.report, self.evaluation
        rows = {
            "Real": f"{_name(report.real)}, {_count(e.n_real)}",
            "Fake": f"{_name(report.fake)}, {_count(e.n_fake)}",
        }
        if e.authenticity is not None:
            rows["Training set"] = _count(e.authenticity.n_train)
        if e.copying_test is not None:
            rows["Held out"] = _count(e.copying_test.n_real)
        rows["Features"] = _name(report.extractor) if report.extractor else "not known"
        rows["Resizing"] = _name(report.resize) if report.resize else "not known"
        if e.neighbour_scores is not None:
            rows["Neighbours"] = f"k = {e.neighbour_scores.k}"
        rows["Seed"] = str(report.seed)
        rows["False alarms"] = (
            f"at most {100 * report.level:g} % of faithful models would be found to have any of "
            "the failures"
        )
        rows["Made with"] = f"gqlib {__version__}"
        body = "".join(f'<tr><th scope="row">{k}</th><td>{v}</td></tr>' for k, v in rows.items())
        table = f'<div class="gq-wide"><table class="gq-facts"><tbody>{body}</tbody></table></div>'
        return self._section("made", "How this was made", table)

    def _definitions(self) -> str:
        items = []
        for term, text, citation, doi in _DEFINITIONS:
            source = f' <a href="https://doi.org/{doi}">{citation}</a>' if doi else ""
            items.append(f"<dt>{_print(term)}</dt><dd>{text}{source}</dd>")
        return self._section("definitions", "What the words mean", f"<dl>{''.join(items)}</dl>")

    def _table(self, lines: Sequence[_Line], caption: str, alarming: Iterable[str] = ()) -> str:
        if not lines:
            return ""
        names = {"C_T": "copying_test", "representation gap": "representation_gap"}
        marked = {names.get(name, name) for name in alarming}
        head = "".join(
            f'<th scope="col">{title}</th>'
            for title in ("Measure", "Value", _interval_name(lines).capitalize(), "Faithful model")
        )
        body = "".join(
            f'<tr><th scope="row">{line.label}</th>'
            f"<td>{_MARK if line.key in marked else ''}<b>{signs(number(line.value))}</b></td>"
            f"<td>{_dash(_print(_interval(line.interval)))}</td>"
            f"<td>{_dash(signs(_optional(line.faithful)))}</td></tr>"
            for line in lines
        )
        return (
            f'<div class="gq-wide"><table><caption>{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _section(self, name: str, title: str, body: str) -> str:
        key = self._id(name)
        return (
            f'<section aria-labelledby="{key}-title" id="{key}"><h2 id="{key}-title">{title}</h2>'
            f"{body}</section>"
        )

    def _id(self, name: str) -> str:
        return self.prefix + name.replace(" ", "-")


_PICTURES: Mapping[str, Callable[[_Page], str]] = {
    "mode collapse": _Page._map,
    "memorisation": _Page._pairs,
    "noise and artifacts": _Page._noise,
    "bias": _Page._groups,
}

_MARK = '<span class="found" role="img" aria-label="too far off for chance">▲</span> '


def _badge(verdict: Verdict) -> str:
    return f'<span aria-hidden="true">{_SYMBOL[verdict.found]}</span> {_STATE[verdict.found]}'


def _name(text: str) -> str:
    return escape(shown(text))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _dash(text: str) -> str:
    return "–" if text in ("-", "−") else text


def _print(text: str) -> str:
    """Running text whose numbers get the signs of print, and keep their per cent signs."""
    text = re.sub(r"(?<![\w.])-?\d[\d.,]*e-?\d+|(?<![\w.])-\d", lambda m: signs(m[0]), text)
    return re.sub(r"(\d) %", "\\1\u00a0%", text).replace("C_T", "C<sub>T</sub>")


def _row(line: _Line, about: str) -> pictures.Row:
    ends = [line.value, line.faithful or 0.0]
    if line.interval is not None:
        ends += line.interval[:2]
    if line.key == "copying_test":
        # At least as wide as chance spreads it.
        high = float(math.ceil(max(4.0, *(1.1 * abs(end) for end in ends))))
        low = -high
    else:
        high = max(1.0, *ends)
        low, high = 0.0, 1.0 if high <= 1 else math.ceil(10.5 * high) / 10
    return pictures.Row(line.label, about, line.value, line.interval, line.faithful, low, high)


def _shares(gap: GapResult, labels: Any) -> dict[Any, float] | None:
    """Share of each group among the real samples; ``None`` if these labels are not the gap's."""
    if labels is None or len(labels) == 0:
        return None
    values = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    counts = Counter(values)
    shares = {name: counts[name] / len(values) for name in gap.shifts}
    return shares if abs(sum(shares.values()) - 1) < 1e-9 else None


def _style(page: bool) -> str:
    from gqlib.plots import COLOURS

    light = _variables(
        ink="#1b1f24",
        soft="#57606a",
        faint="#c3c9d0",
        paper="#ffffff",
        shade="#f3f5f7",
        link="#0a5ea8",
        alarm="#a23c00",
        calm="#00634a",
        real=COLOURS[0],
        fake=COLOURS[1],
    )
    dark = _variables(
        ink="#e6e9ec",
        soft="#a6afb8",
        faint="#4a525b",
        paper="#15181c",
        shade="#20252b",
        link="#7cc0f5",
        alarm="#ffb072",
        calm="#5fd0ab",
        real=COLOURS[5],
        fake=COLOURS[4],
    )
    if page:
        theme = (
            f":root{{{light};color-scheme:light dark}}"
            f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
            "body{margin:0;background:var(--gq-paper)}"
        )
    else:
        # A notebook has a theme of its own, whatever the system prefers.
        darkened = ",".join(
            f"{where} .gqlib-report"
            for where in ('[data-jp-theme-light="false"]', ".vscode-dark", 'html[theme="dark"]')
        )
        theme = f".gqlib-report{{{light}}}{darkened}{{{dark}}}"
    return theme + _LAYOUT.strip() + pictures.STYLE.strip()


def _variables(**colours: str) -> str:
    return ";".join(f"--gq-{name}:{value}" for name, value in colours.items())


_LAYOUT = """
.gqlib-report{box-sizing:border-box;max-width:50rem;margin:0 auto;
padding:1.5rem clamp(1rem,4vw,2rem);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
color:var(--gq-ink);background:var(--gq-paper);overflow-wrap:anywhere;text-align:left}
.gqlib-report *{box-sizing:border-box}
.gqlib-report h1{font-size:1.9rem;line-height:1.2;margin:.5rem 0;color:inherit}
.gqlib-report h2{font-size:1.35rem;line-height:1.3;margin:0 0 .6rem;color:inherit}
.gqlib-report h1,.gqlib-report h2,.gqlib-report h3{font-weight:700}
.gqlib-report h3{font-size:1.05rem;margin:1rem 0 .3rem;color:inherit}
.gqlib-report p{margin:.5rem 0;max-width:44rem}
.gqlib-report a{color:var(--gq-link)}
.gqlib-report section{border-top:1px solid var(--gq-faint);margin-top:2rem;padding-top:1.5rem}
.gqlib-report .gq-lead{font-size:1.1rem}
.gqlib-report .found{color:var(--gq-alarm)}
.gqlib-report .clear{color:var(--gq-calm)}
.gqlib-report .untested{color:var(--gq-soft)}
.gqlib-report ul.gq-cards{list-style:none;margin:1.25rem 0;padding:0;display:grid;gap:.75rem;
grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr))}
.gqlib-report .gq-cards li{margin:0;padding:0;list-style:none}
.gqlib-report .gq-cards a{display:block;height:100%;padding:.75rem 1rem;border-radius:.5rem;
color:var(--gq-ink);background:var(--gq-shade);border-left:.35rem solid;text-decoration:none}
.gqlib-report .gq-cards .found a{border-color:var(--gq-alarm)}
.gqlib-report .gq-cards .clear a{border-color:var(--gq-calm);border-left-style:double}
.gqlib-report .gq-cards .untested a{border-color:var(--gq-soft);border-left-style:dotted}
.gqlib-report .gq-cards a:hover span:first-child{text-decoration:underline}
.gqlib-report .gq-cards a>span{display:block}
.gqlib-report .gq-cards .found strong{color:var(--gq-alarm)}
.gqlib-report .gq-cards .clear strong{color:var(--gq-calm)}
.gqlib-report .gq-cards .untested strong{color:var(--gq-soft)}
.gqlib-report figure{margin:1.25rem 0 0}
.gqlib-report figcaption{color:var(--gq-soft);font-size:.875rem;margin-top:.6rem;max-width:44rem}
.gqlib-report .gq-two{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(min(16rem,100%),1fr))}
.gqlib-report .gq-panel{margin:0 0 .3rem;font-weight:600;font-size:.9rem}
.gqlib-report img{max-width:100%;height:auto;display:block;margin:0}
.gqlib-report .gq-walls img{width:100%;border-radius:.25rem}
.gqlib-report ol.gq-pairs{list-style:none;margin:0;padding:0;display:grid;gap:.75rem;
grid-template-columns:repeat(auto-fill,minmax(6.5rem,1fr))}
.gqlib-report .gq-pairs li{margin:0;padding:0;font-size:.8rem;color:var(--gq-soft);
font-variant-numeric:tabular-nums}
.gqlib-report .gq-pairs img{width:100%;border-radius:.2rem}
.gqlib-report .gq-wide{overflow-x:auto}
.gqlib-report table{border-collapse:collapse;margin:1rem 0 0;font-size:.9375rem;color:inherit;
width:auto;min-width:min(100%,36rem);border:0;table-layout:auto}
.gqlib-report caption{text-align:left;font-size:.875rem;color:var(--gq-soft);padding:0 0 .3rem;
caption-side:top}
.gqlib-report table tr,.gqlib-report table tbody tr:nth-child(n),
.gqlib-report table tbody tr:nth-child(n):hover{background:transparent}
.gqlib-report table th,.gqlib-report table td{text-align:right;padding:.35rem .6rem;border:0;
border-bottom:1px solid var(--gq-faint);vertical-align:baseline;max-width:none;
font-variant-numeric:tabular-nums;overflow-wrap:normal}
.gqlib-report table td b,.gqlib-report td:nth-child(2){white-space:nowrap}
.gqlib-report table.gq-facts td{white-space:normal}
.gqlib-report table th{font-weight:600}
.gqlib-report table tr>:first-child{text-align:left;padding-left:0}
.gqlib-report table tbody th{font-weight:400}
.gqlib-report table.gq-facts td{text-align:left;overflow-wrap:anywhere}
.gqlib-report table.gq-facts th{color:var(--gq-soft);white-space:nowrap}
.gqlib-report dt{font-weight:600;margin-top:.75rem}
.gqlib-report dd{margin:0;max-width:44rem}
@media (max-width:30rem){.gqlib-report table{font-size:.8125rem}
.gqlib-report table th,.gqlib-report table td{padding:.35rem .3rem}}
@media print{.gqlib-report{max-width:none;padding:0;font-size:10pt}
.gqlib-report figure,.gqlib-report table,.gqlib-report li{break-inside:avoid}
.gqlib-report h2,.gqlib-report h3{break-after:avoid}
.gqlib-report nav a{text-decoration:none}
.gqlib-report *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""

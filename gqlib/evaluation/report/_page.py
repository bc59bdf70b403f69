"""The report as markup: a page of one file, and the same content for a notebook.

What a page says stands in ``templates`` and ``_words``, how it looks in ``report.css``. Here the
values are gathered that the templates show.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from gqlib import __version__
from gqlib._utils.templates import environment
from gqlib.evaluation.report import _charts, _images, _map, _spectra
from gqlib.evaluation.report._content import Content, ReportFigures
from gqlib.evaluation.report._numbers import (
    Line,
    all_lines,
    interval_name,
    interval_text,
    number,
    shown,
    signs,
)
from gqlib.evaluation.report._words import (
    CAUTION,
    DEFINITIONS,
    STATES,
    WORDS,
    count,
    details,
    heading,
    judged,
    measured,
    sentence,
)
from gqlib.evaluation.verdicts import Verdict
from gqlib.metrics import Evaluation, GapResult

if TYPE_CHECKING:
    from jinja2 import Environment

#: Images on a wall, and pairs of neighbours.
_WALL, _PAIRS = 64, 24

_WHOLE = (
    "frechet_distance",
    "frechet_distance_infinity",
    "kernel_distance",
    "inception_score",
    "vendi_score",
    "real_vendi_score",
)


def document(report: Content) -> str:
    """A page of one file: no script, and nothing that is fetched from elsewhere."""
    return _render("page.html", report, prefix="")


def fragment(report: Content) -> str:
    """The page's content with its style, to be shown in a notebook."""
    # Several reports in one notebook: their ids must differ.
    digest = hashlib.sha256(report.json().encode()).hexdigest()
    return _render("notebook.html", report, prefix=f"gq-{digest[:8]}-")


def _render(template: str, report: Content, prefix: str) -> str:
    values = _values(report)
    return _templates().get_template(template).render(values, prefix=prefix, version=__version__)


@cache
def _templates() -> Environment:
    texts = (count, interval_name, interval_text, number, printed, sentence, shown, signs)
    return environment(Path(__file__).parent, **{text.__name__: text for text in texts})


def _values(report: Content) -> dict[str, Any]:
    """All that the templates show."""
    e, figures = report.evaluation, report.figures
    lines = {line.key: line for line in all_lines(e)}
    verdicts = {verdict.failure: verdict for verdict in report.verdicts}
    nearest = "real" if e.authenticity is None else "training"
    return {
        "report": report,
        "e": e,
        "failures": [_failure(verdicts[name], e, lines) for name in WORDS],
        "caution": CAUTION if any(v.found is False for v in report.verdicts) else "",
        "glance": _glance(lines),
        "whole": _known(lines, _WHOLE),
        "definitions": DEFINITIONS,
        "map": _feature_map(figures, report.seed),
        "nearest": nearest,
        "pairs": _pairs(figures, nearest),
        "walls": _walls(figures),
        "spectra": _both_spectra(figures),
        "groups": _groups(e.representation_gap, figures.real_labels),
    }


def _known(lines: dict[str, Line], keys: tuple[str, ...]) -> list[Line]:
    return [lines[key] for key in keys if key in lines]


def _failure(verdict: Verdict, e: Evaluation, lines: dict[str, Line]) -> dict[str, Any]:
    """What the section of a failure says."""
    words = WORDS[verdict.failure]
    return {
        "id": verdict.failure.replace("_", "-"),
        "title": heading(verdict.failure),
        "state": STATES[verdict.found],
        "meaning": words.meaning,
        "measured": measured(verdict, e),
        "details": details(verdict, e),
        "judged": judged(verdict),
        "lines": _known(lines, words.lines),
        "significant": {item.key for item in verdict.evidence if item.significant},
    }


def _glance(lines: dict[str, Line]) -> Markup | None:
    """The chart of all numbers that tell of a failure."""
    rows = [
        _row(line, failure.label)
        for failure, words in WORDS.items()
        for line in _known(lines, words.lines)
    ]
    return _charts.intervals(rows) if rows else None


def _feature_map(figures: ReportFigures, seed: int) -> Markup:
    real, fake = figures.real_features, figures.fake_features
    if real is None or fake is None:
        return Markup()
    return _map.feature_map(_map.project(real, fake, seed))


def _both_spectra(figures: ReportFigures) -> Markup:
    real, fake = figures.real_spectrum, figures.fake_spectrum
    return Markup() if real is None or fake is None else _spectra.spectra(real, fake)


def _groups(gap: GapResult | None, labels: Any) -> Markup:
    return Markup() if gap is None else _charts.groups(gap, shares_of(gap, labels))


def _walls(figures: ReportFigures) -> list[tuple[str, _images.Picture]]:
    """Titles, and what stands below them."""
    sides = (("real images", figures.real_images), ("fake images", figures.fake_images))
    return [
        (name.capitalize(), _images.image_wall(images[:_WALL], name))
        for name, images in sides
        if len(images)
    ]


def _pairs(figures: ReportFigures, kind: str) -> list[tuple[_images.Picture, float]]:
    """Fakes with the images of a kind that are nearest to them, and their distances."""
    pairs = []
    for i, (fake, other, distance) in enumerate(figures.neighbours[:_PAIRS], 1):
        alt = f"Pair {i}: fake, and nearest {kind} image at distance {number(distance)}"
        pairs.append((_images.image_pair(fake, other, alt), distance))
    return pairs


def printed(text: str) -> Markup:
    """Running text whose numbers get the signs of print, and keep their per cent signs."""
    text = str(escape(text))
    text = re.sub(r"(?<![\w.])-?\d[\d.,]*e-?\d+|(?<![\w.])-\d", lambda m: signs(m[0]), text)
    return Markup(re.sub(r"(\d) %", "\\1\u00a0%", text).replace("C_T", "C<sub>T</sub>"))


def _row(line: Line, about: str) -> _charts.Row:
    ends = [line.value, line.expected or 0.0]
    if line.interval is not None:
        ends += line.interval[:2]
    if line.key == "copying_test":
        # At least as wide as chance spreads it.
        high = float(math.ceil(max(4.0, *(1.1 * abs(end) for end in ends))))
        low = -high
    else:
        high = max(1.0, *ends)
        low, high = 0.0, 1.0 if high <= 1 else math.ceil(10.5 * high) / 10
    return _charts.Row(line.label, about, line.value, line.interval, line.expected, low, high)


def shares_of(gap: GapResult, labels: Any) -> dict[Any, float] | None:
    """Share of each group among the real samples; ``None`` if these labels are not the gap's."""
    if labels is None or len(labels) == 0:
        return None
    values = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    counts = Counter(values)
    shares = {name: counts[name] / len(values) for name in gap.shifts}
    return shares if abs(sum(shares.values()) - 1) < 1e-9 else None

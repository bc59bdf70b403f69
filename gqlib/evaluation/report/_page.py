"""The report as markup: a page of one file, and the same content for a notebook."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from gqlib import __version__
from gqlib._utils.failure import Failure
from gqlib.evaluation.report import _charts, _images, _map, _spectra, _style
from gqlib.evaluation.report._content import Content
from gqlib.evaluation.report._markup import CLASS, badge, name_text, printed, table
from gqlib.evaluation.report._numbers import Line, all_lines, number, shown, signs
from gqlib.evaluation.report._words import (
    CAUTION,
    DEFINITIONS,
    WORDS,
    count,
    details,
    heading,
    judged,
    measured,
    sentence,
)
from gqlib.metrics import GapResult

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
    title = f"Quality report: {shown(report.fake)} against {shown(report.real)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="gqlib {__version__}">\n'
        f"<title>{escape(title)}</title>\n<style>{_style.for_page()}</style>\n</head>\n"
        f'<body>\n<main class="gqlib-report">\n{_Page(report, "").whole()}\n</main>\n</body>\n'
        "</html>\n"
    )


def fragment(report: Content) -> str:
    """The page's content with its style, to be shown in a notebook."""
    # Several reports in one notebook: their ids must differ.
    prefix = f"gq-{hashlib.sha256(report.json().encode()).hexdigest()[:8]}-"
    body = _Page(report, prefix).whole()
    return f'<style>{_style.for_notebook()}</style><div class="gqlib-report">{body}</div>'


class _Page:
    """The content of the page; ``prefix`` begins every id."""

    def __init__(self, report: Content, prefix: str) -> None:
        self.report, self.prefix = report, prefix
        self.evaluation, self.figures = report.evaluation, report.figures
        self.lines = {line.key: line for line in all_lines(self.evaluation)}
        self.verdicts = {verdict.failure: verdict for verdict in report.verdicts}

    def whole(self) -> str:
        sections = [self._failure(name) for name in WORDS]
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
            f'<li class="{CLASS[v.found]}"><a href="#{self._id(name)}">'
            f"<span>{heading(name)}</span><strong>{badge(v)}</strong></a></li>"
            for name, v in ((name, self.verdicts[name]) for name in WORDS)
        )
        caution = f"<p>{CAUTION}</p>" if any(v.found is False for v in report.verdicts) else ""
        return (
            "<header><h1>Quality report</h1>"
            f'<p class="gq-lead"><b>{name_text(report.fake)}</b> (fake, {count(e.n_fake)}) '
            f"compared with <b>{name_text(report.real)}</b> (real, {count(e.n_real)})</p>"
            f'<nav aria-label="The four failures"><ul class="gq-cards">{cards}</ul></nav>{caution}'
            "</header>"
        )

    def _glance(self) -> str:
        rows = [
            _row(self.lines[key], name)
            for name in WORDS
            for key in WORDS[name].lines
            if key in self.lines
        ]
        return self._section("at a glance", "At a glance", _charts.intervals(rows)) if rows else ""

    def _failure(self, name: Failure) -> str:
        verdict = self.verdicts[name]
        numbers = printed(escape(measured(verdict, self.evaluation)))
        groups = escape(details(verdict, self.evaluation))
        parts = [
            f"<p>{' '.join(filter(None, (WORDS[name].meaning, numbers, groups)))}</p>",
            f"<p>{escape(judged(verdict))}</p>",
        ]
        lines = [self.lines[key] for key in WORDS[name].lines if key in self.lines]
        significant = {item.key for item in verdict.evidence if item.significant}
        parts.append(table(lines, f"Numbers for {heading(name).lower()}", significant))
        parts.append(_PICTURES[name](self))
        title = f'{heading(name)}: <span class="{CLASS[verdict.found]}">{badge(verdict)}</span>'
        return self._section(name, title, "".join(parts))

    def _map(self) -> str:
        real, fake = self.figures.real_features, self.figures.fake_features
        if real is None or fake is None:
            return ""
        return _map.feature_map(_map.project(real, fake, self.report.seed))

    def _walls(self) -> str:
        sides = (("real", self.figures.real_images), ("fake", self.figures.fake_images))
        walls = [
            f'<div><p class="gq-panel">{"Real" if side == "real" else "Fake"} images</p>'
            f"{_images.image_wall(images[:_WALL], f'{side} images')}</div>"
            for side, images in sides
            if len(images)
        ]
        if not walls:
            return ""
        return (
            f'<figure><div class="gq-two gq-walls">{"".join(walls)}</div>'
            "<figcaption>Samples of both sides, not picked by quality.</figcaption></figure>"
        )

    def _noise(self) -> str:
        real, fake = self.figures.real_spectrum, self.figures.fake_spectrum
        spectra = "" if real is None or fake is None else _spectra.spectra(real, fake)
        return self._walls() + spectra

    def _pairs(self) -> str:
        pairs = self.figures.neighbours[:_PAIRS]
        if not pairs:
            return ""
        kind = "training" if self.evaluation.authenticity is not None else "real"
        items = []
        for i, (fake, other, distance) in enumerate(pairs, 1):
            alt = f"Pair {i}: fake, and nearest {kind} image at distance {number(distance)}"
            picture = _images.image_pair(fake, other, alt)
            items.append(f"<li>{picture}<span>{signs(number(distance))}</span></li>")
        why = "" if kind == "training" else " (no training set was given)"
        return (
            f'<figure><ol class="gq-pairs">{"".join(items)}</ol><figcaption>The fakes '
            f"nearest to the {kind} images{why}: each on the left, its nearest image on the right, "
            "and below them the distance of their features. Look for pairs that are the same "
            "picture.</figcaption></figure>"
        )

    def _groups(self) -> str:
        gap = self.evaluation.representation_gap
        if gap is None:
            return ""
        return _charts.groups(gap, shares_of(gap, self.figures.real_labels))

    def _as_a_whole(self) -> str:
        e = self.evaluation
        distance = e.frechet_distance
        text = f"The Fréchet distance is {number(distance.value)}"
        expected = e.expected.get("frechet_distance")
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
            about = number(endless) if endless > 0 else f"0 (extrapolated: {number(endless)})"
            parts.append(f"With infinitely many fakes it would be about {about}.")
        if e.vendi_score is not None and e.real_vendi_score is not None:
            parts.append(
                f"The fakes are as varied as {number(e.vendi_score.value)} wholly different "
                f"samples, the real ones as {number(e.real_vendi_score.value)} (Vendi score)."
            )
        lines = [self.lines[key] for key in _WHOLE if key in self.lines]
        body = f"<p>{printed(' '.join(parts))}</p>" + table(lines, "Distances and diversity")
        return self._section("as a whole", "How far apart as a whole", body)

    def _careful(self) -> str:
        parts = []
        for title, sentences in (
            ("Warnings", self.report.all_warnings),
            ("Left out", self.evaluation.notes),
        ):
            items = "".join(f"<li>{escape(sentence(s))}</li>" for s in sentences)
            parts.append(f"<h3>{title}</h3>" + (f"<ul>{items}</ul>" if items else "<p>None.</p>"))
        return self._section("be careful", "What to be careful about", "".join(parts))

    def _made(self) -> str:
        report, e = self.report, self.evaluation
        rows = {
            "Real": f"{name_text(report.real)}, {count(e.n_real)}",
            "Fake": f"{name_text(report.fake)}, {count(e.n_fake)}",
        }
        if e.authenticity is not None:
            rows["Training set"] = count(e.authenticity.n_train)
        if e.copying_test is not None:
            rows["Held out"] = count(e.copying_test.n_holdout)
        rows["Features"] = name_text(report.extractor) if report.extractor else "unknown"
        rows["Resizing"] = name_text(report.resize) if report.resize else "unknown"
        if e.neighbour_scores is not None:
            rows["Neighbours"] = f"k = {e.neighbour_scores.k}"
        rows["Seed"] = str(report.seed)
        rows["False alarms"] = (
            f"at most {100 * report.level:g} % of faithful models would be accused of any failure"
        )
        rows["Made with"] = f"gqlib {__version__}"
        body = "".join(f'<tr><th scope="row">{k}</th><td>{v}</td></tr>' for k, v in rows.items())
        facts = f'<div class="gq-wide"><table class="gq-facts"><tbody>{body}</tbody></table></div>'
        return self._section("made", "How this was made", facts)

    def _definitions(self) -> str:
        items = []
        for term, text, citation, doi in DEFINITIONS:
            source = f' <a href="https://doi.org/{doi}">{citation}</a>' if doi else ""
            items.append(f"<dt>{printed(term)}</dt><dd>{text}{source}</dd>")
        return self._section("definitions", "What the words mean", f"<dl>{''.join(items)}</dl>")

    def _section(self, name: str, title: str, body: str) -> str:
        key = self._id(name)
        return (
            f'<section aria-labelledby="{key}-title" id="{key}"><h2 id="{key}-title">{title}</h2>'
            f"{body}</section>"
        )

    def _id(self, name: str) -> str:
        return self.prefix + re.sub(r"[ _]", "-", name)


_PICTURES: Mapping[Failure, Callable[[_Page], str]] = {
    Failure.mode_collapse: _Page._map,
    Failure.memorisation: _Page._pairs,
    Failure.noise: _Page._noise,
    Failure.bias: _Page._groups,
}


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

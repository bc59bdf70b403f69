"""The page: what it says and shows, that any reader can use it, and that nothing gets into it."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch
from torch import Tensor

import gqlib
from gqlib.course import plots
from gqlib.evaluation.report import Report, ReportFigures
from gqlib.evaluation.report._page import printed, shares_of
from gqlib.metrics import representation_gap
from tests.evaluation.report.samples import (
    LABELS,
    PARTS,
    PICTURES,
    D,
    N,
    evaluation,
    make,
    normal,
    statistics,
)

HOSTILE = '"><script>alert(1)</script>\x1b[31m\n\udcff<img src=x>&amp;'
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """What a page is made of; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.hidden = 0
        self.text = ""
        self.style = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(text: str) -> Page:
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed"}
    for picture in page.all("img"):
        assert picture["alt"]
        assert str(picture["src"]).startswith("data:image/png;base64,")
    for picture in page.all("svg"):
        assert picture.get("aria-hidden") == "true" or (
            picture["role"] == "img" and picture["aria-label"]
        )
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name) in (None, *ids)
        target = attributes.get("href") or attributes.get("src") or ""
        assert target.startswith(("https://doi.org/", "data:image/png;base64,", "#")) or not target
        if target.startswith("#"):
            assert target[1:] in ids
    assert not re.search(r"url\(|@import|@font-face", page.style)
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert len(page.all("h1")) == 1
    assert len(page.all("figure")) == len(page.all("figcaption"))
    return page


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("figures", [PICTURES, ReportFigures()], ids=["pictures", "no pictures"])
def test_whatever_is_missing_the_report_stands(name: str, figures: ReportFigures) -> None:
    report = make(PARTS[name](), figures=figures)
    page = check_page(report.html())
    for heading in ("Mode collapse", "Memorisation", "Noise and artifacts", "Bias"):
        assert f"{heading}:" in page.text
    assert "None" not in page.text.replace("None.", "")
    assert "nan" not in re.sub(r"\w{4,}", "", page.text)
    check_page(f"<h1></h1>{report._repr_html_()}".replace("<h1></h1>", "", 1))
    json.loads(report.json())
    for width in (40, 80, 120):
        assert max(map(len, report.text(width).splitlines())) <= width


@pytest.mark.parametrize("part", list(ReportFigures.__dataclass_fields__))
def test_any_picture_may_be_missing(full: Report, part: str) -> None:
    empty = getattr(ReportFigures(), part)
    check_page(replace(full, figures=replace(PICTURES, **{part: empty})).html())


def test_page_holds_everything_in_order(full: Report) -> None:
    page = check_page(full.html())
    heads = re.findall(r"<h2[^>]*>(.*?)</h2>", full.html())
    order = [re.sub(r"<[^>]+>|[▲○–] |:.*", "", head) for head in heads]
    assert order == [
        "At a glance",
        "Mode collapse",
        "Memorisation",
        "Noise and artifacts",
        "Bias",
        "How far apart as a whole",
        "What to be careful about",
        "How this was made",
        "What the words mean",
    ]
    assert page.all("html")[0]["lang"] == "en"
    assert any(meta.get("charset") == "utf-8" for meta in page.all("meta"))
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))
    assert "prefers-color-scheme:dark" in page.style
    assert "@media print" in page.style
    assert "Fake: 3 images are JPEG files." in page.text
    for text in ("photos", "made", "digits", f"gqlib {gqlib.__version__}", "k = 5", "60 samples"):
        assert text in page.text
    assert "Recall mode collapse" in page.text
    assert "Precision noise and artifacts" in page.text
    kinds = len(PICTURES.neighbours) + 2
    assert len(page.all("img")) == kinds
    assert "Bińkowski" in page.text


def test_found_and_not_found_are_told_in_words(bad: Report) -> None:
    states = {verdict.failure: verdict.found for verdict in bad.verdicts}
    assert all(states.values()), states
    page = check_page(bad.html())
    assert page.text.count("▲ found") == 8
    assert "proof of absence" not in page.text
    assert "0 (30.0 percentage points too many), 1 (30.0 too few)." in page.text
    good = make(evaluation(fake_labels=LABELS, fake=normal(9)), figures=ReportFigures())
    page = check_page(good.html())
    assert "○ not found" in page.text
    assert "Not found is not proof of absence" in page.text
    assert page.text.count("would not show") >= 3


def test_not_tested_says_what_to_give() -> None:
    page = check_page(make(statistics()).html())
    assert page.text.count("– not tested") == 8
    assert "To test for it, give the training set (train)" in page.text
    assert "Statistics have no samples" in page.text


def test_nearest_real_images_are_called_so() -> None:
    page = check_page(make(evaluation("train", "holdout")).html())
    assert "nearest to the real images (no training set was given)" in page.text
    assert str(page.all("img")[0]["alt"]).startswith("Pair 1: fake, and nearest real image")
    page = check_page(make().html())
    assert str(page.all("img")[0]["alt"]).startswith("Pair 1: fake, and nearest training image")


def test_hostile_names_are_text() -> None:
    labels = [HOSTILE, "a"] * (N // 2)
    e = evaluation(real_labels=labels, fake_labels=["a"] * N)
    report = make(
        replace(e, notes=(HOSTILE,)),
        real=HOSTILE,
        fake=HOSTILE,
        extractor=HOSTILE,
        resize=HOSTILE,
        warnings=(HOSTILE,),
        figures=replace(PICTURES, real_labels=labels),
    )
    for text in (report.html(), report._repr_html_()):
        page = Page(text)
        assert not page.all("script")
        assert not [img for img in page.all("img") if img.get("src") == "x"]
        assert "alert(1)" in page.text
        assert "\x1b" not in text
        text.encode("utf-8")
    check_page(report.html())
    text = report.text(80)
    assert "\x1b" not in text
    text.encode("utf-8")
    assert json.loads(report.json())["inputs"]["real"] == HOSTILE


def test_labels_that_are_not_the_gaps_leave_shifts_alone(full: Report) -> None:
    gap = full.evaluation.representation_gap
    assert gap is not None
    shares = shares_of(gap, LABELS)
    assert shares == pytest.approx(dict.fromkeys(["cat", "dog", "<b>"], 1 / 3))
    assert shares_of(gap, ["bird"] * 3) is None
    assert shares_of(gap, None) is None
    numbers = torch.tensor([0, 0, 1, 2])
    assert shares_of(representation_gap(numbers, numbers), numbers) == {0: 0.5, 1: 0.25, 2: 0.25}


def test_page_with_photographs_is_small() -> None:
    generator = torch.Generator().manual_seed(0)

    def photos(count: int) -> list[Tensor]:
        shape = (count, 3, 256, 256)
        return list(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))

    many = torch.randn(3000, D, generator=generator)
    figures = ReportFigures(
        real_images=photos(64),
        fake_images=photos(64),
        real_features=many,
        fake_features=many,
        neighbours=[(a, b, 0.0) for a, b in itertools.pairwise(photos(30))],
    )
    assert len(make(figures=figures).html()) < 2_200_000


def test_notebook_styles_are_scoped_and_ids_differ(full: Report, bad: Report) -> None:
    one, two = full._repr_html_(), bad._repr_html_()
    assert "<html" not in one
    assert "<body" not in one
    assert not set(re.findall(r' id="([^"]+)"', one)) & set(re.findall(r' id="([^"]+)"', two))
    style = Page(one).style
    rules = re.sub(r"@media[^{]+\{", "", style)
    selectors = [s for rule in re.findall(r"([^{}]+)\{", rules) for s in rule.split(",")]
    assert selectors
    assert all(".gqlib-report" in selector for selector in selectors)
    assert "prefers-color-scheme" not in style
    assert full._repr_html_() == one


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def themes(text: str) -> list[dict[str, str]]:
    """The colours of the light and of the dark theme."""
    rules = Page(text).style.split("}")
    return [dict(named) for r in rules if (named := re.findall(r"--gq-(\w+):(#\w{6})", r))]


def test_contrast_is_enough_in_light_and_dark(full: Report) -> None:
    light, dark = themes(full.html())
    assert themes(full._repr_html_()) == [light, dark]
    assert light.keys() == dark.keys()
    for theme in (light, dark):
        for back in ("paper", "shade"):
            for front, least in {
                **dict.fromkeys(("ink", "soft", "link", "alarm", "calm"), 4.5),
                **dict.fromkeys(("real", "fake"), 3.0),
            }.items():
                a, b = sorted((luminance(theme[front]), luminance(theme[back])))
                assert (b + 0.05) / (a + 0.05) >= least, (front, back)


def test_sides_have_the_colours_of_the_lessons_figures(full: Report) -> None:
    for theme in themes(full.html()):
        assert {theme["real"], theme["fake"]} <= set(plots.COLOURS)


def test_every_colour_is_used_and_every_use_is_a_colour(full: Report) -> None:
    for text in (full.html(), full._repr_html_()):
        light, _ = themes(text)
        assert set(re.findall(r"var\(--gq-(\w+)\)", Page(text).style)) == set(light)


def test_running_text_has_the_signs_of_print() -> None:
    assert printed("is -3.1 and 1.2e-5; 43 % of C_T, a-1") == (
        "is −3.1 and 1.2 × 10⁻⁵; 43\u00a0% of C<sub>T</sub>, a-1"
    )

"""The report: words, JSON, a page that any reader can use, and files that are whole or absent."""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gqlib
from gqlib import report as module
from gqlib.metrics import Evaluation, GaussianStatistics, evaluate
from gqlib.report import Material, Report

N, D = 60, 4
HOSTILE = '"><script>alert(1)</script>\x1b[31m\n\udcff<img src=x>&amp;'
VOID = {"meta", "img", "br", "hr", "link", "input"}


def normal(seed: int, n: int = N) -> Tensor:
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed))


def images(count: int, channels: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    shape = (count, channels, 28, 28)
    return list(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))


LABELS = ["cat", "dog", "<b>"] * (N // 3)
EVERYTHING: dict[str, Any] = {
    "train": normal(2),
    "holdout": normal(3),
    "real_labels": LABELS,
    "fake_labels": ["cat"] * N,
    "probabilities": torch.softmax(3 * normal(4), 1),
    "confidence": 0.95,
}
PICTURES = Material(
    real_images=images(5),
    fake_images=images(4),
    real_features=normal(0),
    fake_features=normal(1),
    neighbours=[(a, b, i / 3) for i, (a, b) in enumerate(itertools.pairwise(images(6)))],
    real_spectrum=torch.arange(1, 22).double(),
    fake_spectrum=torch.arange(2, 23).double(),
    real_labels=LABELS,
)


def evaluation(*leave_out: str, fake: Tensor | None = None, **given: Any) -> Evaluation:
    arguments = {k: v for k, v in EVERYTHING.items() if k not in leave_out} | given
    return evaluate(normal(0), normal(1) if fake is None else fake, **arguments)


def make(e: Evaluation | None = None, **given: Any) -> Report:
    arguments: dict[str, Any] = {"real": "photos", "fake": "made", "material": PICTURES} | given
    return Report(evaluation=evaluation() if e is None else e, **arguments)


@pytest.fixture(scope="module")
def full() -> Report:
    return make(warnings=("fake: 3 images are JPEG files",), extractor="digits", resize="none")


@pytest.fixture(scope="module")
def bad() -> Report:
    """All four failures at once."""
    train = normal(2, 400)
    copies = train[train[:, 0] > 0.3].repeat(2, 1)[:200]
    copies[160:] = 50 + copies[160:] / 100
    e = evaluate(
        normal(0, 400),
        copies,
        train=train,
        holdout=normal(3, 400),
        real_labels=[0, 1] * 200,
        fake_labels=[0] * 200,
        confidence=0.95,
    )
    return make(e, material=Material())


def statistics() -> Evaluation:
    return evaluate(*(GaussianStatistics.from_features(normal(i)) for i in (0, 1)))


def without_n() -> Evaluation:
    fits = [GaussianStatistics.from_features(normal(i)) for i in (0, 1)]
    unknown = GaussianStatistics.from_moments(fits[0].mean, fits[0].cov, None)
    return evaluate(unknown, fits[1])


def zeros() -> Evaluation:
    fake = normal(1)
    fake[3] = 0
    return evaluation(fake=fake)


PARTS: dict[str, Callable[[], Evaluation]] = {
    "everything": evaluation,
    "statistics": statistics,
    "statistics without n": without_n,
    "no intervals": lambda: evaluation("confidence"),
    "no labels": lambda: evaluation("real_labels", "fake_labels"),
    "no training set": lambda: evaluation("train", "holdout"),
    "no held-out set": lambda: evaluation("holdout"),
    "no probabilities": lambda: evaluation("probabilities"),
    "nothing else": lambda: evaluation(*EVERYTHING),
    "too large k": lambda: evaluation(k=N),
    "a zero row": zeros,
}


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


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("material", [PICTURES, Material()], ids=["pictures", "no pictures"])
def test_whatever_is_missing_the_report_stands(name: str, material: Material) -> None:
    report = make(PARTS[name](), material=material)
    page = check_page(report.html())
    for heading in ("Mode collapse", "Memorisation", "Noise and artifacts", "Bias"):
        assert f"{heading}:" in page.text
    assert "None" not in page.text.replace("None.", "")
    assert "nan" not in re.sub(r"\w{4,}", "", page.text)
    check_page(f"<h1></h1>{report._repr_html_()}".replace("<h1></h1>", "", 1))
    json.loads(report.json())
    for width in (40, 80, 120):
        assert max(map(len, report.text(width).splitlines())) <= width


@pytest.mark.parametrize("part", list(Material.__dataclass_fields__))
def test_any_picture_may_be_missing(full: Report, part: str) -> None:
    empty = getattr(Material(), part)
    check_page(replace(full, material=replace(PICTURES, **{part: empty})).html())


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
    kinds = len(PICTURES.neighbours) + 2
    assert len(page.all("img")) == kinds
    assert "Bińkowski" in page.text


def test_found_and_not_found_are_told_in_words(bad: Report) -> None:
    states = {verdict.failure: verdict.found for verdict in bad.verdicts}
    assert all(states.values()), states
    page = check_page(bad.html())
    assert page.text.count("▲ found") == 8
    assert "no proof of absence" not in page.text
    assert "1 (50.0 points too few)" in page.text
    good = make(evaluation(fake_labels=LABELS, fake=normal(9)), material=Material())
    page = check_page(good.html())
    assert "○ not found" in page.text
    assert "Not found is no proof of absence" in page.text
    assert page.text.count("would not show") >= 3


def test_not_tested_says_what_to_give() -> None:
    page = check_page(make(statistics()).html())
    assert page.text.count("– not tested") == 8
    assert "Not tested: give the training set (--train)" in page.text
    assert "statistics without samples allow" in page.text.replace("Statistics", "statistics")


def test_nearest_real_images_are_called_so() -> None:
    page = check_page(make(evaluation("train", "holdout")).html())
    assert "real images, for want of training ones" in page.text
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
        material=replace(PICTURES, real_labels=labels),
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
    shares = module._shares(gap, LABELS)
    assert shares == pytest.approx(dict.fromkeys(["cat", "dog", "<b>"], 1 / 3))
    assert module._shares(gap, ["bird"] * 3) is None
    assert module._shares(gap, None) is None
    numbers = torch.tensor([0, 0, 1, 2])
    e = evaluation(real_labels=numbers, fake_labels=numbers)
    assert e.representation_gap is not None
    assert module._shares(e.representation_gap, numbers) == {0: 0.5, 1: 0.25, 2: 0.25}


def test_page_with_photographs_is_small() -> None:
    generator = torch.Generator().manual_seed(0)

    def photos(count: int) -> list[Tensor]:
        shape = (count, 3, 256, 256)
        return list(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))

    many = torch.randn(3000, D, generator=generator)
    material = Material(
        real_images=photos(64),
        fake_images=photos(64),
        real_features=many,
        fake_features=many,
        neighbours=[(a, b, 0.0) for a, b in itertools.pairwise(photos(30))],
    )
    assert len(make(material=material).html()) < 2_200_000


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


def test_contrast_is_enough_in_light_and_dark() -> None:
    style = module._style(page=True)
    themes = [dict(re.findall(r"--gq-(\w+):(#\w{6})", rule)) for rule in style.split("@media")[:2]]
    assert len(themes) == 2
    for theme in themes:
        for back in ("paper", "shade"):
            for front, least in {
                **dict.fromkeys(("ink", "soft", "link", "alarm", "calm"), 4.5),
                **dict.fromkeys(("real", "fake"), 3.0),
            }.items():
                a, b = sorted((luminance(theme[front]), luminance(theme[back])))
                assert (b + 0.05) / (a + 0.05) >= least, (front, back)


def test_running_text_has_the_signs_of_print() -> None:
    assert module._print("is -3.1 and 1.2e-5; 43 % of C_T, a-1") == (
        "is −3.1 and 1.2 × 10⁻⁵; 43\u00a0% of C<sub>T</sub>, a-1"
    )


# --- text -----------------------------------------------------------------------------------------


def test_text_says_verdicts_first_then_numbers(full: Report, bad: Report) -> None:
    text = bad.text(80)
    for first, second in itertools.pairwise(
        ("[!] Mode collapse: found", "95 % interval", "Recall  ", "Copying test", "Warnings")
    ):
        assert text.index(first) < text.index(second)
    assert "400 / 200" in text
    assert "- fake: 3 images are JPEG files." in full.text()
    tested = full.text()
    assert "photos (60 samples)" in tested


def test_table_is_a_table_where_it_fits(full: Report) -> None:
    wide = full.text(90).splitlines()
    assert any(re.match(r"Recall +0\.\d+ +0\.\d+ to [01][.\d]* +0\.\d+ +60 / 60$", x) for x in wide)
    narrow = " ".join(full.text(30).split())
    assert re.search(r"Recall: 0\.\d+ \(95 % interval 0\.\d+ to [01][.\d]*, faithful", narrow)


def test_shares_stay_on_one_line(full: Report) -> None:
    for width in range(24, 100):
        assert not any(line.lstrip().startswith("%") for line in full.text(width).splitlines())


def test_long_names_are_broken() -> None:
    text = make(real="x" * 300, warnings=("y" * 300,)).text(50)
    assert max(map(len, text.splitlines())) <= 50


def test_colour_changes_no_word(full: Report) -> None:
    coloured = full.text(80, colour=True)
    assert "\x1b[1m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == full.text(80)


# --- JSON -----------------------------------------------------------------------------------------


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_json_holds_all_numbers(full: Report) -> None:
    found = json.loads(full.json(indent=2), parse_constant=refuse)
    assert found == json.loads(full.json())
    assert (found["format"], found["version"]) == ("gqlib report", 1)
    assert found["gqlib"] == gqlib.__version__
    assert found["inputs"] == {
        "real": "photos",
        "fake": "made",
        "extractor": "digits",
        "resize": "none",
        "seed": 0,
        "level": 0.01,
    }
    assert found["evaluation"] == json.loads(full.evaluation.json())
    assert [v["failure"] for v in found["verdicts"]] == [v.failure for v in full.verdicts]
    evidence = found["verdicts"][0]["evidence"][0]
    assert set(evidence) == {"name", "value", "interval", "faithful", "p_value", "alarming"}
    assert set(evidence["interval"]) == {"low", "high", "level"}
    assert found["warnings"][0] == "fake: 3 images are JPEG files"


def test_json_of_numbers_that_are_not_finite() -> None:
    e = evaluation()
    odd = replace(e, frechet_distance=replace(e.frechet_distance, value=math.inf))
    odd = replace(odd, faithful={**e.faithful, "kernel_distance": math.nan})
    report = make(odd)
    found = json.loads(report.json(), parse_constant=refuse)
    assert found["evaluation"]["frechet_distance"]["value"] == "inf"
    assert found["evaluation"]["faithful"]["kernel_distance"] == "nan"
    assert "infinite" in check_page(report.html()).text
    assert "infinite" in report.text()


def test_repr_is_one_short_line(bad: Report) -> None:
    assert repr(bad).startswith("Report(made against photos: mode collapse found, noise and art")
    assert len(repr(bad)) < 200
    assert len(repr(PICTURES)) < 200


def test_wrong_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="level=0, expected a share between 0 and 1"):
        _ = make(level=0).verdicts


# --- files ----------------------------------------------------------------------------------------


def test_saved_files_are_what_the_methods_give(full: Report, tmp_path: Path) -> None:
    full.save_html(tmp_path / "r.html")
    full.save_json(str(tmp_path / "r.json"))
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == full.html()
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(full.json())
    full.save_json(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == (tmp_path / "r.json").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.json"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_links_stay_links_and_pipes_pipes(full: Report, tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    full.save_json(tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").is_file()
    full.save_json("/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("save", ["save_html", "save_json"])
def test_unwritable_places_are_told_and_left_clean(
    full: Report, save: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere.r could not be written: No such file"):
        getattr(full, save)(tmp_path / "nowhere" / "r")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder could not be written: "):
        getattr(full, save)(folder)

    def no_space(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", no_space)
    (tmp_path / "old").write_text("kept")
    with pytest.raises(OSError, match="old could not be written: No space left on device; choose"):
        getattr(full, save)(tmp_path / "old")
    assert (tmp_path / "old").read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "old"]
    assert not list(folder.iterdir())


def test_an_interrupt_leaves_nothing(
    full: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Path, mode: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "chmod", interrupt)
    with pytest.raises(KeyboardInterrupt):
        full.save_html(tmp_path / "r.html")
    assert not list(tmp_path.iterdir())

"""The report as JSON, and files that are whole or absent."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from dataclasses import fields, replace
from pathlib import Path

import pytest

import gqlib
from gqlib.evaluation.report import Report
from gqlib.evaluation.verdicts import Evidence
from tests.evaluation.report.samples import PICTURES, evaluation, make
from tests.evaluation.report.test_page import check_page


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_json_holds_all_numbers(full: Report) -> None:
    saved = json.loads(full.json(indent=2), parse_constant=refuse)
    assert saved == json.loads(full.json())
    assert (saved["format"], saved["version"]) == ("gqlib report", 2)
    assert saved["gqlib"] == gqlib.__version__
    assert saved["inputs"] == {
        "real": "photos",
        "fake": "made",
        "extractor": "digits",
        "resize": "none",
        "seed": 0,
        "level": 0.01,
    }
    assert saved["evaluation"] == json.loads(full.evaluation.json())
    assert [v["failure"] for v in saved["verdicts"]] == [v.failure for v in full.verdicts]
    evidence = saved["verdicts"][0]["evidence"][0]
    assert set(evidence) == {field.name for field in fields(Evidence)}
    assert set(evidence["interval"]) == {"low", "high", "level"}
    assert saved["warnings"][0] == "fake: 3 images are JPEG files"


def test_json_of_numbers_that_are_not_finite() -> None:
    e = evaluation()
    odd = replace(e, frechet_distance=replace(e.frechet_distance, value=math.inf))
    odd = replace(odd, expected={**e.expected, "kernel_distance": math.nan})
    report = make(odd)
    saved = json.loads(report.json(), parse_constant=refuse)
    assert saved["evaluation"]["frechet_distance"]["value"] == "inf"
    assert saved["evaluation"]["expected"]["kernel_distance"] == "nan"
    assert "infinite" in check_page(report.html()).text
    assert "infinite" in report.text()


def test_repr_is_one_short_line(bad: Report) -> None:
    assert repr(bad).startswith("Report(made against photos: mode collapse found, noise and art")
    assert len(repr(bad)) < 200
    assert len(repr(PICTURES)) < 200


def test_wrong_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="level=0, expected a share between 0 and 1"):
        _ = make(level=0).verdicts


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
    def interrupt(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        full.save_html(tmp_path / "r.html")
    assert not list(tmp_path.iterdir())

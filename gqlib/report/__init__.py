"""The quality report: what an evaluation says of the four failures, in words and pictures.

One :class:`Report` gives itself as text for a terminal, as JSON for programs, and as a page of one
file for readers; the page's content is also what a notebook shows. Each form says first what was
found, then the numbers with what a faithful model would get, then what to be careful about.

The words that all forms share stand in ``_words``, the forms in ``_terminal`` and ``_page``, and
the page's pictures in ``_images``, ``_map``, ``_charts`` and ``_spectra``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from gqlib import __version__, files
from gqlib.metrics import Evaluation
from gqlib.metrics.result import plain, strict
from gqlib.report import _page, _terminal
from gqlib.report._numbers import shown
from gqlib.report._words import STATE
from gqlib.verdicts import Verdict, verdicts

__all__ = ["FORMAT_VERSION", "Material", "Report"]

#: Of the JSON; counted up when a reader of it would have to change.
FORMAT_VERSION = 1


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
        found = ", ".join(f"{v.failure} {STATE[v.found]}" for v in self.verdicts)
        return f"Report({shown(self.fake)} against {shown(self.real)}: {found})"

    def text(self, width: int = 80, colour: bool = False) -> str:
        """The report for a terminal of ``width`` columns, at least 24; in colours if asked."""
        return _terminal.text(self, width, colour)

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
        return _page.document(self)

    def _repr_html_(self) -> str:
        return _page.fragment(self)

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
    try:
        files.write_text(Path(path), text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(
            f"{shown(os.fspath(path))} could not be written: {reason}; choose another place, or "
            "make room there"
        ) from error

"""What a report is made of: the evaluation, where it comes from, and the verdicts on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from gqlib import __version__
from gqlib.evaluation.verdicts import Verdict, verdicts
from gqlib.metrics import Evaluation, GaussianStatistics
from gqlib.metrics.result import plain, strict

#: Of the JSON; counted up when a reader of it would have to change.
FORMAT_VERSION = 2


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReportFigures:
    """What the report's pictures are made of; a picture whose data are missing is left out.

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
class Content:
    """An evaluation with where it comes from.

    Attributes:
        evaluation: What was measured.
        real: What the real samples were called, such as a path.
        fake: What the fakes were called.
        extractor: Identity of the feature extractor; empty if unknown.
        resize: How it resized images; empty if unknown.
        seed: Of all that was random.
        level: Largest share of faithful models that may be accused of any failure.
        warnings: Of the sources and the extraction, next to the evaluation's own.
        reference: The real side's features (N, D) or statistics, for :meth:`save_statistics`.
        figures: For the pictures.
    """

    evaluation: Evaluation
    real: str
    fake: str
    extractor: str = ""
    resize: str = ""
    seed: int = 0
    level: float = 0.01
    warnings: tuple[str, ...] = ()
    reference: Tensor | GaussianStatistics | None = None
    figures: ReportFigures = field(default_factory=ReportFigures)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What was found of each failure."""
        return verdicts(self.evaluation, self.level)

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The sources' warnings and the metrics', each once."""
        return tuple(dict.fromkeys((*self.warnings, *self.evaluation.warnings)))

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
        """Strict JSON: a number that is not finite becomes the string ``"inf"`` or ``"nan"``."""
        return json.dumps(strict(self.to_dict()), indent=indent, allow_nan=False)


def _verdict_dict(verdict: Verdict) -> dict[str, Any]:
    entry = asdict(verdict)
    entry["evidence"] = [
        {**asdict(item), "interval": plain(item.interval)} for item in verdict.evidence
    ]
    return entry

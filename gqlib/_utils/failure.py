"""The four ways in which a generative model fails, under the names that code and JSON use."""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """A failure of a generative model; its value is its name in JSON."""

    mode_collapse = "mode_collapse"
    memorisation = "memorisation"
    noise = "noise"
    bias = "bias"

    @property
    def label(self) -> str:
        """The failure in words."""
        return "noise and artifacts" if self is Failure.noise else self.value.replace("_", " ")

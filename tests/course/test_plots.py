"""Shared figures: alternative text, walls, and a slider that degrades to a picture."""

from __future__ import annotations

import builtins
import html
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from gqlib.course import plots

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    published: list[dict[str, Any]] = []
    monkeypatch.setattr(plots, "_publish", published.append)
    return published


def draw(value: float) -> Figure:
    fig, ax = plots.figure(3, 2)
    ax.plot([0, value])
    return fig


def test_show_carries_alternative_text(shown: list[dict[str, Any]]) -> None:
    plots.show(draw(1), 'a line, "rising" & straight')
    (data,) = shown
    alt = re.match('<img alt="([^"]*)" src="data:image/png;base64,', data["text/html"])
    assert alt
    assert html.unescape(alt[1]) == 'a line, "rising" & straight' == data["text/plain"]


def test_while_graded_figures_are_their_texts(
    shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    drawn = []

    def drawing(value: float) -> Any:
        drawn.append(value)
        return plots.figure()[0]

    plots.show(drawing(0), "one")
    plots.slider(drawing, "x", [1, 2], 2, "two")
    assert shown == [{"text/plain": "one"}, {"text/plain": "two"}]
    assert drawn == [0, 2]


def test_figures_are_the_same_bytes_each_time() -> None:
    assert plots.png(draw(1)) == plots.png(draw(1)) != plots.png(draw(2))


def test_wall_takes_bytes_and_floats() -> None:
    images = torch.randint(0, 256, (7, 4, 5), dtype=torch.uint8)
    for pixels in (images, images[:, None], images / 255, images.numpy()):
        (ax,) = plots.wall(pixels, columns=3, title="seven").axes
        drawn = ax.get_images()[0].get_array()
        assert drawn is not None
        assert drawn.shape == (3 * 6 - 2, 3 * 7 - 2)
        np.testing.assert_allclose(drawn[:4, :5], images[0] / 255)
        np.testing.assert_allclose(drawn[12:16, :5], images[6] / 255)


def test_slider_holds_widget_and_picture(shown: list[dict[str, Any]]) -> None:
    plots.slider(draw, "value", values=[1, 2, 3], start=2, alt="a line")
    (data,) = shown
    assert set(data) == {WIDGET, "text/html", "text/plain"}
    assert data["text/plain"] == "a line"


def test_slider_redraws(shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    import ipywidgets

    made: list[Any] = []

    def spy(kind: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *a, **k: made.append(kind(*a, **k)) or made[-1]

    monkeypatch.setattr(ipywidgets, "SelectionSlider", spy(ipywidgets.SelectionSlider))
    monkeypatch.setattr(ipywidgets, "Image", spy(ipywidgets.Image))
    plots.slider(draw, "value", values=[1, 2, 3], start=2, alt="a line")
    control, image = made
    assert image.value == plots.png(draw(2))
    control.value = 3
    assert image.value == plots.png(draw(3))


def test_slider_without_widgets_is_a_picture(
    shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def without_widgets(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "ipywidgets":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_widgets)
    plots.slider(draw, "value", values=[1, 2], start=1, alt="a line")
    assert set(shown[0]) == {"text/html", "text/plain"}


def test_slider_start_is_one_of_the_values() -> None:
    with pytest.raises(ValueError, match=r"start=9 is none of the slider's values \[1, 2\]"):
        plots.slider(draw, "value", values=[1, 2], start=9, alt="")

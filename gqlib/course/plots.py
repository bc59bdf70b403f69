"""The figures that lessons share: image walls, sliders, figures with alternative text."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from gqlib._utils import installing
from gqlib._utils.mosaic import mosaic
from gqlib.course._environment import graded

try:
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise installing.missing(error, "gqlib.course.plots", "course") from None

#: Okabe and Ito's palette, distinguishable under the common colour-vision deficiencies.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_DPI = 90

_STYLE: Any = {
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def figure(width: float = 8, height: float = 3, **subplots: Any) -> tuple[Figure, Any]:
    """A figure of ``width`` × ``height`` inches and its axes, from ``Figure.subplots``."""
    with mpl.rc_context(_STYLE):
        fig = Figure(figsize=(width, height))
        FigureCanvasAgg(fig)
        return fig, fig.subplots(**subplots)


def warm_up() -> None:
    """Draw a text and a formula, so that later figures need not wait for fonts to load."""
    fig, ax = figure(1, 1)
    ax.set(xlabel="x", ylabel=r"$\log x$", title="x")
    fig.savefig(io.BytesIO(), format="png")


def show(fig: Figure, alt: str) -> None:
    """Display ``fig`` in the notebook with ``alt`` as its alternative text.

    While a notebook is graded, only the text is shown.
    """
    _publish({"text/plain": alt} if graded() else _bundle(png(fig), alt))


def wall(
    images: torch.Tensor | np.ndarray[Any, Any],
    columns: int = 10,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw grey images [N,H,W] or [N,1,H,W], bytes or floats in [0, 1], as one wall.

    Drawn into ``ax`` if it is given; the figure is returned either way.
    """
    pixels = np.asarray(images)
    if pixels.dtype == np.uint8:
        pixels = pixels / 255
    pixels = pixels.reshape(len(pixels), *pixels.shape[-2:])
    if ax is None:
        rows = math.ceil(len(pixels) / columns)
        _, ax = figure(min(8, 0.8 * columns), min(8, 0.8 * columns) * rows / columns + 0.3)
    ax.imshow(mosaic(list(pixels), columns), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return ax.figure.figure  # of an axes in a subfigure, too, the whole one


def slider(
    draw: Callable[[float], Figure],
    name: str,
    values: Sequence[float],
    start: float,
    alt: str,
) -> None:
    """A slider that redraws ``draw(value)``, or a still picture if widgets are missing.

    The output holds both: a notebook with widgets shows the slider, and any other viewer (a
    repository's page, a printed notebook) the figure at ``start``. Each frame is drawn once.

    Args:
        draw: Makes the figure for one value.
        name: What the slider changes, with its unit.
        values: The positions of the slider.
        start: The value shown first; one of ``values``.
        alt: Alternative text of the still picture.
    """
    if start not in values:
        raise ValueError(f"start={start} is none of the slider's values {list(values)}")
    if graded():
        show(draw(start), alt)
        return
    frames: dict[float, bytes] = {start: png(draw(start))}
    data = _bundle(frames[start], alt)
    try:
        import ipywidgets
    except ImportError:
        _publish(data)
        return
    control = ipywidgets.SelectionSlider(
        options=[(f"{value:g}", value) for value in values],
        value=start,
        description=name,
        style={"description_width": "initial"},
        layout={"width": "30em"},
    )
    image = ipywidgets.Image(value=frames[start], format="png")

    def redraw(change: dict[str, Any]) -> None:
        value = change["new"]
        if value not in frames:
            frames[value] = png(draw(value))
        image.value = frames[value]

    control.observe(redraw, names="value")
    box = ipywidgets.VBox([control, image])
    # Version 8 and version 7 of ipywidgets name the bundle of a widget differently.
    view = box._repr_mimebundle_() if hasattr(box, "_repr_mimebundle_") else None
    key = "application/vnd.jupyter.widget-view+json"
    data[key] = (
        view[key] if view else {"version_major": 2, "version_minor": 0, "model_id": box._model_id}
    )
    _publish(data)


def png(fig: Figure) -> bytes:
    """The figure as PNG, without the date and version that would make each run's file differ."""
    buffer = io.BytesIO()
    # The layout is final only in the second drawing: without a first one, long titles are clipped.
    fig.draw_without_rendering()
    fig.savefig(buffer, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _bundle(picture: bytes, alt: str) -> dict[str, Any]:
    # Our own <img>, since JupyterLab gives the images of a PNG output no alternative text.
    source = base64.b64encode(picture).decode()
    image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{source}">'
    return {"text/html": image, "text/plain": alt}


def _publish(data: dict[str, Any]) -> None:
    from IPython import display

    display.publish_display_data(data)

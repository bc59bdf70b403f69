"""The jinja2 templates of pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(folder: Path, **filters: Callable[..., Any]) -> Environment:
    """Templates in ``folder/templates``, which may include files next to that, such as styles.

    What is put into a template is escaped, unless it is markup already, and a name that it uses but
    was not given is an error.
    """
    # Only pages need jinja2; the rooms that make them are imported without it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder / "templates", folder]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(filters)
    return made

"""A notebook that puts scripts wherever a page shows something of a notebook."""

from __future__ import annotations

from nbformat import NotebookNode, v4


def _call(name: str) -> str:
    return f"(window.top.hits ??= []).push('{name}')"


def _script(name: str) -> str:
    return f'<script>{_call(name)}</script><img src=x onerror="{_call(name + " by an image")}">'


#: What a student's code displays, by its name.
OUTPUTS = {
    "html": {"text/html": _script("html")},
    "svg": {"image/svg+xml": f'<svg xmlns="http://www.w3.org/2000/svg">{_script("svg")}</svg>'},
    "javascript": {"application/javascript": _call("javascript")},
    "png": {"image/png": f'AAAA">{_script("png")}'},
    "jpeg": {"image/jpeg": f"AAAA' onerror=\"{_call('jpeg')}\" x='"},
    "markdown": {"text/markdown": _script("markdown output")},
    "latex": {"text/latex": f"</div>{_script('latex')}$x$"},
    "plain": {"text/plain": f"</pre>{_script('plain')}"},
    "pdf": {"application/pdf": f'"></iframe>{_script("pdf")}'},
    "widget": {"application/vnd.jupyter.widget-view+json": f"</script>{_script('widget')}"},
    "link": {"text/html": f'<a id=trap href="javascript:{_call("link")}">x</a>'},
    "data": {"text/html": '<a href="data:text/html,<script>1</script>">x</a>'},
    "frame": {"text/html": f'<iframe srcdoc="{_script("frame").replace(chr(34), "&quot;")}">'},
    "form": {"text/html": f'<form action="javascript:{_call("form")}"><button>x</form>'},
    "beacon": {"text/html": "<img src='https://example.org/seen.png'>"},
    "button": {"text/html": "<span id=save class='btn full-credit k'>x</span>"},
    "style": {"text/html": "<style>* { display: none !important }</style>"},
    "odd": {"text/html": f"<svg/onload=\"{_call('odd')}\"><math><mi//xlink:href='data:x'>"},
}


def answer() -> str:
    """An answer whose cell displays all this, with metadata of the like."""
    lines = ["from IPython.display import display", "def double(x): return 2 * x"]
    for name, data in OUTPUTS.items():
        about = {
            kind: {"width": f'1">{_script(name + " width")}', "isolated": True} for kind in data
        }
        lines.append(f"display({data!r}, metadata={about!r}, raw=True)")
    lines.append(f"print({_script('stream')!r})")
    lines.append(f"raise ValueError({_script('error')!r})")
    return "\n".join(lines)


def spoil(nb: NotebookNode) -> None:
    """Put the like into cells and metadata."""
    nb.metadata.title = f"</title>{_script('title')}"
    nb.metadata.language_info = {"name": f'x">{_script("language")}', "pygments_lexer": "x"}
    nb.metadata.widgets = {
        "application/vnd.jupyter.widget-state+json": {"x": f"</script>{_script('state')}"}
    }
    for cell in nb.cells:
        cell.metadata["tags"] = [f'x">{_script("tag")}']
        cell.metadata["magics_language"] = f'x">{_script("magics")}'
    written = v4.new_markdown_cell(
        f"{_script('written')}\n\n[x](javascript:{_call('written_link')})\n\n"
        f'<a href="java\tscript:{_call("tab")}">x</a>\n\n![x](attachment:a.png)\n\n'
        "A formula $a<b$, `x < y` and **bold**.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "```html\n<script>shown</script>\n```",
        attachments={"a.png": {"image/png": f'x">{_script("attachment")}'}},
    )
    raw = v4.new_raw_cell(_script("raw"), metadata={"raw_mimetype": "text/html"})
    nb.cells += [written, raw, v4.new_raw_cell(_script("raw without a type"))]

"""The style sheet of the page and of the notebook: two themes, the layout and the charts."""

from __future__ import annotations

#: Name of each colour to its light and its dark form. Those of the two sides are Okabe and Ito's,
#: as in :mod:`gqlib.course.plots`, whose import would load matplotlib.
_COLOURS = {
    "ink": ("#1b1f24", "#e6e9ec"),
    "soft": ("#57606a", "#a6afb8"),
    "faint": ("#c3c9d0", "#4a525b"),
    "paper": ("#ffffff", "#15181c"),
    "shade": ("#f3f5f7", "#20252b"),
    "link": ("#0a5ea8", "#7cc0f5"),
    "alarm": ("#a23c00", "#ffb072"),
    "calm": ("#00634a", "#5fd0ab"),
    "real": ("#0072B2", "#56B4E9"),
    "fake": ("#D55E00", "#E69F00"),
}
_LIGHT, _DARK = (
    ";".join(f"--gq-{name}:{pair[i]}" for name, pair in _COLOURS.items()) for i in (0, 1)
)


def for_page() -> str:
    """For a page of its own: dark where the reader's system is."""
    return (
        f":root{{{_LIGHT};color-scheme:light dark}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
        f"body{{margin:0;background:var(--gq-paper)}}{_SHEET}"
    )


def for_notebook() -> str:
    """For a notebook, which has a theme of its own, whatever the system prefers."""
    dark = ",".join(
        f"{where} .gqlib-report"
        for where in ('[data-jp-theme-light="false"]', ".vscode-dark", 'html[theme="dark"]')
    )
    return f".gqlib-report{{{_LIGHT}}}{dark}{{{_DARK}}}{_SHEET}"


_LAYOUT = """
.gqlib-report{box-sizing:border-box;max-width:50rem;margin:0 auto;
padding:1.5rem clamp(1rem,4vw,2rem);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
color:var(--gq-ink);background:var(--gq-paper);overflow-wrap:anywhere;text-align:left}
.gqlib-report *{box-sizing:border-box}
.gqlib-report h1{font-size:1.9rem;line-height:1.2;margin:.5rem 0;color:inherit}
.gqlib-report h2{font-size:1.35rem;line-height:1.3;margin:0 0 .6rem;color:inherit}
.gqlib-report h1,.gqlib-report h2,.gqlib-report h3{font-weight:700}
.gqlib-report h3{font-size:1.05rem;margin:1rem 0 .3rem;color:inherit}
.gqlib-report p{margin:.5rem 0;max-width:44rem}
.gqlib-report a{color:var(--gq-link)}
.gqlib-report section{border-top:1px solid var(--gq-faint);margin-top:2rem;padding-top:1.5rem}
.gqlib-report .gq-lead{font-size:1.1rem}
.gqlib-report .found{color:var(--gq-alarm)}
.gqlib-report .clear{color:var(--gq-calm)}
.gqlib-report .untested{color:var(--gq-soft)}
.gqlib-report ul.gq-cards{list-style:none;margin:1.25rem 0;padding:0;display:grid;gap:.75rem;
grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr))}
.gqlib-report .gq-cards li{margin:0;padding:0;list-style:none}
.gqlib-report .gq-cards a{display:block;height:100%;padding:.75rem 1rem;border-radius:.5rem;
color:var(--gq-ink);background:var(--gq-shade);border-left:.35rem solid;text-decoration:none}
.gqlib-report .gq-cards .found a{border-color:var(--gq-alarm)}
.gqlib-report .gq-cards .clear a{border-color:var(--gq-calm);border-left-style:double}
.gqlib-report .gq-cards .untested a{border-color:var(--gq-soft);border-left-style:dotted}
.gqlib-report .gq-cards a:hover span:first-child{text-decoration:underline}
.gqlib-report .gq-cards a>span{display:block}
.gqlib-report .gq-cards .found strong{color:var(--gq-alarm)}
.gqlib-report .gq-cards .clear strong{color:var(--gq-calm)}
.gqlib-report .gq-cards .untested strong{color:var(--gq-soft)}
.gqlib-report figure{margin:1.25rem 0 0}
.gqlib-report figcaption{color:var(--gq-soft);font-size:.875rem;margin-top:.6rem;max-width:44rem}
.gqlib-report .gq-two{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(min(16rem,100%),1fr))}
.gqlib-report .gq-panel{margin:0 0 .3rem;font-weight:600;font-size:.9rem}
.gqlib-report img{max-width:100%;height:auto;display:block;margin:0}
.gqlib-report .gq-walls img{width:100%;border-radius:.25rem}
.gqlib-report ol.gq-pairs{list-style:none;margin:0;padding:0;display:grid;gap:.75rem;
grid-template-columns:repeat(auto-fill,minmax(6.5rem,1fr))}
.gqlib-report .gq-pairs li{margin:0;padding:0;font-size:.8rem;color:var(--gq-soft);
font-variant-numeric:tabular-nums}
.gqlib-report .gq-pairs img{width:100%;border-radius:.2rem}
.gqlib-report .gq-wide{overflow-x:auto}
.gqlib-report table{border-collapse:collapse;margin:1rem 0 0;font-size:.9375rem;color:inherit;
width:auto;min-width:min(100%,36rem);border:0;table-layout:auto}
.gqlib-report caption{text-align:left;font-size:.875rem;color:var(--gq-soft);padding:0 0 .3rem;
caption-side:top}
.gqlib-report table tr,.gqlib-report table tbody tr:nth-child(n),
.gqlib-report table tbody tr:nth-child(n):hover{background:transparent}
.gqlib-report table th,.gqlib-report table td{text-align:right;padding:.35rem .6rem;border:0;
border-bottom:1px solid var(--gq-faint);vertical-align:baseline;max-width:none;
font-variant-numeric:tabular-nums;overflow-wrap:normal}
.gqlib-report table td b,.gqlib-report td:nth-child(2){white-space:nowrap}
.gqlib-report table.gq-facts td{white-space:normal}
.gqlib-report table th{font-weight:600}
.gqlib-report table tr>:first-child{text-align:left;padding-left:0}
.gqlib-report table tbody th{font-weight:400}
.gqlib-report table.gq-facts td{text-align:left;overflow-wrap:anywhere}
.gqlib-report table.gq-facts th{color:var(--gq-soft);white-space:nowrap}
.gqlib-report dt{font-weight:600;margin-top:.75rem}
.gqlib-report dd{margin:0;max-width:44rem}
@media (max-width:30rem){.gqlib-report table{font-size:.8125rem}
.gqlib-report table th,.gqlib-report table td{padding:.35rem .3rem}}
@media print{.gqlib-report{max-width:none;padding:0;font-size:10pt}
.gqlib-report figure,.gqlib-report table,.gqlib-report li{break-inside:avoid}
.gqlib-report h2,.gqlib-report h3{break-after:avoid}
.gqlib-report nav a{text-decoration:none}
.gqlib-report *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
_CHARTS = """
.gqlib-report svg{display:block;overflow:visible;font:inherit;color:inherit}
.gqlib-report svg text{fill:var(--gq-ink);font-size:.875rem}
.gqlib-report svg .s{fill:var(--gq-soft);font-size:.75rem}
.gqlib-report svg .axis{stroke:var(--gq-faint);stroke-width:1}
.gqlib-report svg .real,.gqlib-report svg .fake,.gqlib-report svg .back{fill:none;\
stroke-linecap:round;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.gqlib-report svg .real{stroke:var(--gq-real)}
.gqlib-report svg .fake{stroke:var(--gq-fake)}
.gqlib-report svg .back{stroke:var(--gq-faint)}
.gqlib-report svg .whisker{stroke:var(--gq-ink);stroke-width:2}
.gqlib-report svg .halo{stroke:var(--gq-paper);stroke-width:5}
.gqlib-report svg .dot{fill:var(--gq-fake);stroke:var(--gq-paper);stroke-width:1.5}
.gqlib-report svg .tick{stroke:var(--gq-ink);stroke-width:3}
.gqlib-report svg .bar-real{fill:var(--gq-paper);stroke:var(--gq-real);stroke-width:2}
.gqlib-report svg .bar-fake{fill:var(--gq-fake)}
.gqlib-report .gq-map{border:1px solid var(--gq-faint);border-radius:.25rem;width:100%;height:auto}
.gqlib-report .gq-axes{margin-left:2.5rem;width:calc(100% - 2.5rem)}
.gqlib-report svg.gq-key{display:inline-block;vertical-align:middle;margin:0 .25em}
"""

_SHEET = _LAYOUT.strip() + _CHARTS.strip()

"""``gqlib doctor``: what is installed, what is missing and what this machine can do.

Its output is meant to be copied into a bug report, so it names none of the user's folders except
``~``. Each part is checked separately, since the command is run when something is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from gqlib import __version__
from gqlib._utils.cache_folder import cache_folder, feature_cache
from gqlib._utils.installing import remedy

_DESCRIPTION = """\
Show what is installed, what is missing and what this machine can do. Copy it into a bug report: it
shows no personal paths. The exit status is 1 if something of the base install is missing."""

_EPILOG = """\
examples:
  gqlib doctor
  gqlib doctor --json > doctor.json"""


class _Package(NamedTuple):
    name: str
    module: str
    needed_for: str


#: The direct dependencies as in pyproject.toml: those of the base install, then of each extra.
_PACKAGES = {
    "": (
        _Package("numpy", "numpy", "arrays, everywhere"),
        _Package("scipy", "scipy", "metrics"),
        _Package("torch", "torch", "metrics, models and training"),
        _Package("tqdm", "tqdm", "progress bars"),
        _Package("pillow", "PIL", "reading images"),
        _Package("jinja2", "jinja2", "reports as pages"),
        _Package("safetensors", "safetensors", "reading .safetensors files"),
    ),
    "course": (
        _Package("matplotlib", "matplotlib", "figures in lessons"),
        _Package("torchvision", "torchvision", "Fashion-MNIST and CIFAR-10"),
        _Package("jupyterlab", "jupyterlab", "gqlib lab"),
        _Package("nbgrader", "nbgrader", "Validate in lessons, and gqlib grade"),
        _Package("nh3", "nh3", "pages of submissions that are safe to open"),
        _Package("ipywidgets", "ipywidgets", "sliders in lessons"),
    ),
    "cluster": (_Package("distributed", "distributed", "gqlib grade --scheduler"),),
}
#: Run inside bubblewrap; it does what each submission's fork does before it runs a cell.
_PROBE = """
import os
from gqlib.grading.sandbox import confine
from gqlib.grading.sandbox.limits import Limits
confine.enter_namespaces()
if child := os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
confine.mount_own_files(Limits())
confine.give_up_rights()
"""
_SECONDS = 60


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "doctor",
        help="show what is installed and what this machine can do",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="the same for programs")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print what was found; returns the exit status: 0, or 1 if the base install is not whole."""
    found = _examine()
    print(json.dumps(found, indent=2, ensure_ascii=False) if given.json else _text(found))
    return 0 if found["whole"] else 1


def _examine() -> dict[str, Any]:
    # What packages print or warn about while they are imported would spoil the JSON.
    silence = io.StringIO()
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(silence),
        contextlib.redirect_stderr(silence),
    ):
        packages = {extra: list(map(_package, group)) for extra, group in _PACKAGES.items()}
        lacking = [extra for extra, group in packages.items() if any(p["problem"] for p in group)]
        return {
            "gqlib": __version__,
            "python": f"{platform.python_version()} ({platform.python_implementation()})",
            "platform": platform.platform(),
            "packages": packages,
            "torch": _torch(),
            "sandbox": _sandbox(),
            "commands": {name: shutil.which(name) is not None for name in ("jupyter", "nbgrader")},
            "cache": _cache(),
            "whole": "" not in lacking,
            "lacking": lacking,
        }


def _package(package: _Package) -> dict[str, str | None]:
    version, problem = None, None
    try:
        module = importlib.import_module(package.module)
        version = _version(package, module)
    except ModuleNotFoundError as error:
        # Perhaps it is there, and something that it needs is not.
        missing = error.name == package.module
        problem = "missing" if missing else f"can't be imported: {_anonymous(error)}"
    except Exception as error:
        problem = f"can't be imported: {_anonymous(error)}"
    return {
        "name": package.name,
        "version": version,
        "needed_for": package.needed_for,
        "problem": problem,
    }


def _version(package: _Package, module: Any) -> str:
    try:
        return metadata.version(package.name)
    except metadata.PackageNotFoundError:  # some distributors leave the metadata out
        return str(getattr(module, "__version__", "of unknown version"))


def _torch() -> dict[str, Any] | None:
    """Devices, the best one first, threads and cores; None without PyTorch."""
    try:
        import torch

        devices = [
            f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())
        ]
        devices += ["mps"] if torch.backends.mps.is_available() else []
        return {
            "devices": [*devices, "cpu"],
            "threads": torch.get_num_threads(),
            "cores": os.cpu_count(),
        }
    except Exception:  # said with the packages, or a driver's that torch can't talk to
        return None


def _sandbox() -> dict[str, Any]:
    """Whether the sandbox works here, and if not, why."""
    from gqlib.grading.sandbox import bubblewrap

    try:
        done = subprocess.run(
            bubblewrap.command(["-c", _PROBE]),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except bubblewrap.NoSandbox as error:
        return {"starts": False, "reason": str(error)}
    except OSError as error:
        return {"starts": False, "reason": _anonymous(error)}
    except subprocess.TimeoutExpired:
        return {"starts": False, "reason": f"bubblewrap did not end within {_SECONDS} seconds"}
    if done.returncode == 0:
        return {"starts": True, "reason": None}
    said = done.stderr.strip().splitlines() or [f"bubblewrap ended with status {done.returncode}"]
    return {"starts": False, "reason": _anonymous(said[-1])}


def _cache() -> dict[str, Any]:
    """Size of what is kept between runs, features and downloads."""
    folders = [cache_folder(), feature_cache()]
    if folders[1].is_relative_to(folders[0]):
        del folders[1]
    sizes = []
    for path in {path for folder in folders for path in folder.rglob("*")}:
        with contextlib.suppress(OSError):  # another process may remove it meanwhile
            if path.is_file():
                sizes.append(path.stat().st_size)
    return {"folders": list(map(_shown, folders)), "files": len(sizes), "bytes": sum(sizes)}


def _shown(folder: Path) -> str:
    """A folder by the variable that names it, or from ``~`` on, without the rest of its path."""
    for variable in ("GQLIB_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        value = os.environ.get(variable)
        if value and folder.is_relative_to(start := Path(value).expanduser()):
            return "/".join((f"${variable}", *folder.relative_to(start).parts))
    if folder.is_relative_to(Path.home()):
        return "/".join(("~", *folder.relative_to(Path.home()).parts))
    return "a folder outside of ~"


def _anonymous(said: BaseException | str) -> str:
    """One line of an error, in which only the last part of each path is left."""
    text = said if isinstance(said, str) else f"{type(said).__name__}: {said}"
    # The last pattern stops at a space in a path. So quoted paths are replaced first, and the home
    # folder as a whole.
    text = re.sub(r"(['\"])(?:~|[A-Za-z]:)?[\\/](?:(?!\1).)*[\\/]", r"\1…/", text)
    for home in {str(Path.home()), str(Path.home().resolve())} - {os.sep}:
        text = re.sub(re.escape(home) + r"(?![\w-])", "~", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<![\w/\\])(?:~|[A-Za-z]:)?[\\/](?:[^\s:'\"\\/]*[\\/])+", "…/", text)
    return " ".join(text.split())


def _text(found: dict[str, Any]) -> str:
    lines = [f"{name:12} {found[name]}" for name in ("gqlib", "python", "platform")]
    for extra, group in found["packages"].items():
        lines += ["", f'Extra "{extra}"' if extra else "Base install"]
        for package in group:
            said = package["version"]
            if package["problem"]:
                said = f"{package['problem']} (needed for {package['needed_for']})"
            lines.append(f"  {package['name']:12} {said}")
    torch, sandbox, cache = found["torch"], found["sandbox"], found["cache"]
    devices, threads = "unknown", "unknown"
    if torch:
        devices = ", ".join(torch["devices"])
        threads = f"{torch['threads']} of PyTorch, on {torch['cores']} cores"
    folders = " and ".join(cache["folders"])
    size = f"{cache['bytes'] / 1e6:.1f} MB in {cache['files']} files, in {folders}"
    on_path = [
        f"{name} is {'' if there else 'not '}on the path"
        for name, there in found["commands"].items()
    ]
    lines += [
        "",
        f"{'devices':12} {devices}",
        f"{'threads':12} {threads}",
        f"{'sandbox':12} {'starts' if sandbox['starts'] else sandbox['reason']}",
        f"{'commands':12} {', '.join(on_path)}",
        f"{'cache':12} {size}",
        "",
    ]
    for extra in found["lacking"]:
        part = f'The extra "{extra}"' if extra else "The base install"
        lines.append(f"{part} is not whole: run {remedy(extra)}")
    if not found["lacking"]:
        lines.append("Everything is there.")
    return "\n".join(lines)

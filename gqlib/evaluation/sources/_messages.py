"""Words for messages, and the errors that files raise, each in one sentence with the path."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from gqlib._utils.text import printable


def number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def counts(counter: Mapping[str, int]) -> str:
    """``PNG 100, JPEG 3``, the most frequent first."""
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{printable(name)} {count}" for name, count in ordered[:5]]
    return ", ".join(words + ["…"] * (len(ordered) > 5))


def listed(names: Sequence[str]) -> str:
    return (
        ", ".join([*(printable(name) for name in names[:10]), *["…"] * (len(names) > 10)]) or "none"
    )


def reason(error: BaseException) -> str:
    """An error in one line, without the address of an object."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = re.sub(r"<[^<>]* at 0x[0-9a-fA-F]+>", "the file", " ".join(text.split())).rstrip(".")
    return text[:200] or type(error).__name__


def unreadable(shown: str, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(
            f"{shown} does not exist (any more): check the path, and that nothing else changes it"
        )
    return ValueError(f"{shown} cannot be read ({reason(error)}): check its permissions and disk")


def damaged(shown: str, error: BaseException) -> ValueError:
    return ValueError(f"{shown} is damaged or cut short ({reason(error)}): replace it")


@contextmanager
def reading(shown: str) -> Iterator[None]:
    """Turn what a damaged file raises into one sentence with its path."""
    try:
        yield
    except (PermissionError, FileNotFoundError) as error:
        raise unreadable(shown, error) from error
    except MemoryError as error:
        raise ValueError(
            f"{shown} does not fit into memory: save it as .npy, which is read from disk in parts"
        ) from error
    except Exception as error:  # a damaged file can raise anything
        if "pickle" in str(error).lower() or isinstance(error, pickle.UnpicklingError):
            raise ValueError(
                f"{shown} holds Python objects or is damaged, and gqlib loads no pickles: save "
                "plain arrays or tensors"
            ) from error
        raise damaged(shown, error) from error

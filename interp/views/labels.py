"""Text that came from a prompt, made safe and legible for plotly, which reads `<b>` and `&amp;` as markup."""

import html
import math
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

VISIBLE = {"\n": "↵", "\r": "\\r", "\t": "\\t"}
UNSEEN = re.compile(" {2,}| $")  # spaces in a row or at the end; one before a word is how words begin
TICKS = 48  # labels that fit along an axis


def escape(text: object) -> str:
    """Text as plotly shows it letter by letter, whatever markup it contains."""
    return html.escape(str(text), quote=False)


def visible(label: str) -> str:
    """Text with its line breaks, tabs, unseen spaces and unprintable characters made visible."""
    text = UNSEEN.sub(lambda spaces: "␣" * len(spaces.group()), label)
    return "".join(VISIBLE.get(c) or (c if c.isprintable() else f"\\u{ord(c):04x}") for c in text)


def shorten(text: str, limit: int) -> str:
    """The beginning of a text, with an ellipsis where something was cut off."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def token(label: object, limit: int = 40) -> str:
    """A token for a label or a hover: visible, cut to `limit` characters, escaped."""
    return escape(shorten(visible(str(label)), limit))


def quoted(label: object) -> str:
    """A token for a hover, in quotes, so that a leading space is seen."""
    return f"“{token(label)}”"


def wrap(text: str, columns: int = 84) -> list[str]:
    """Lines of at most `columns` characters, escaped."""
    return [escape(line) for line in textwrap.wrap(visible(text), columns)]


def pixels(labels: Sequence[str], size: int = 11) -> int:
    """About how wide the widest of some labels is drawn."""
    widths = (sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in label) for label in labels)
    return math.ceil(max(widths, default=0) * size * 0.6)


def ticks(
    places: Iterable[float | str], labels: Iterable[object], *, most: int = TICKS, limit: int = 14
) -> dict[str, Any]:
    """Tick positions and texts of one axis, thinned to `most`.

    Places of tokens are numbers, since plotly merges categories of equal name and a prompt repeats its tokens.
    """
    places, labels = list(places), list(labels)
    step = max(1, math.ceil(len(places) / most))
    some = range(0, len(places), step)
    return {
        "tickmode": "array",
        "tickvals": [places[i] for i in some],
        "ticktext": [token(labels[i], limit) for i in some],
    }

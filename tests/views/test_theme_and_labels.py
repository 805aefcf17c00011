"""Colours that carry the sign, and text that stays text."""

import re

import numpy as np
import pytest

from interp.views import CONFIG, THEMES, colorscale
from interp.views.labels import escape, ticks, token, visible, wrap


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_text_can_be_read(theme):
    """Text has contrast 4.5 : 1 and bars 3 : 1 against card and page (WCAG 2.2, 1.4.3 and 1.4.11); the light orange
    of bars is held to 2.5, since ColorBrewer's own stop is kept."""
    for ground in (theme.card, theme.page):
        assert contrast(theme.ink, ground) >= 4.5
        assert contrast(theme.muted, ground) >= 4.5
        assert contrast(theme.accent, ground) >= 3
        assert contrast(theme.support, ground) >= 3
        assert contrast(theme.against, ground) >= 2.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_scales_leave_the_page_steadily(theme):
    """Lightness moves one way from zero to each end, and zero is near the card."""
    middle = len(theme.diverging) // 2
    for stops in (theme.sequential, theme.diverging[middle:], theme.diverging[middle::-1]):
        steps = np.diff([luminance(colour) for colour in stops])
        assert (steps < 0).all() or (steps > 0).all()
        assert contrast(stops[0], theme.card) < 1.2
        assert contrast(stops[-1], theme.card) > 4


def test_the_middle_of_the_diverging_scale_is_zero():
    for theme in THEMES.values():
        assert len(theme.diverging) % 2 == 1
        assert colorscale(theme.diverging)[len(theme.diverging) // 2][0] == 0.5


def test_no_button_sends_anything():
    assert CONFIG["showSendToCloud"] is False
    assert CONFIG["displaylogo"] is False


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        (" Mary", " Mary"),
        ("\n\n", "↵↵"),
        (" ", "␣"),
        ("\t", "\\t"),
        ("\n ", "↵␣"),
        ("  a ", "␣␣a␣"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("&lt;", "&amp;lt;"),
        ("\u202e", "\\u202e"),
        ("é漢🙂", "é漢🙂"),
    ],
)
def test_tokens_are_shown_as_they_are(label, shown):
    assert token(label) == shown


def test_long_tokens_are_cut_before_they_are_escaped():
    assert token("<" * 50, limit=4) == "&lt;&lt;&lt;…"


def test_lines_are_wrapped_and_escaped():
    lines = wrap("<i> word " * 30, 40)
    assert all(len(line.replace("&lt;", "<").replace("&gt;", ">")) <= 40 for line in lines)
    assert not re.search("<", "".join(lines))
    assert escape("a & b") == "a &amp; b"
    assert visible("a\nb") == "a↵b"


def test_ticks_keep_what_fits():
    assert ticks([4, 7], ["a", "a"]) == {"tickmode": "array", "tickvals": [4, 7], "ticktext": ["a", "a"]}
    assert ticks(range(100), map(str, range(100)), most=10)["tickvals"] == list(range(0, 100, 10))

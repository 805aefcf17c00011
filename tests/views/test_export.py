"""A page that stands alone, and a table without markup."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from plotly.offline import get_plotlyjs

from interp.core.errors import OptionError
from interp.views import CONFIG, figure, to_csv, to_html


class Page(HTMLParser):
    """Tags with their attributes, and the text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text += data


def test_nothing_is_fetched(sample):
    page = Page(to_html(sample("Patterns"), prompt=1))
    addresses = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")]
    assert not addresses
    policies = [attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv")]
    assert policies
    assert str(policies[0]).startswith("default-src 'none'")


def test_the_configuration_is_applied(sample):
    written = to_html(sample("Effects"))
    for key, value in CONFIG.items():
        assert f'"{key}": {json.dumps(value)}' in written


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_says_where_it_came_from(theme, sample):
    """Measured, sign and provenance are text, whatever markup they hold."""
    result = sample("Effects")
    page = Page(to_html(result, theme=theme))
    for line in (result.measured, result.sign, "tiny <b>model</b>", 'logit("<i>") − logit(" b")', "by-hand"):
        assert line in page.text
    assert {"b", "i"}.isdisjoint(tag for tag, _ in page.tags)


def test_a_prompt_cannot_leave_its_script(sample):
    """The figure's data holds no `</script>` that would end it."""
    written = to_html(sample("LayerReadout"), prompt=1).replace(get_plotlyjs(), "")
    assert "alert(1)</script>" not in written
    assert "<script>alert(1)" not in written


def test_a_figure_keeps_its_origin(sample):
    result = sample("Effects")
    page = Page(to_html(figure(result, prompt=1)))
    assert result.sign in page.text
    with pytest.raises(OptionError, match="finished figure"):
        to_html(figure(result), prompt=1)


def test_size_is_plotly_and_little_else(sample):
    """plotly.js is about 4.8 MB; a figure adds its numbers."""
    written = to_html(sample("Effects"))
    assert len(written) - len(get_plotlyjs()) < 20_000


def test_csv_is_the_frame(sample):
    result = sample("Effects")
    rows = list(csv.DictReader(io.StringIO(to_csv(result))))
    assert len(rows) == result.data.effect.size
    assert re.match(r"batch,layer,head,prompt,effect\n", to_csv(result))
    assert [float(row["effect"]) for row in rows] == pytest.approx(result.data.effect.values.ravel().tolist())
    assert rows[-1]["prompt"] == "<script>alert(1)</script> & <b>x</b>"

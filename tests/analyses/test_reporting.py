"""Tables between two lines of a document, and pages that stand alone."""

import plotly.graph_objects as go
import pytest

from analyses.reporting import fill, markdown, share, write_page


def test_only_what_stands_between_the_lines_changes(tmp_path):
    document = tmp_path / "README.md"
    document.write_text("before\n<!-- tables -->\nold\n<!-- end of tables -->\nafter\n")
    fill(document, "tables", "new\n")
    fill(document, "tables", "newer")
    assert document.read_text() == "before\n<!-- tables -->\nnewer\n<!-- end of tables -->\nafter\n"
    with pytest.raises(ValueError, match="has no lines '<!-- figures -->'"):
        fill(document, "figures", "")


def test_tables_and_shares():
    assert markdown(["a", "b"], [["1", share(0.5, 0.25, 1)]]) == "| a | b |\n| --- | --- |\n| 1 | 0.50 [0.25, 1.00] |"


def test_a_page_is_written_whole(tmp_path):
    page = write_page(go.Figure(go.Scatter(x=[1], y=[2])), tmp_path / "deep" / "figure.html")
    assert "plotly" in page.read_text(encoding="utf-8")

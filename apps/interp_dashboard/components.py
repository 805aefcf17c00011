"""Shared pieces of the pages: a panel with its explanation and exports, a place where the browser draws."""

from collections.abc import Sequence
from typing import Any

from dash import html

EXPORTS = (("csv", "CSV"), ("png", "PNG"), ("svg", "SVG"), ("html", "HTML"))


def marks(**values: str) -> Any:
    """Attributes that the browser's side reads: `data-…`; `label` is the accessible name."""
    return {"aria-label" if name == "label" else f"data-{name}": value for name, value in values.items()}


def drawn(name: str, *, slot: str = "", **options: str) -> html.Div:
    """An empty place that the browser fills: `name` is a function of `interp.draw` in the assets."""
    return html.Div(className=f"drawn drawn-{name}", **marks(draw=name, slot=slot, **options))


def panel(
    title: str,
    sentence: str,
    *body: Any,
    slot: str,
    more: str = "",
    controls: Any = None,
    exports: bool = True,
    files: Sequence[tuple[str, str]] = EXPORTS,
    variant: str = "",
    measured: str = "",
) -> html.Section:
    """A titled panel: one sentence, a "?" with the longer text, the drawing, what was measured, and the exports.

    `files` are the formats to save; `variant` chooses among the figures that the library draws of the same result;
    `measured` stands in the place of what the slot says, where the drawing derives something else from it.
    """
    return html.Section(
        [
            html.Div([html.H2(title), help_button(title, more) if more else None], className="panel-title"),
            html.P(sentence, className="sentence"),
            controls,
            html.Div(list(body), className="panel-body"),
            html.Div(className="panel-status", role="status"),
            html.Div(className="panel-count"),
            html.Div(
                [html.P(className="measured"), exports_of(slot, title, variant, files) if exports else None],
                className="panel-foot",
            ),
        ],
        className="panel",
        **marks(panel=slot, **({"measured": measured} if measured else {})),
    )


def help_button(title: str, more: str) -> html.Details:
    """A "?" that opens the longer text."""
    return html.Details(
        [html.Summary("?", **marks(label=f"What is {title}?")), html.P(more, className="more")], className="help"
    )


def exports_of(slot: str, title: str, variant: str = "", files: Sequence[tuple[str, str]] = EXPORTS) -> html.Div:
    """Copy as Python and the file formats."""
    kinds: Sequence[tuple[str, str]] = (("python", "Copy as Python"), *files)
    return html.Div(
        [
            html.Button(
                text,
                className="quiet",
                **marks(export=kind, slot=slot, variant=variant, label=f"{text}: {title}"),
            )
            for kind, text in kinds
        ],
        className="exports",
    )


def choice(field: str, options: Sequence[tuple[str, str]], label: str) -> html.Div:
    """A row of buttons that sets one field of the view."""
    return html.Div(
        [html.Button(text, **marks(set=field, value=value)) for value, text in options],
        className="choice",
        role="group",
        **marks(label=label),
    )

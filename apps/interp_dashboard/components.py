"""Shared pieces of the pages: a panel with its explanation and exports, a place where the browser draws."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

EXPORTS = (("csv", "CSV"), ("png", "PNG"), ("svg", "SVG"), ("html", "HTML"))


def drawn(name: str, *, slot: str = "", **options: str) -> html.Div:
    """An empty place that the browser fills: `name` is a function of `interp.draw` in the assets."""
    data: dict[str, Any] = {f"data-{key}": value for key, value in options.items()}
    return html.Div(className=f"drawn drawn-{name}", **{"data-draw": name, "data-slot": slot} | data)


def panel(
    title: str,
    sentence: str,
    *body: Any,
    slot: str,
    more: str = "",
    controls: Any = None,
    exports: bool = True,
    variant: str = "",
) -> html.Section:
    """A titled panel: one sentence, a "?" with the longer text, the drawing, what was measured, and the exports.

    `variant` chooses among the figures that the library draws of the same result.
    """
    return html.Section(
        [
            html.Div(
                [
                    html.Div([html.H2(title), help_button(title, more) if more else None], className="panel-title"),
                    exports_of(slot, title, variant) if exports else None,
                ],
                className="panel-head",
            ),
            html.P(sentence, className="sentence"),
            controls,
            html.Div(list(body), className="panel-body"),
            html.Div(className="panel-status", role="status"),
            html.P(className="measured"),
        ],
        className="panel",
        **{"data-panel": slot},  # pyright: ignore[reportArgumentType]
    )


def help_button(title: str, more: str) -> dmc.Popover:
    """A "?" that opens the longer text."""
    return dmc.Popover(
        [
            dmc.PopoverTarget(html.Button("?", className="help", **{"aria-label": f"What is {title}?"})),  # pyright: ignore[reportArgumentType]
            dmc.PopoverDropdown(html.P(more, className="more")),
        ],
        width=340,
        position="bottom-start",
        shadow="sm",
        trapFocus=False,
    )


def exports_of(slot: str, title: str, variant: str = "") -> html.Div:
    """Copy as Python and the file formats."""
    kinds: Sequence[tuple[str, str]] = (("python", "Copy as Python"), *EXPORTS)
    return html.Div(
        [
            html.Button(
                text,
                className="quiet",
                **{"data-export": kind, "data-slot": slot, "data-variant": variant, "aria-label": f"{text}: {title}"},  # pyright: ignore[reportArgumentType]
            )
            for kind, text in kinds
        ],
        className="exports",
    )


def choice(field: str, options: Sequence[tuple[str, str]], label: str) -> html.Div:
    """A row of buttons that sets one field of the view."""
    return html.Div(
        [
            html.Button(text, **{"data-set": field, "data-value": value})  # pyright: ignore[reportArgumentType]
            for value, text in options
        ],
        className="choice",
        role="group",
        **{"aria-label": label},  # pyright: ignore[reportArgumentType]
    )

"""What surrounds every page: header, question strip, rail of pages, inspector."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from interp.models.hooked import HookedModel
from interp_dashboard.page import Page
from interp_dashboard.shell.answers import ANSWER, EFFECTS
from interp_dashboard.shell.panels import canvas, marks


def header(model: HookedModel) -> html.Header:
    """The name, the model, the running work, the theme and the link."""
    dims = model.dims
    groups = f", {dims.kv_heads} KV" if dims.kv_heads != dims.heads else ""
    layers, heads = (
        f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in ((dims.layers, "layer"), (dims.heads, "head"))
    )
    about = f" · {layers} · {heads}{groups} · {str(model.dtype).removeprefix('torch.')}"
    return html.Header(
        [
            html.H1("interp"),
            html.Button(
                [html.Strong(model.name), about],
                id="model-name",
                className="chip",
                title="Load another model",
            ),
            html.Div(id="models", hidden=True, role="dialog", **marks(label="Models")),
            html.Span(id="loading", role="status"),
            html.Span(className="grow"),
            canvas("jobs", follows="status"),
            html.Button(
                "undo", id="undo", className="button", title="Take back the last change of a set or circuit (Ctrl+Z)"
            ),
            html.Button("light / dark", id="toggle-theme", className="button"),
            html.Button("copy link", id="copy-link", className="button"),
        ],
        className="top",
    )


def strip() -> html.Section:
    """The question: prompts token by token, the answer's lead, the edits in force; and the form that changes it."""
    return html.Section(
        [
            html.Div([canvas("strip"), canvas("lead", ANSWER)], className="strip"),
            html.Div(id="notice", role="alert"),
            html.Form(
                [
                    canvas("examples"),
                    _area("clean", "Clean prompt"),
                    _area("corrupted", "Corrupted prompt (optional)"),
                    html.Div(
                        [
                            _line("answer", "Answer (one token, with its leading space)"),
                            _line("contrast", "Contrast (optional)"),
                            dmc.Button("Run", id="run", n_clicks=0),
                            dmc.Button("Close", id="close-form", variant="default", n_clicks=0),
                        ],
                        className="form-row",
                    ),
                    html.Div(id="hint", role="status"),
                ],
                id="form",
                className="form closed",
            ),
        ],
        className="question",
        **marks(label="Question"),
    )


def _area(name: str, label: str) -> dmc.Textarea:
    return dmc.Textarea(id=f"field-{name}", label=label, autosize=True, minRows=1, maxRows=6, debounce=False)


def _line(name: str, label: str) -> dmc.TextInput:
    return dmc.TextInput(id=f"field-{name}", label=label, debounce=False, n_submit=0)


def rail(pages: Sequence[Page]) -> html.Nav:
    """Links to the pages."""
    return html.Nav(
        [html.Button(page.title, **marks(set="page", value=page.name)) for page in pages],
        className="rail",
        **marks(label="Pages"),
    )


def body(pages: Sequence[Page]) -> html.Main:
    """Every page; the browser shows the current one."""
    content: list[Any] = [
        html.Div(page.layout(), className="page", hidden=True, **marks(page=page.name)) for page in pages
    ]
    return html.Main(content)


def inspector() -> html.Aside:
    """The selected head, whatever page it was selected on."""
    return html.Aside(canvas("inspector", EFFECTS), className="inspector", **marks(label="Inspector"))

"""Shared pieces of the pages: a panel with its explanation and exports, a place where the browser draws, a choice."""

import json
from collections.abc import Mapping
from typing import Any

from dash import html

from interp_dashboard.contents import Content
from interp_dashboard.state import View, choice_of

FILES = {"csv": "CSV", "png": "PNG", "svg": "SVG", "html": "HTML", "nc": "netCDF"}


def marks(**values: str) -> Any:
    """Attributes that the browser's side reads: `data-…`; `label` is the accessible name."""
    return {"aria-label" if name == "label" else f"data-{name}": value for name, value in values.items()}


def canvas(name: str, content: Content | None = None, **options: str) -> html.Div:
    """An empty place that the browser fills: `name` is a function of `interp.draw` in a script."""
    slot = content.name if content else ""
    return html.Div(className=f"drawn drawn-{name}", **marks(draw=name, slot=slot, **options))


def figure(content: Content, title: str, click: Mapping[str, str] | None = None) -> html.Div:
    """A place for the library's figure.

    `click` says which fields of the view a click sets, and from what of the point: `{"depth": "x"}`,
    `{"channel": "customdata.3"}`. The field `node` selects the head of that name. What the fields hold is marked.
    """
    return canvas("figure", content, click=json.dumps(click or {}), title=title)


def panel(
    content: Content,
    title: str,
    sentence: str,
    *body: Any,
    more: str = "",
    controls: Any = None,
    also: Mapping[str, Content] | None = None,
    exports: bool = True,
    measured: str = "",
    click: Mapping[str, str] | None = None,
    only: str = "",
) -> html.Section:
    """A titled panel: one sentence, a "?" with the longer text, the drawing, what was measured, and the exports.

    Without a `body` it shows the content's figure. `also` are other contents that it draws, each with exports of its
    own under its name. `measured` stands in the place of what the content says, where the
    drawing derives something else from it. `only` says what has to be known of a model for the panel to be there
    (`groundtruth.known`). The longer text, the state and the exports are built by the browser when the
    panel is first seen: as components they were three fifths of every page, before the first view.
    """
    place = list(body) or [figure(content, title, click)]
    files = {
        each.name: {"of": name, "kinds": _kinds(each)} for name, each in ({"": content} | dict(also or {})).items()
    }
    words = {
        "hint": content.hint,
        "more": more,
        "measured": measured,
        "only": only,
        "files": json.dumps(files) if exports else "",
    }
    return html.Section(
        [
            html.Div(html.H2(title), className="panel-title"),
            html.P(sentence, className="sentence"),
            html.Div(controls, className="controls") if isinstance(controls, list) else controls,
            html.Div(place, className="panel-body"),
        ],
        className="panel",
        **marks(panel=content.name, title=title, **{name: text for name, text in words.items() if text}),
    )


def section(title: str, sentence: str, *body: Any, more: str = "", only: str = "") -> html.Section:
    """A panel that shows no content of its own; `more` and `only` as for a panel."""
    words = {name: text for name, text in {"more": more, "only": only}.items() if text}
    head = html.Div(html.H2(title), className="panel-title")
    about = marks(title=title, **words) if words else {}
    return html.Section([head, html.P(sentence, className="sentence"), *body], className="panel", **about)


def _kinds(content: Content) -> dict[str, str]:
    """What a content is saved as, each with the words of its button."""
    return {"python": "Copy as Python"} | FILES | {kind: words for kind, (words, _, _) in content.files.items()}


def choice(kind: type[View], field: str, label: str, only: str = "") -> html.Div:
    """A row of buttons that sets one field of a page's state: its `Choice`; `only` as for a panel."""
    options = choice_of(kind, field)
    needs = {value: {"needs": name} for value, name in options.needs.items()}
    return html.Div(
        [
            html.Button(text, **marks(set=field, value=value, **needs.get(value, {})))
            for value, text in options.words.items()
        ],
        className="choice",
        role="group",
        **marks(label=label, **({"only": only} if only else {})),
    )

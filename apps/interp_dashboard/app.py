"""The Dash application: layout, and the few callbacks between the browser's view and the workspace."""

import uuid
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from flask import request

from interp.core.errors import InterpError
from interp.dictionaries import known
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of
from interp.tasks import TASKS
from interp.views.theme import CONFIG, THEMES
from interp_dashboard import shell
from interp_dashboard.circuits import CIRCUITS
from interp_dashboard.exports import Export, export
from interp_dashboard.methods import METHODS, first_methods
from interp_dashboard.pages import PAGES
from interp_dashboard.slots import SLOTS
from interp_dashboard.state import QUESTION, TURNS, Known, View, decode
from interp_dashboard.workspace import QuestionError, Workspace

FIELDS = [f"field-{name}" for name in QUESTION]


def build(model: HookedModel) -> tuple[Dash, Workspace]:
    """The application over a loaded model, and the workspace that runs its work."""
    workspace = Workspace(model)
    app = Dash(__name__, title="interp", update_title="", serve_locally=True, add_log_handler=False)
    index = app.index_string.replace("<html>", '<html lang="en">')
    app.index_string = index.replace("{%css%}", f"{{%css%}}<style>{_colours()}</style>")
    app.layout = lambda: _layout(model)
    _register(app, workspace)

    @app.server.post("/_left")
    def left() -> tuple[str, int]:
        """A page was closed or reloaded: what it alone waited for is cancelled."""
        workspace.runner.keep_only(request.get_data(as_text=True)[:80], ())
        return "", 204

    return app, workspace


def _layout(model: HookedModel) -> dmc.MantineProvider:
    return dmc.MantineProvider(
        [
            *(
                dcc.Store(id=name)
                for name in ("address", "asked", "view", "tick", "status", "export", "figure", "notices")
            ),
            dcc.Store(id="tab", data=uuid.uuid4().hex),
            dcc.Store(id="have", data={}),
            dcc.Store(id="choices", data={"stopped": [], "approved": [], "again": []}),
            dcc.Store(id="model", data=_about(model)),
            *(dcc.Store(id={"slot": name}) for name in SLOTS),
            dcc.Download(id="download"),
            shell.header(model),
            shell.strip(),
            html.Div([shell.rail(), shell.pages(), shell.inspector()], className="body"),
        ],
        id="mantine",
        theme={"primaryColor": "indigo", "defaultRadius": "md"},
    )


def _colours() -> str:
    """The looks of `interp.views` as variables of the style sheet, so that pages and figures agree."""
    rules = []
    for name, theme in THEMES.items():
        strong = {"negative": theme.negative, "negative-ink": theme.diverging[0], "positive-ink": theme.diverging[-1]}
        plain = {key: getattr(theme, key) for key in ("page", "card", "ink", "muted", "line", "accent")}
        values = "".join(f"--{key}:{value};" for key, value in (plain | strong).items())
        rules.append(f':root[data-mantine-color-scheme="{name}"]{{{values}}}')
    return "".join(rules)


def _about(model: HookedModel) -> dict[str, Any]:
    """What the browser's drawings need to know: the model's sizes, the defaults of a view, the colours."""
    dims = model.dims
    looks = {
        name: {"diverging": theme.diverging, "sequential": theme.sequential, "accent": theme.accent}
        for name, theme in THEMES.items()
    }
    return {
        "layers": dims.layers,
        "heads": dims.heads,
        "kv_heads": dims.kv_heads,
        "defaults": View(methods=first_methods(model)).to_dict(),
        "dictionaries": list(known(model)),
        "turns": list(TURNS),
        "methods": [{"name": name, "obstacle": spec.obstacle(model) or ""} for name, spec in METHODS.items()],
        "themes": looks,
        "config": CONFIG,
    }


def _register(app: Dash, workspace: Workspace) -> None:
    slot_stores = Output({"slot": ALL}, "data")
    app.callback(
        Output("asked", "data"),
        Output("notices", "data"),
        *(Output(field, "value") for field in FIELDS),
        Input("address", "data"),
        Input("run", "n_clicks"),
        *(Input(field, "n_submit") for field in FIELDS[2:]),
        State("view", "data"),
        *(State(field, "value") for field in FIELDS),
        prevent_initial_call=True,
    )(lambda address, _run, _answer, _contrast, view, *fields: _ask(workspace, address, view, fields))
    app.callback(
        slot_stores,
        Output("status", "data"),
        Output("have", "data"),
        Input("view", "data"),
        Input("tick", "data"),
        Input("choices", "data"),
        State("tab", "data"),
        State("have", "data"),
        State({"slot": ALL}, "id"),
        prevent_initial_call=True,
    )(lambda view, _tick, choices, tab, have, ids: _deliver(workspace, view, ids, tab=tab, have=have, choices=choices))
    app.callback(
        Output("download", "data"),
        Output("figure", "data"),
        Output("notices", "data", allow_duplicate=True),
        Input("export", "data"),
        prevent_initial_call=True,
    )(lambda request: _export(workspace, request))
    app.clientside_callback(
        ClientsideFunction("interp", "draw"),
        Input("status", "data"),
        Input({"slot": ALL}, "data"),
        State({"slot": ALL}, "id"),
    )
    app.clientside_callback(
        ClientsideFunction("interp", "open"), Output("address", "data"), Input("model", "data"), State("tab", "data")
    )
    app.clientside_callback(ClientsideFunction("interp", "accept"), Input("asked", "data"))
    app.clientside_callback(ClientsideFunction("interp", "notice"), Input("notices", "data"))
    app.clientside_callback(ClientsideFunction("interp", "saveFigure"), Input("figure", "data"))


def _ask(
    workspace: Workspace, address: dict[str, Any] | None, current: dict[str, Any] | None, fields: tuple[str | None, ...]
) -> Any:
    """A new question, from the address bar or from the form; a bad one leaves what is there and says so."""
    if ctx.triggered_id == "address" or current is None:
        return _open(workspace, (address or {}).get("search", ""))
    asked = {name: text or "" for name, text in zip(QUESTION, fields, strict=True)}
    view = View.from_dict(current | asked | {"query": None, "key": None})
    try:
        view = workspace.check(view)
    except QuestionError as error:
        return (no_update, {"text": str(error), "offers": error.offers, "form": True}, *([no_update] * len(FIELDS)))
    return (
        {"view": view.to_dict(), "opened": False},
        {"text": "", "form": False},
        *(getattr(view, name) for name in QUESTION),
    )


def _open(workspace: Workspace, search: str) -> Any:
    there = Known(
        pages=tuple(page.name for page in PAGES),
        methods=tuple(METHODS),
        circuits=tuple(CIRCUITS),
        tasks=tuple(task.name for task in TASKS),
        graph=graph_of(workspace.model),
        dictionaries=tuple(known(workspace.model)),
    )
    view, problem = decode(search, there)
    notice: dict[str, Any] = {"text": problem, "form": False}
    fields = [getattr(view, name) for name in QUESTION]
    try:
        view = workspace.check(view)
        fields = [getattr(view, name) for name in QUESTION]
    except QuestionError as error:
        default = View()
        asked = any(getattr(view, name) != getattr(default, name) for name in QUESTION)
        if asked:
            notice = {"text": str(error), "offers": error.offers, "form": True}
        view = View.from_dict(view.to_dict() | {name: getattr(default, name) for name in QUESTION})
        view, more = _answerable(workspace, view)
        notice["text"] += more
    return ({"view": view.to_dict(), "opened": True}, notice, *fields)


def _answerable(workspace: Workspace, view: View) -> tuple[View, str]:
    """The view with a question that this model can answer: the worked example, or what its kind allows of it."""
    for instead in _openings(workspace.model):
        try:
            return workspace.check(View.from_dict(view.to_dict() | instead)), ""
        except QuestionError as error:
            problem = str(error)
    return view, f" ({problem})"


def _openings(model: HookedModel) -> list[dict[str, str]]:
    """What to put in the worked example's place, the best first: it suits a model that continues English text."""
    if model.is_classifier:
        return [dict(zip(("answer", "contrast"), model.class_names, strict=False)) | {"corrupted": ""}]
    bare = {"corrupted": "", "answer": "", "contrast": ""}
    if not model.is_causal:
        return [bare | {"clean": f"The capital of France is {model.tokenizer.mask_token}."}]
    return [{}, {"contrast": ""}, bare]


def _deliver(
    workspace: Workspace,
    view: dict[str, Any],
    ids: list[dict[str, str]],
    *,
    tab: str,
    have: dict[str, str],
    choices: dict[str, list[Any]],
) -> Any:
    if not view:
        return [no_update] * len(ids), no_update, no_update
    looked_at = View.from_dict(view)
    page = next((page for page in PAGES if page.name == looked_at.page), PAGES[0])
    slots = dict.fromkeys((*page.slots(looked_at), "ablation", "pattern", "patterns", "effects"))
    delivery = workspace.deliver(looked_at, slots, tab=tab, have=have, **choices)
    kept = have | {name: p["key"] for name, p in delivery.payloads.items()}
    return [delivery.payloads.get(item["slot"], no_update) for item in ids], delivery.status, kept


def _export(workspace: Workspace, request: dict[str, Any] | None) -> Any:
    if not request:
        return no_update, no_update, no_update
    wanted = Export(**{name: request.get(name, "") for name in ("kind", "slot", "variant", "theme")})
    try:
        file, figure = export(workspace, wanted, View.from_dict(request["view"]))
    except InterpError as error:
        return no_update, no_update, {"text": str(error)}
    return file or no_update, figure or no_update, no_update

"""The Dash application: layout, and the few callbacks between the browser's view and the workspace."""

import uuid
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from flask import Response, abort, request, send_file

from interp import groundtruth, sandbox
from interp.core.errors import InterpError, ResultError
from interp.engines import all_engines
from interp.models.hooked import HookedModel
from interp.views.theme import CONFIG, THEMES
from interp_dashboard import questions
from interp_dashboard.bodies import Address, Current, ExampleWish, ExportWish, Wish, require_form, well_formed
from interp_dashboard.exports import Export, export
from interp_dashboard.pages import PAGES
from interp_dashboard.shell import layout
from interp_dashboard.state import QUESTION, Link, Values, View, needs_of, plain, undoable
from interp_dashboard.switching import Serving, connect
from interp_dashboard.workspace import CheckedView, QuestionError, Workspace

FIELDS = [f"field-{name}" for name in QUESTION]
_HINTED = ("clean", "answer", "contrast")
SCRIPTS = {f"{page.name}/{path.name}": path for page in PAGES for path in page.scripts}
STORES = ("address", "asked", "request", "delivery", "export", "example", "figure", "hints", "notices")
YEAR = 365 * 24 * 3600


def build(model: HookedModel, fixed: str = "") -> tuple[Dash, Serving]:
    """The Dash application for a loaded model, and what serves it; `fixed` is why no other model may be loaded."""
    serving = Serving(model, fixed)
    app = Dash(__name__, title="interp", update_title="", serve_locally=True, add_log_handler=False)
    index = app.index_string.replace("<html>", '<html lang="en">')
    index = index.replace("{%css%}", f"{{%css%}}<style>{_colours()}</style>")
    app.index_string = index.replace("{%renderer%}", f"{_script_tags()}{{%renderer%}}")
    app.layout = lambda: _layout(serving.workspace)
    require_form(app)
    _register(app, serving)
    _serve(app, serving)
    connect(app.server, serving)
    for page in PAGES:
        page.connect(app, serving)
    return app, serving


def _script_tags() -> str:
    """The pages' own scripts, after the shared ones; a changed script has another address, so that it may be kept."""
    tags = (f'<script src="/_page/{name}?m={path.stat().st_mtime_ns}"></script>' for name, path in SCRIPTS.items())
    return "".join(tags)


def _serve(app: Dash, serving: Serving) -> None:
    @app.server.get("/_page/<path:name>")
    def script(name: str) -> Response:
        if name not in SCRIPTS:
            abort(404)
        return send_file(SCRIPTS[name], mimetype="text/javascript", max_age=YEAR)

    @app.server.get("/_alive")
    def alive() -> dict[str, Any]:
        """Polled by every page: whether the server is alive, and whether it still serves the same model."""
        return serving.identity

    @app.server.post("/_left")
    def left() -> tuple[str, int]:
        """A page was closed or reloaded: jobs that no other page needs are cancelled."""
        serving.workspace.runner.keep_only(request.get_data(as_text=True)[:80], ())
        return "", 204


def _layout(workspace: Workspace) -> dmc.MantineProvider:
    return dmc.MantineProvider(
        [
            *(dcc.Store(id=name) for name in STORES),
            dcc.Store(id="tab", data=uuid.uuid4().hex),
            dcc.Store(id="model", data=_about(workspace)),
            dcc.Download(id="download"),
            html.Div(id="server", role="status"),
            layout.header(workspace.model),
            layout.strip(),
            html.Div([layout.rail(PAGES), layout.body(PAGES), layout.inspector()], className="body"),
        ],
        id="mantine",
        theme={"primaryColor": "indigo", "defaultRadius": "md"},
    )


def _colours() -> str:
    """The looks of `interp.views` as variables of the style sheet, so that pages and figures agree."""
    rules = []
    for name, theme in THEMES.items():
        keys = ("page", "card", "ink", "muted", "line", "accent")
        values = "".join(f"--{key}:{getattr(theme, key)};" for key in keys)
        rules.append(f':root[data-mantine-color-scheme="{name}"]{{{values}}}')
    return "".join(rules)


def _about(workspace: Workspace) -> dict[str, Any]:
    """What the client code needs: the model's dimensions, the defaults of a view, the colours, the pages."""
    model = workspace.model
    dims = model.dims
    kinds = [page.state for page in PAGES]
    looks = {name: {"diverging": theme.diverging, "sequential": theme.sequential} for name, theme in THEMES.items()}
    about: dict[str, Any] = {
        "layers": dims.layers,
        "heads": dims.heads,
        "kv_heads": dims.kv_heads,
        "defaults": workspace.defaults(),
        "invitations": [[page.name, page.invitation] for page in PAGES if page.invitation],
        "themes": looks,
        "config": CONFIG,
        "identity": workspace.identity,
        "examples": questions.examples(model),
        "known": sorted(groundtruth.known(model)),
        "needs": {name: needs for kind in kinds for name, needs in needs_of(kind).items()},
        "undoable": list(dict.fromkeys(name for kind in kinds for name in undoable(kind))),
    }
    for page in PAGES:
        about |= page.about(model)
    return about | {"scores": _scores()}


def _scores() -> dict[str, str]:
    """What the engines score where the truth is known; nothing where that is not of these models, as Evidence says."""
    try:
        return {name: line for name in all_engines() if (line := groundtruth.score_of(name))}
    except ResultError:
        return {}


def _register(app: Dash, serving: Serving) -> None:
    app.callback(
        Output("asked", "data"),
        Output("notices", "data"),
        *(Output(field, "value") for field in FIELDS),
        Input("address", "data"),
        Input("run", "n_clicks"),
        *(Input(field, "n_submit") for field in FIELDS[2:]),
        State("request", "data"),
        *(State(field, "value") for field in FIELDS),
        prevent_initial_call=True,
    )(lambda address, _run, _answer, _contrast, current, *fields: _ask(serving.workspace, address, current, fields))
    app.callback(Output("delivery", "data"), Input("request", "data"), State("tab", "data"), prevent_initial_call=True)(
        lambda request, tab: _deliver(serving.workspace, request, tab)
    )
    app.callback(
        Output("download", "data"),
        Output("figure", "data"),
        Output("notices", "data", allow_duplicate=True),
        Input("export", "data"),
        prevent_initial_call=True,
    )(lambda request: _export(serving.workspace, request))
    app.callback(
        *(Output(field, "value", allow_duplicate=True) for field in FIELDS),
        Output("notices", "data", allow_duplicate=True),
        Input("example", "data"),
        prevent_initial_call=True,
    )(lambda wish: _example(serving.workspace, wish))
    app.callback(
        Output("hints", "data"),
        *(Input(f"field-{name}", "value") for name in _HINTED),
        prevent_initial_call=True,
    )(lambda *texts: _hints(serving.workspace, *well_formed(tuple[str | None, str | None, str | None], texts)))
    app.clientside_callback(
        ClientsideFunction("interp", "open"), Output("address", "data"), Input("model", "data"), State("tab", "data")
    )
    for field in FIELDS[2:]:
        app.clientside_callback(
            ClientsideFunction("interp", "echo"), Output(field, "description"), Input(field, "value")
        )
    for name, store in (
        ("accept", "asked"),
        ("receive", "delivery"),
        ("notice", "notices"),
        ("hint", "hints"),
        ("saveFigure", "figure"),
    ):
        app.clientside_callback(ClientsideFunction("interp", name), Input(store, "data"))


def _ask(
    workspace: Workspace, address: dict[str, Any] | None, current: dict[str, Any] | None, fields: tuple[str | None, ...]
) -> Any:
    """A new question, from the address bar or the form; an invalid one is reported and changes nothing."""
    well_formed(tuple[Address | None, Current | None, tuple[str | None, ...]], (address, current, fields))
    link = ctx.triggered_id == "address" or current is None
    if _is_of_before(workspace, address if link else current):
        return (no_update,) * (2 + len(FIELDS))
    if link:
        return open_link(workspace, (address or {}).get("search", ""))
    assert current is not None
    form = {name: text or "" for name, text in zip(QUESTION, fields, strict=True)}
    before = current["view"]
    try:
        checked = workspace.check(before | form | {"query": None, "key": None})
    except QuestionError as error:
        return (no_update, {"text": str(error), "offers": error.offers, "form": True}, *([no_update] * len(FIELDS)))
    changes = {name: value for name, value in checked.values.items() if value != before.get(name)}
    answer = _question_payload(checked) | {"view": changes, "opened": False}
    replacements = " ".join(checked.replacements.values())
    notice = {"text": replacements} if replacements else _hints(workspace, *(checked.values[name] for name in _HINTED))
    return (answer, notice | {"form": False}, *(checked.values[name] for name in QUESTION))


def _is_of_before(workspace: Workspace, request: dict[str, Any] | None) -> bool:
    """Whether the page was served by an earlier process, which may have had another model.

    Once it learns of this process it asks again, or says that it has to be reloaded.
    """
    return request is not None and request["process"] != workspace.process


def _question_payload(checked: CheckedView) -> dict[str, Any]:
    return {
        "view": checked.values,
        "prompt": {name: getattr(checked, name) for name in ("tokens", "corrupted", "position")},
    }


def open_link(workspace: Workspace, search: str) -> Any:
    """The view of a link or of the bare address; invalid parts are reported and the rest is shown."""
    link = Link(search, workspace.model)
    parameters = link.read([page.name for page in PAGES], [page.state for page in PAGES])
    notice: dict[str, Any] = {"text": link.problem, "form": False}
    if link.made_with not in ("", workspace.model.name):  # its question can be asked; its heads are another model's
        parameters = {name: value for name, value in parameters.items() if name in ("page", *QUESTION)}
        text = (
            f"This link is of {link.made_with[:200]}. What you see is its question, asked of {workspace.model.name}. "
        )
        notice |= {"text": text, "switch": link.made_with}
    values = workspace.defaults() | parameters
    try:
        checked = workspace.check(values)
        replacements = [why for name, why in checked.replacements.items() if name in parameters]
        notice["text"] = " ".join(filter(None, [notice["text"], *replacements]))
    except QuestionError as error:
        if any(name in parameters for name in QUESTION):
            text = str(error) if "switch" not in notice else notice["text"] + str(error)
            notice |= {"text": text, "offers": error.offers, "form": True}
        fields = [values[name] for name in QUESTION]
        checked, more = _answerable(workspace, values)
        notice["text"] += more
    else:
        fields = [checked.values[name] for name in QUESTION]
    return (_question_payload(checked) | {"opened": True}, notice, *fields)


def _answerable(workspace: Workspace, values: Values) -> tuple[CheckedView, str]:
    """The view with a question that this model can answer: the worked example, or what its kind allows of it."""
    problem = ""
    for instead in _openings(workspace.model):
        try:
            return workspace.check(values | {name: plain(View())[name] for name in QUESTION} | instead), ""
        except QuestionError as error:
            problem = str(error)
    return CheckedView(values, (), (), 0, {}), f" ({problem})"


def _openings(model: HookedModel) -> list[dict[str, str]]:
    """Alternatives to the worked example, best first: the example suits a model that continues English text."""
    if model.is_classifier:
        return [dict(zip(("answer", "contrast"), model.class_names, strict=False)) | {"corrupted": ""}]
    bare = {"corrupted": "", "answer": "", "contrast": ""}
    if model.program:
        return [questions.example(model, "program", 0)[0]]
    if text := sandbox.example_of(model.name):
        return [bare | {"clean": text}]
    if not model.is_causal:
        return [bare | {"clean": f"The capital of France is {model.tokenizer.mask_token}."}]
    return [{}, {"contrast": ""}, bare]


def _hints(workspace: Workspace, clean: str | None, answer: str | None, contrast: str | None) -> dict[str, Any]:
    """Hints on the form's fields as they are filled in."""
    with workspace.tokenizing:
        text, offers = questions.hints(workspace.model, clean or "", answer=answer or "", contrast=contrast or "")
    return {"text": text, "offers": offers, "calm": True}


def _example(workspace: Workspace, wish: dict[str, Any] | None) -> Any:
    """The form filled in with an example; nothing runs before Run is pressed."""
    if not wish:
        return (no_update,) * (len(FIELDS) + 1)
    well_formed(ExampleWish, wish)
    try:
        if wish["name"] == questions.WORKED:
            question, about = _answerable(workspace, workspace.defaults())[0].values, "Press Run."
        else:
            with workspace.tokenizing:
                question, about = questions.example(workspace.model, wish["name"], wish["seed"])
    except InterpError as error:
        return (*([no_update] * len(FIELDS)), {"text": str(error)})
    return (*(question[name] for name in QUESTION), {"text": about, "calm": True})


def _deliver(workspace: Workspace, request: dict[str, Any] | None, tab: str) -> Any:
    if not request:
        return no_update
    well_formed(tuple[Wish, str], (request, tab))
    if _is_of_before(workspace, request):
        return no_update
    delivery = workspace.deliver(
        request["view"], tab=tab, theme=request["theme"], have=request["have"], **request["choices"]
    )
    return {"payloads": delivery.payloads, "status": delivery.status}


def _export(workspace: Workspace, request: dict[str, Any] | None) -> Any:
    if not request:
        return no_update, no_update, no_update
    well_formed(ExportWish, request)
    if _is_of_before(workspace, request):
        return no_update, no_update, no_update
    try:
        file, figure = export(workspace, Export(request["kind"], request["slot"], request["theme"]), request["view"])
    except InterpError as error:
        return no_update, no_update, {"text": str(error)}
    return file or no_update, figure or no_update, no_update

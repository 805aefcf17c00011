"""Engines: any engine over the question or its own text, and results from files, side by side; made from what they
declare, so that a new engine or kind needs nothing here."""

from typing import Any

import dash_ag_grid
from dash import Dash, Input, Output, dcc, html
from dash.dependencies import ALL
from flask import request
from pydantic.dataclasses import dataclass

from interp import views
from interp.core.errors import InterpError
from interp.engines import all_engines
from interp.models.hooked import HookedModel
from interp_dashboard.asking import literal, preamble
from interp_dashboard.bodies import well_formed
from interp_dashboard.contents import Content
from interp_dashboard.guard import LARGEST_FILE
from interp_dashboard.page import Page
from interp_dashboard.pages.engines import asks, opening, tables
from interp_dashboard.pages.engines.form import controls
from interp_dashboard.pages.engines.state import READS, Engines, parse_values
from interp_dashboard.pages.engines.state import Values as OptionValues
from interp_dashboard.shell.panels import canvas, figure, panel, section
from interp_dashboard.state import state

NOTHING = "Choose an engine, or open a result."
FORM = "engine-form"


def _drawing(model: HookedModel, view: Engines) -> dict[str, Any]:
    return parse_values(view.drawing)


def _side(side: str) -> Any:
    return lambda model, view: {"side": side} | parse_values(view.drawing)


RESULT = Content("engine_result", asks.current, choice=_drawing, hint=NOTHING)
TABLE = Content(
    "engine_table",
    asks.current,
    tables.payload,
    choice=lambda model, view: {"table": view.table},
    table=lambda result, table: result.to_frame(table or None),
    rest=lambda result, table: f"table = result.to_frame({literal(table) if table else ''})\n",
    hint=NOTHING,
)
FIRST = Content(
    "engine_first", asks.pair, choice=_side("first"), figure=views.beside, table=views.beside_table, least=2
)
SECOND = Content(
    "engine_second", asks.pair, choice=_side("second"), figure=views.beside, table=views.beside_table, least=2
)
DIFFERENCE = Content("engine_difference", asks.pair, figure=views.difference, table=views.difference_table, least=2)


def _layout() -> list[Any]:
    return [
        section(
            "Engines",
            "Everything that the library can run, on the question above or on its own text.",
            html.Div(
                [
                    canvas("enginelist"),
                    html.Div(
                        [canvas("enginehead"), html.Div(id=FORM, className="engine-form"), _run()],
                        className="engine-chosen",
                    ),
                ],
                className="engines",
            ),
            dcc.Store(id="engine-asked"),
            more="An engine that does not support this model says why. Options start at the engine's defaults; what "
            "you enter for one engine is kept while you look at another. The link stores the options that "
            "differ from their defaults.",
        ),
        panel(
            RESULT,
            "Result",
            "The same figure that a notebook shows.",
            canvas("enginechoices", TABLE),
            figure(RESULT, "Result"),
        ),
        panel(
            TABLE,
            "Table",
            "Every value with its labels. Click a column title to sort; use the field below it to filter.",
            canvas("enginetables", TABLE),
            canvas("enginegrid", TABLE),
            html.Div(id="engine-grid-place"),
            canvas("engineorigin", TABLE),
            exports=False,
        ),
        section(
            "Results",
            "Open a saved result (.nc) or circuit (.json), or return to an earlier result of this server. Files are "
            "read and not stored.",
            canvas("engineresults", TABLE),
        ),
        html.Div(
            [
                panel(FIRST, "First", "The result above, on a scale shared by both if they are in one unit."),
                panel(SECOND, "Second", "The result to compare with, on the same scale if both are in one unit."),
            ],
            className="columns compared-results",
        ),
        panel(
            DIFFERENCE, "Difference", "The first result minus the second, for every cell with the same labels in both."
        ),
    ]


def _run() -> html.Div:
    return canvas("enginerun", RESULT, follows="status")


def _about(model: HookedModel) -> dict[str, Any]:
    """The list of engines, in the order in which a reader meets them."""
    engines = [
        {
            "name": engine.name,
            "family": engine.run.__module__.split(".")[1],
            "summary": engine.summary,
            "source": engine.source,
            "conserves": engine.conserves,
            "obstacle": engine.obstacle(model) or "",
            "pairs": engine.pairs,
            "own": engine.default_prompts is not None,
            "kind": engine.result.__name__,
            "defaults": asks.defaults(engine),
        }
        for engine in all_engines().values()
    ]
    return {"engines": engines, "reads": READS, "largest": LARGEST_FILE}


def _connect(app: Dash, serving: Any) -> None:
    """The form of an engine, a script for what it holds, files that are opened, and the results of this process."""
    # The grid's own script is as large as all others together: it is fetched with the first table
    dash_ag_grid._js_dist[0]["dynamic"] = True
    app.callback(Output(FORM, "children"), Input("engine-asked", "data"), prevent_initial_call=True)(_form)
    app.clientside_callback(
        "(...values) => window.interp.readForm(...values)",
        Input({"option": ALL, "engine": ALL}, "value"),
        Input({"switch": ALL, "engine": ALL}, "checked"),
    )

    @app.server.post("/_engine/script")
    def engine_script() -> dict[str, str]:
        model = serving.workspace.model
        try:
            view = state(Engines, well_formed(dict[str, Any], request.get_json()))
            call, command = asks.EngineRun().call(model, view), asks.command(model, view)
        except (InterpError, KeyError) as error:
            return {"error": str(error)}
        return {"python": preamble(model) + call.python(), "shell": command}

    @app.server.post("/_engine/open")
    def open_result() -> dict[str, Any]:
        content = request.get_data()
        try:
            result = opening.read(content, request.args.get("name", ""))
        except InterpError as error:
            return {"error": str(error)}
        return opening.about(serving.workspace.runner.keep(opening.key(content), result), result)

    @app.server.get("/_engine/results")
    def list_results() -> list[dict[str, Any]]:
        return opening.recent(serving.workspace.runner.answers())


@dataclass
class _FormRequest:
    engine: str
    options: OptionValues


def _form(request: Any) -> list[Any]:
    """The controls of the engine that is looked at, with what its view holds."""
    engines, request = all_engines(), well_formed(_FormRequest | None, request)
    if not request or request["engine"] not in engines:
        return []
    return controls(engines[request["engine"]], parse_values(request["options"]))


PAGE = Page(
    "engines",
    "Engines",
    _layout,
    (RESULT, TABLE, FIRST, SECOND, DIFFERENCE),
    Engines,
    about=_about,
    home=__file__,
    connect=_connect,
)

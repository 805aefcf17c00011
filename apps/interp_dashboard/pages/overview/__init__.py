"""Overview: what the model predicts, how it gets there, and which heads matter for the answer."""

from typing import Any

from dash import html

from interp_dashboard.page import Page
from interp_dashboard.shell import ANSWER, EFFECTS
from interp_dashboard.shell.panels import canvas, panel
from interp_dashboard.shell.readouts import PATH


def _layout() -> list[Any]:
    return [
        html.Div(
            [
                panel(
                    ANSWER,
                    "What the model predicts",
                    "The most likely next tokens after each prompt. The corrupted prompt differs as little as "
                    "possible but changes the answer.",
                    canvas("predictions", ANSWER),
                    more="The bars are probabilities over the whole vocabulary. The answer and the contrast are the "
                    "two tokens whose logits are compared throughout the dashboard: their logit difference is "
                    "the metric for every edit.",
                ),
                panel(
                    PATH,
                    "Where the answer forms",
                    "The answer's rank among all tokens if the model stopped after each layer, with the top token "
                    "below.",
                    canvas("lensline", PATH),
                    more="The logit lens decodes the residual stream after each layer with the model's own final "
                    "norm and unembedding. Early layers are not trained to be decoded this way: trust where "
                    "the answer rises more than its exact rank. The Lens page shows every position.",
                ),
            ],
            className="columns",
        ),
        panel(
            EFFECTS,
            "Heads with the largest effect on this answer",
            "Each head's output is replaced with its value on the corrupted prompt, one head at a time: a causal "
            "intervention, not a correlation.",
            html.Div([canvas("topheads", EFFECTS), canvas("mosaic", EFFECTS)], className="ranked"),
            more="Activation patching (noising). A negative effect means that patching the head lowered the metric: "
            "the head had supported the answer (purple). A positive effect means that it had been working against "
            "the answer (orange). Click a head to inspect it. Without a corrupted prompt, the head's output is set to "
            "zero instead.",
        ),
    ]


PAGE = Page("overview", "Overview", _layout, (ANSWER, PATH, EFFECTS), home=__file__)

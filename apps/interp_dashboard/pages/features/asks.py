"""The Features page's work: a dictionary's features on the prompt, their cards, their sources and their effects."""

from typing import Any

from interp import dictionaries
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.legacy import QUESTION, Question, call, literal, text_arguments
from interp_dashboard.pages.features.state import Features
from interp_dashboard.state import prompts_of

WINDOWS = {"feature_cards": 64}  # of the corpus, for a page
TOLD = 16  # features of each position
STEPS = 5  # gradients between the two runs: one alone says little where many heads answer together
PARTS = 10  # features of a dictionary below that are told apart


def _chosen(view: Features) -> dict[str, Any]:
    return {"dictionary": view.dictionary} if view.dictionary else {}


def _named(view: Features) -> str:
    return f"dictionary={literal(view.dictionary)}" if view.dictionary else ""


def _active(model: HookedModel, view: Features) -> Result:
    return dictionaries.feature_activations(model, view.clean, top=TOLD, **_chosen(view))


def _place(view: Features) -> int:
    """The position that is looked at: the one that was clicked, or the answer's."""
    return -1 if view.query is None else view.query


def _sources(model: HookedModel, view: Features) -> Result:
    return dictionaries.dfa(
        model, view.clean, feature=view.feature, position=_place(view), top=PARTS, **_chosen(view)
    )  # fmt: skip


def _effects(model: HookedModel, view: Features) -> Result:
    return dictionaries.feature_attribution(model, prompts_of(model, view), steps=STEPS, **_chosen(view))


def _turned(model: HookedModel, view: Features) -> Result:
    return dictionaries.feature_ablation(
        model, prompts_of(model, view), features=(view.feature,), **_turn(view), **_chosen(view)
    )  # fmt: skip


def _turn(view: Features) -> dict[str, float]:
    """What becomes of the feature: multiplied, or its decoder row added everywhere."""
    return {"factor": float(view.turn)} if view.way == "times" else {"factor": 1.0, "steer": float(view.turn)}


def _cards(model: HookedModel, view: Features) -> Result:
    return dictionaries.feature_cards(model, windows=WINDOWS["feature_cards"], **_chosen(view))


def _roles(model: HookedModel, view: Features) -> Result:
    return dictionaries.head_roles(model, windows=WINDOWS["feature_cards"], **_chosen(view))


ACTIVE = Question(
    "features",
    "reading features",
    ("clean", "dictionary"),
    _active,
    lambda view: call("dictionaries.feature_activations", literal(view.clean), f"top={TOLD}", _named(view)),
)
SOURCES = Question(
    "dfa",
    "finding a feature's sources",
    ("clean", "dictionary", "feature", "query"),
    _sources,
    lambda view: call(
        "dictionaries.dfa", literal(view.clean), f"feature={view.feature}", f"position={_place(view)}", _named(view)
    ),
)
EFFECTS = Question(
    "feature-attribution",
    "patching features",
    (*QUESTION, "dictionary"),
    _effects,
    lambda view: call("dictionaries.feature_attribution", *text_arguments(view), f"steps={STEPS}", _named(view)),
)
TURNED = Question(
    "feature-ablation",
    "changing a feature",
    (*QUESTION, "dictionary", "feature", "turn", "way"),
    _turned,
    lambda view: call(
        "dictionaries.feature_ablation", *text_arguments(view), f"features=({view.feature},)",
        *(f"{name}={value}" for name, value in _turn(view).items()), _named(view),
    ),
)  # fmt: skip
CARDS = Question(
    "feature-cards",
    "reading the corpus for features",
    ("dictionary",),
    _cards,
    lambda view: call("dictionaries.feature_cards", f"windows={WINDOWS['feature_cards']}", _named(view)),
    quick=False,
)
ROLES = Question(
    "head-roles",
    "what the heads' features do",
    ("dictionary",),
    _roles,
    lambda view: call("dictionaries.head_roles", f"windows={WINDOWS['feature_cards']}", _named(view)),
    quick=False,
)

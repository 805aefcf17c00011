"""What the Features page looks at, and what it asks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from interp import dictionaries
from interp.core.errors import PathError
from interp.core.paths import typed_path
from interp.dictionaries import known
from interp.dictionaries.sae.loading import CONFIGS
from interp.engines import precomputed
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask, once
from interp_dashboard.state import Choice, Count, View, suits

# Windows of the corpus, for a page: cards, roles and densities are of the same text
WINDOWS = {"feature-cards": 64, "head-roles": 64}
LENGTH = 256
TOLD = 16  # features of each position
STEPS = 5  # gradients between the two runs: one alone says little where many heads answer together
LONGEST = 80  # characters of a search
SIDE = 12  # effects of features that are listed
TURNS = ("-4", "-2", "-1", "-0.5", "0", "0.5", "1", "1.5", "2", "4", "8", "16")  # what a feature is multiplied by
WAYS = {"times": "multiply", "plus": "add"}
OWNERS = {"all": "of all heads", "head": "of the selected head"}
BANDS = {
    "": ("any density", {}),
    "dense": ("over 10 %", {"min_density": 0.1}),
    "common": ("1–10 %", {"min_density": 0.01, "max_density": 0.1}),
    "rare": ("0.1–1 %", {"min_density": 0.001, "max_density": 0.01}),
    "rarest": ("under 0.1 %", {"max_density": 0.001}),
}
SORTINGS = {"density": "most often", "max": "strongest", "head_weight": "most of one head", "feature": "by number"}


def opens(model: HookedModel, dictionary: str) -> bool:
    """Whether a link may name it: one known for the model, or a folder of this machine; nothing that is fetched."""
    if not dictionary or dictionary in known(model):
        return True
    try:
        return any((typed_path(dictionary) / name).is_file() for name in CONFIGS)
    except PathError:
        return False


def _stays_here(model: HookedModel, dictionary: str) -> bool:
    return ":" not in dictionary or opens(model, dictionary)


FETCHED = suits(_stays_here, "is fetched only when it is typed on page Features")


@dataclass(frozen=True)
class Features(View):
    """Which dictionary ("": the first known for the model), which of its features, and how features are searched.

    The feature's activation is multiplied by `turn`, or raised by it, as `way` says; features are searched by `token`,
    by the selected head where `own` says so, and by `density`, and listed in the order `sorting`.
    """

    dictionary: Annotated[str, FETCHED, suits(opens)] = ""
    feature: Count | None = None
    turn: Annotated[str, Choice({turn: turn for turn in TURNS})] = "0"
    way: Annotated[str, Choice(WAYS)] = "times"
    token: Annotated[str, AfterValidator(lambda text: text[:LONGEST])] = ""
    own: Annotated[str, Choice(OWNERS)] = "all"
    density: Annotated[str, Choice({name: words for name, (words, _) in BANDS.items()})] = ""
    sorting: Annotated[str, Choice(SORTINGS)] = "density"

    @property
    def dictionary_argument(self) -> dict[str, str]:
        """The dictionary as an argument of a call; none where it is the first."""
        return {"dictionary": self.dictionary} if self.dictionary else {}


def suit(model: HookedModel, view: Features) -> Features:
    """The first dictionary is what an empty name stands for: one view has one form."""
    return replace(view, dictionary="") if view.dictionary in list(known(model))[:1] else view


def _of(
    arguments: Callable[[HookedModel, Features], dict[str, Any] | None],
) -> Callable[[HookedModel, Features], dict[str, Any] | None]:
    """The arguments with the dictionary that is named; none where there is no dictionary."""

    def with_dictionary(model: HookedModel, view: Features) -> dict[str, Any] | None:
        own = arguments(model, view) if view.dictionary or known(model) else None
        return None if own is None else own | view.dictionary_argument

    return with_dictionary


def _sources(model: HookedModel, view: Features) -> dict[str, Any] | None:
    if view.feature is None:
        return None
    return view.prompt | {"feature": view.feature, "position": -1 if view.query is None else view.query}


def _steering(model: HookedModel, view: Features) -> dict[str, Any] | None:
    """The feature multiplied, or its decoder row added everywhere."""
    if view.feature is None:
        return None
    size = float(view.turn)
    text = {"windows": WINDOWS["feature-cards"], "length": LENGTH}
    change = {"factor": size} if view.way == "times" else {"factor": 1.0, "steer": size}
    return view.comparison | {"features": (view.feature,)} | change | text


def _over_windows(name: str, label: str) -> Ask[Features]:
    """An engine that reads windows of the corpus and no prompt."""
    return Ask(precomputed, _of(lambda model, view: {"engine": name, "windows": WINDOWS[name]}), label, once)


ACTIVE: Ask[Features] = Ask(
    dictionaries.feature_activations, _of(lambda model, view: view.prompt | {"top": TOLD}), "reading features"
)
SOURCES: Ask[Features] = Ask(dictionaries.dfa, _of(_sources), "attributing a feature to its sources")
EFFECTS: Ask[Features] = Ask(
    dictionaries.feature_attribution,
    _of(lambda model, view: view.comparison | {"steps": STEPS, "top": SIDE}),
    "patching features",
)
STEERED: Ask[Features] = Ask(dictionaries.feature_ablation, _of(_steering), "changing a feature")
CARDS = _over_windows("feature-cards", "collecting features over the corpus")
ROLES = _over_windows("head-roles", "classifying heads by their features")

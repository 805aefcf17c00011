"""What the Features page looks at."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from interp.dictionaries import known
from interp_dashboard.state import Choice, Count, View, one_of

TURNS = ("-4", "-2", "-1", "-0.5", "0", "0.5", "1", "1.5", "2", "4", "8", "16")  # what a feature is multiplied by
WAYS = {"times": "multiply", "plus": "add"}
OWNERS = {"all": "of all heads", "head": "of the selected head"}
DENSITIES = {"": "any density", "dense": "over 10 %", "common": "1–10 %", "rare": "0.1–1 %", "rarest": "under 0.1 %"}
SORTINGS = {"density": "most often", "max": "strongest", "head_weight": "most of one head", "feature": "by number"}

LONGEST = 80  # characters of a search


@dataclass(frozen=True)
class Features(View):
    """Which dictionary ("": the first known for the model), which of its features, and how features are searched.

    The feature's activation is multiplied by `turn`, or raised by it, as `way` says; features are searched by `token`,
    by the selected head where `own` says so, and by `density`, and listed in the order `sorting`.
    """

    dictionary: Annotated[str, one_of(known)] = ""
    feature: Count | None = None
    turn: Annotated[str, Choice({turn: turn for turn in TURNS})] = "0"
    way: Annotated[str, Choice(WAYS)] = "times"
    token: Annotated[str, AfterValidator(lambda text: text[:LONGEST])] = ""
    own: Annotated[str, Choice(OWNERS)] = "all"
    density: Annotated[str, Choice(DENSITIES)] = ""
    sorting: Annotated[str, Choice(SORTINGS)] = "density"

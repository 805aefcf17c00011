"""The scorecard that comes with the package: what is known of every engine without running it."""

from functools import cache
from pathlib import Path

import numpy as np

from interp.core.errors import ResultError
from interp.core.result import Result
from interp.groundtruth.scorecard import DTYPE
from interp.groundtruth.scoring import Draws, version_of
from interp.kinds import Scorecard
from interp.models.sources import known_models

PACKAGED = Path(__file__).with_name("scorecard.nc")


def scores(path: str | Path | None = None) -> Scorecard:
    """The scorecard that comes with the package, or one that was saved.

    Raises: ResultError if it is damaged, no scorecard, or of models that are other ones here.
    """
    return _read(Path(path or PACKAGED))


def score_of(engine: str) -> str:
    """What an engine scores, in a line: `edges: AUC 0.97 [0.90, 1.00] on 17 models; random 0.50`; empty if nothing.

    Of shares, `shares: recovered to 2e-16 on 13 models`.

    Raises: ResultError as `scores` does.
    """
    data = scores().data
    for method in data["method"].values[data["engine"].values == engine]:
        own = data.sel({"method": method})
        if np.isfinite(own["overall_error"]):
            error, models = float(own["overall_error"]), int(own["models"])
            return f"{own['finds'].item()}: recovered to {error:.0e} on {models} models"
        random = float(data["overall_auc"].sel({"method": f"random {own['finds'].item()}"}))
        low, high = own["overall_auc_interval"].values
        if int(own["models"]):
            return (
                f"{own['finds'].item()}: AUC {float(own['overall_auc']):.2f} [{low:.2f}, {high:.2f}] on "
                f"{int(own['models'])} models; random {random:.2f}"
            )
    return ""


@cache
def _read(path: Path) -> Scorecard:
    card = Result.load(path)
    if not isinstance(card, Scorecard):
        raise ResultError(f"{path} holds {type(card).__name__}, not a scorecard; give one that `scorecard` made")
    options, known = card.provenance.options, known_models()
    draws = Draws(**{name: options[name] for name in ("n", "draws", "seed")})
    for name, version in zip(card.data["model"].values, card.data["version"].values, strict=True):
        here = version_of(name, DTYPE, draws) if name in known else "none"
        if here != version:
            raise ResultError(
                f"{path} was made with {name} = {version}, not {here}; make it again with "
                f"`interp run scorecard --out {path}`"
            )
    return card

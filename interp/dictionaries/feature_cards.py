"""Feature cards of a dictionary, over a corpus: made once, then read from their folder."""

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.options import CorpusOptions, windows_of
from interp.dictionaries.cards.harvesting import harvest
from interp.dictionaries.cards.queries import Cards
from interp.dictionaries.cards.writing import write_cards
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.catalogue import DictionaryOptions, attached
from interp.kinds import FeatureCards
from interp.models.hooked import HookedModel

AROUND = 8  # tokens before and after a context's place
TOKENS = 5  # promoted tokens
NONE = "(none)"


@dataclass(frozen=True)
class HarvestOptions(DictionaryOptions, CorpusOptions):
    """The dictionary, the text, and where its cards are kept."""

    folder: str = Field("", description="folder of the cards; by default one in the cache")
    top_contexts: Count = Field(10, description="top contexts kept per feature, at most one per window")
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")


@dataclass(frozen=True)
class FeatureCardsOptions(HarvestOptions):
    """The corpus, and which features are listed."""

    features: tuple[Index, ...] = Field((), description="features to list; all if none is given")


@engine(default_prompts=windows_of)
def feature_cards(model: HookedModel, prompts: Prompts, options: FeatureCardsOptions) -> FeatureCards:
    """Every feature of a dictionary over a corpus: density, top contexts, promoted tokens, heads.

    Every feature's density, activation, tokens and heads: `feature`; its highest places, `feature rank`.

    The folder has more, for `interp.dictionaries.Cards`: histograms, quantiles, contexts at quantiles, all places. It
    is made in one pass over the windows and goes on where it stopped; what is there is not run again. A window that
    comes twice counts once.
    Unit: density, a share of the tokens; head_weight, a share of the decoder direction's norms; mean, max and value in
    units of the decoder's rows.
    Raises: CorpusError for a folder of something else, or text of which nothing is left; DictionaryError where no
    dictionary is known for the model; OptionError for a feature that there is not.
    Source: Kissane et al. 2024, "Interpreting Attention Layer Outputs with Sparse Autoencoders", section 3 and 4;
    Bricken et al. 2023 for densities and contexts.
    Differs: a top context is one of each window at most; promoted tokens have the last norm's factor folded in.
    """
    dictionary = attached(model, options.dictionary)
    cards = cards_of(dictionary, prompts, options)
    rows = cards.cards(tuple(dict.fromkeys(options.features)))
    features = rows["feature"].tolist()
    places = cards.places(features, "top", most=options.top_contexts)
    contexts = _contexts(prompts[prompts.distinct()], places, features)
    values = {name: rows[name].to_numpy() for name in ("density", "mean", "max", "head", "head_weight") if name in rows}
    values["top_token"] = rows["top_token"].fillna(NONE).to_numpy(dtype=object)
    for name in ("promoted", "suppressed"):
        if name in rows:
            values[name] = np.array([" ".join(map(_quoted, tokens[:TOKENS])) for tokens in rows[name]], dtype=object)
    return FeatureCards.of(
        prompts,
        {**values, **contexts},
        measured=f"features of {cards.harvest.about.dictionary_name} at {dictionary.site} of {model.name}, over "
        f"{cards.covers}",
        facts=dictionary.facts | {"folder": str(cards.folder)},
        feature=features,
    )


def cards_of(dictionary: Attached, prompts: Prompts, options: HarvestOptions) -> Cards:
    """The cards that the options ask for, made where they are not there."""
    activations = harvest(dictionary, prompts, options.folder or None, skip=options.skip)
    return write_cards(dictionary, activations, contexts=options.top_contexts)


def _contexts(windows: Prompts, places: pd.DataFrame, features: list[int]) -> dict[str, np.ndarray]:
    """Features × ranks: the value, where it is, and the text around it with the token itself in brackets."""
    shape = len(features), max(map(int, places["rank"]), default=0) + 1
    number = {feature: at for at, feature in enumerate(features)}
    value, text = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    window, pos = np.full(shape, -1), np.full(shape, -1)
    for row in places.to_dict("records"):
        at = number[row["feature"]], row["rank"]
        value[at], window[at], pos[at] = row["value"], row["window"], row["pos"]
        text[at] = _around(windows.labels[window[at]], int(pos[at]))
    return {"value": value, "window": window, "pos": pos, "text": text}


def _around(labels: tuple[str, ...], pos: int) -> str:
    before, after = labels[max(0, pos - AROUND) : pos], labels[pos + 1 : pos + 1 + AROUND]
    return f"{''.join(before)}⟦{labels[pos]}⟧{''.join(after)}"


def _quoted(label: str) -> str:
    """A token between quotes, since tokens begin with spaces."""
    return f"“{label}”"

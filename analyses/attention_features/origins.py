"""What the features are: their heads, what they are active on, what they represent, and their sources."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import interp
from analyses.attention_features.fourfold import CAUSES, cause_shares, fourfold
from analyses.attention_features.layer import Layer
from analyses.attention_features.site import Attribution, mean, ratio
from analyses.ioi_circuit.roles import places
from analyses.reporting import markdown, share
from interp.core.prompts import PromptPairs
from interp.models import HookedModel

ROLES = {"S2": "end → S2", "S1": "end → S1", "IO": "end → IO"}


def cards_table(
    model: HookedModel,
    attribution: Attribution,
    features: Sequence[int],
    weights: Float[Tensor, "feature head"],
    dictionary: str,
    windows: int,
) -> str:
    """Every feature's estimated effect, heads by decoder weight, density and top contexts in text."""
    cards = interp.dictionaries.feature_cards(model, dictionary=dictionary, windows=windows, features=tuple(features))
    rows = []
    for feature in features:
        card = cards.data.sel(feature=feature)
        strongest = weights[feature].argsort(descending=True, stable=True)[:2].tolist()
        rows.append(
            [
                str(feature),
                mean(attribution.effects[:, feature]),
                ", ".join(f"{head}: {float(weights[feature, head]):.2f}" for head in strongest),
                f"{float(card['density']):.2%}",
                " / ".join(_code(text) for text in card["text"].values[:2] if text) or "–",
                _code(str(card["promoted"].item())) if "promoted" in card else "–",
            ]
        )
    heads = ["feature", "estimated effect", "heads (decoder weight)", "density", "top contexts in text", "promotes"]
    return markdown(heads, rows)


def follows_table(layer: Layer, features: Sequence[int], own: Sequence[int], head: int) -> str:
    """Mean activation by which name is repeated, and the shares of the variation within pairs."""
    prompts = fourfold(layer.model, layer.pairs)
    at = torch.tensor(prompts.answer_positions(layer.model))
    with torch.no_grad():
        site_values = layer.model.record(prompts, [layer.site])[layer.site]
        active = layer.dictionary.encode(site_values)
    z, active = (values[torch.arange(len(at)), at].double().numpy() for values in (site_values, active))
    rows = []
    for feature in features:
        cells = active[:, feature].reshape(-1, 2, 2)
        rows.append(
            [str(feature), *(mean(cells[:, place].mean(-1)) for place in (1, 0)), *_shares(active[:, [feature]])]
        )
    name = f"{layer.site.layer}.{head}"
    contribution = active[:, own] @ layer.dictionary.sae.W_dec.detach().double().numpy()[own][:, _slice(layer, head)]
    rows.append([f"head {name}'s output", "", "", *_shares(z[:, head])])
    rows.append([f"what its {len(own)} features write to it", "", "", *_shares(contribution)])
    heads = [
        "what",
        "first name repeated: activation",
        "second name repeated",
        "follows the place",
        "the name",
        "the order",
    ]
    return markdown(heads, rows)


def sources_table(model: HookedModel, pairs: PromptPairs, features: Sequence[int], dictionary: str, head: int) -> str:
    """DFA of each feature at the answer, by role of the source token: shares of its absolute sum, all heads and one."""
    rows = []
    for feature in features:
        attribution = interp.dictionaries.dfa(
            model, pairs.clean, dictionary=dictionary, feature=feature, position=-1, recursive=False
        ).data
        active = np.flatnonzero(attribution["activation"].values)
        if not len(active):
            rows.append([str(feature), "0", *["–"] * (len(ROLES) + 3)])
            continue
        dfa = attribution["dfa"].values
        signed_by_role, size_by_role = by_role(pairs, dfa), by_role(pairs, np.abs(dfa))
        signed, whole = dfa.sum((1, 2)), np.abs(dfa).sum((1, 2))
        shares = [
            (signed_by_role["S2"][:, head], signed),
            (np.abs(dfa[:, :, head]).sum(1), whole),
            *((part.sum(-1), whole) for part in size_by_role.values()),
        ]
        rows.append([str(feature), str(len(active)), *(share(*ratio(part[active], of[active])) for part, of in shares)])
    heads = ["feature", "active in", "of the sum (signed): S2 by the head", "of the absolute sum: the head"]
    return markdown([*heads, *(f"{role}, all heads" for role in (*ROLES, "others"))], rows)


def by_role(
    pairs: PromptPairs, values: Float[np.ndarray, "batch key_pos head"]
) -> dict[str, Float[np.ndarray, "batch head"]]:
    """Values summed over the source tokens of each role; the rest, under `others`. Padding has none."""
    at, rows = places(pairs), np.arange(len(pairs))
    roles = {role: values[rows, [source for _, source in at[place]]] for role, place in ROLES.items()}
    return {**roles, "others": values.sum(1) - np.sum([*roles.values()], 0)}


def _shares(values: Float[np.ndarray, "row width"]) -> list[str]:
    shares = cause_shares(values)
    return [share(*shares[cause]) for cause in CAUSES]


def _slice(layer: Layer, head: int) -> slice:
    width = layer.model.dims.d_head
    return slice(head * width, (head + 1) * width)


def _code(text: str) -> str:
    """Verbatim text in a table cell."""
    plain = text.replace("\n", "⏎").replace("|", "¦").replace("`", "'")
    return f"`{plain}`"

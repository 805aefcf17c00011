"""Relevance: how much each input token speaks for the target, and a ledger of where the rest of it went."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.core.result import Result

FOR_AND_AGAINST = "positive: the token speaks for the answer; negative: against it"
Entry = tuple[str, str]  # where, and which term: ("layer 3", "softmax")


class Relevance(Result):
    """What each token contributes to the target, with a ledger whose entries add up to the target.

    `total` is the target's value, `remainder` what the ledger's other entries leave unexplained. The ledger begins
    with `input, tokens`, the sum of the tokens' relevance; each further entry is what one place of the model absorbed
    (positive: it would have to be added to the tokens to reach the target), and the last is the remainder.
    `first_token_share` is |r₀| / Σ|r|: how much goes to the first token, on which many models rest their attention.

    Latent relevance, where the method has it: `stream`, of the residual stream out of each layer; `heads`, of each
    head's weighted values; `neurons`, of each MLP neuron over all positions; `pairs`, of each attention weight.
    """

    variables = {
        "relevance": "batch pos",
        "total": "batch",
        "remainder": "batch",
        "first_token_share": "batch",
        "ledger": "batch entry",
        "stream?": "batch layer pos",
        "heads?": "batch layer head pos",
        "neurons?": "batch layer neuron",
        "pairs?": "batch layer head query_pos key_pos",
    }
    tables = {
        "totals": ("total", "remainder", "first_token_share"),
        "ledger": ("ledger",),
        "stream": ("stream",),
        "heads": ("heads",),
        "neurons": ("neurons",),
        "pairs": ("pairs",),
    }

    @classmethod
    def accounted(
        cls,
        prompts: Prompts,
        relevance: Float[Tensor, "batch pos"],
        total: Float[Tensor, "batch"],
        *,
        absorbed: Mapping[Entry, Float[Tensor, "batch"]] | None = None,
        latent: Mapping[str, Any] | None = None,
        unit: str,
        measured: str,
        sign: str = FOR_AND_AGAINST,
    ) -> Self:
        """A result from the tokens' relevance, the target, and what was absorbed on the way from one to the other.

        Padded places get no relevance. `latent` holds any of `stream`, `heads`, `neurons`, `pairs` on their declared
        axes. The remainder is computed in float64, so it shows what the method leaves out and no rounding of ours.
        """
        relevance = (relevance.double() * prompts.mask.to(relevance.device)).cpu()
        total = total.double().cpu()
        entries: dict[Entry, Tensor] = {("input", "tokens"): relevance.sum(-1)}
        entries |= {entry: value.double().cpu() for entry, value in (absorbed or {}).items()}
        remainder = total - torch.stack(list(entries.values())).sum(0)
        entries["output", "remainder"] = remainder
        size = relevance.abs().sum(-1)
        share = torch.where(size > 0, relevance[:, 0].abs() / size, torch.zeros_like(size))
        values: dict[str, Any] = {
            "relevance": relevance,
            "total": ("batch", total),
            "remainder": ("batch", remainder),
            "first_token_share": ("batch", share),
            "ledger": ("batch entry", torch.stack(list(entries.values()), -1)),
        }
        axes = {name.removesuffix("?"): axes for name, axes in cls.variables.items()}
        values |= {name: (axes[name], value) for name, value in (latent or {}).items()}
        units = dict.fromkeys(values, unit) | {"first_token_share": "fraction"}
        where, term = zip(*entries, strict=True)
        return cls.of(
            prompts,
            values,
            "batch pos",
            unit=units,
            measured=measured,
            sign=sign,
            at=("entry", list(where)),
            term=("entry", list(term)),
        )

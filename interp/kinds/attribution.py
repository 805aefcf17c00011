"""How much tokens and other sources contribute to an answer."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.core.result import Result
from interp.core.variables import FOR, METHOD, Variable

FOR_AND_AGAINST = "positive: evidence for the answer; negative: evidence against it"
Entry = tuple[str, str]  # where, and which term: ("layer 3", "softmax")


class SourceContributions(Result):
    """What each set of sources contributes to the answer, or to a node."""

    finds = "nodes"
    relevance = Variable("batch component", "β for the answer; at a node, ‖β‖₁ / ‖γ‖₁", unit=METHOD, supports=METHOD)
    beta = Variable("batch component", "the part that comes from the sources", unit=METHOD)
    gamma = Variable("batch component", "the rest", unit=METHOD)


class Relevance(Result):
    """What each token contributes to the target, with a ledger whose entries add up to the target.

    The ledger begins with `input, tokens`, the sum of the tokens' relevance; each further entry is what one place of
    the model absorbed (positive: it would have to be added to the tokens to reach the target), and the last is the
    remainder. Many models rest their attention on the first token, hence its share.
    """

    finds = "tokens"
    relevance = Variable("batch pos", "relevance of each token", unit=METHOD, supports=METHOD)
    total = Variable("batch", "the target's value", unit=METHOD, table="totals")
    remainder = Variable("batch", "the part of the target that no other entry explains", unit=METHOD, table="totals")
    first_token_share = Variable("batch", "|r₀| / Σ|r|", unit="fraction", table="totals")
    ledger = Variable(
        "batch entry", "contribution of one entry to the target's value", unit=METHOD, supports=METHOD, table="ledger"
    )
    stream = Variable(
        "batch layer pos", "relevance of the stream out of each layer", unit=METHOD, supports=METHOD, table="stream",
        optional=True,
    )  # fmt: skip
    heads = Variable(
        "batch layer head pos", "relevance of each head's weighted values", unit=METHOD, supports=METHOD, table="heads",
        optional=True,
    )  # fmt: skip
    neurons = Variable(
        "batch layer neuron", "relevance of each MLP neuron over all positions, experts side by side", unit=METHOD,
        supports=METHOD, table="neurons", optional=True,
    )  # fmt: skip
    experts = Variable(
        "batch layer expert pos", "relevance of what each expert adds to its MLP's output, a shared one last",
        unit=METHOD, supports=METHOD, table="experts", optional=True,
    )  # fmt: skip
    router = Variable(
        "batch layer pos", "relevance that passes through the router of each layer", unit=METHOD, supports=METHOD,
        table="router", optional=True,
    )  # fmt: skip
    pairs = Variable(
        "batch layer head query_pos key_pos", "relevance of each attention weight", unit=METHOD,
        supports=METHOD, table="pairs", optional=True,
    )  # fmt: skip

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
        supports: str = FOR,
    ) -> Self:
        """A result from the tokens' relevance, the target, and what was absorbed on the way from one to the other.

        Padded places get no relevance. `latent` holds any of `stream`, `heads`, `neurons`, `experts`, `router` and
        `pairs` on their declared axes. The remainder is computed in float64, so it shows what the method leaves out and
        no rounding of ours.
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
            "total": total,
            "remainder": remainder,
            "first_token_share": share,
            "ledger": torch.stack(list(entries.values()), -1),
            **(latent or {}),
        }
        where, term = zip(*entries, strict=True)
        return cls.of(
            prompts,
            values,
            unit=unit,
            measured=measured,
            sign=sign,
            supports=supports,
            at=("entry", list(where)),
            term=("entry", list(term)),
        )

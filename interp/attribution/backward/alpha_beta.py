"""Layer-wise relevance propagation by the α = 1, β = 0 rule: relevance goes where a positive term came from.

Each function takes the relevance of an output and returns that of its inputs; what is divided by zero is zero.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def quotient(relevance: Tensor, of: Tensor) -> Tensor:
    """`relevance / of`, and 0 where `of` is 0."""
    nonzero = of != 0
    return torch.where(nonzero, relevance, 0) / torch.where(nonzero, of, 1)


def through_linear(
    relevance: Float[Tensor, "... d_out"], x: Float[Tensor, "... d_in"], matrix: Float[Tensor, "d_in d_out"]
) -> Float[Tensor, "... d_in"]:
    """R_i = Σ_j (x_i w_ij)⁺ / Σ_i′ (x_i′ w_i′j)⁺ · R_j; the bias takes no part.

    Source: Bach et al. 2015, equation 60, with α = 1 and β = 0.
    """
    x, matrix = x.double(), matrix.double()
    positive, negative = x.clamp(min=0), x.clamp(max=0)
    up, down = matrix.clamp(min=0), matrix.clamp(max=0)
    share = quotient(relevance, positive @ up + negative @ down)
    return positive * (share @ up.T) + negative * (share @ down.T)


def through_sum(
    relevance: Float[Tensor, "batch pos d"], *terms: Float[Tensor, "batch pos d"]
) -> list[Float[Tensor, "batch pos d"]]:
    """Each term's share of the sum's relevance, then each rescaled so that the terms get |Σ of the one| : |Σ of the
    other| of the whole.

    Source: Chefer et al. 2021 (CVPR), section 3.2.
    """
    wide = [term.double() for term in terms]
    per_unit = quotient(relevance, torch.stack(wide).sum(0))
    shares = [term * per_unit for term in wide]
    sums = [share.sum((1, 2), keepdim=True) for share in shares]
    size = torch.stack(sums).abs().sum(0)
    whole = relevance.sum((1, 2), keepdim=True)
    return [share * quotient(whole * each.abs(), size * each) for share, each in zip(shares, sums, strict=True)]


def through_weighted_sum(
    relevance: Float[Tensor, "batch query_pos head d"],
    out: Float[Tensor, "batch query_pos head d"],
    weights: Float[Tensor, "batch head query_pos key_pos"],
    values: Float[Tensor, "batch key_pos head d"],
) -> tuple[Float[Tensor, "batch head query_pos key_pos"], Float[Tensor, "batch key_pos head d"]]:
    """Half of the relevance of `out` = weights · values to each factor, in proportion to its terms."""
    per_unit = quotient(relevance, out.double()) / 2
    return (
        weights * torch.einsum("bqhd,bkhd->bhqk", per_unit, values),
        values * torch.einsum("bhqk,bqhd->bkhd", weights, per_unit),
    )


def per_query_and_key(
    relevance: Float[Tensor, "batch head query_pos key_pos"],
    queries: Float[Tensor, "batch query_pos head d"],
    keys: Float[Tensor, "batch key_pos head d"],
) -> tuple[Float[Tensor, "batch query_pos head d"], Float[Tensor, "batch key_pos head d"]]:
    """Half of the relevance of the products queries · keys to each side, per unit of each query and of each key."""
    per_unit = quotient(relevance, torch.einsum("bqhd,bkhd->bhqk", queries, keys)) / 2
    return (
        torch.einsum("bhqk,bkhd->bqhd", per_unit, keys),
        torch.einsum("bhqk,bqhd->bkhd", per_unit, queries),
    )

"""Linearity: how well one linear map reproduces what a whole layer does to the stream."""

from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass

from interp.core.engine import engine
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import gather
from interp.corpus.layer_sums import LayerSums
from interp.corpus.least_squares import affine_fit, moments_at
from interp.corpus.options import CorpusOptions, windows_of
from interp.kinds import Linearity
from interp.models.hooked import HookedModel


@options_dataclass(frozen=True)
class LinearityOptions(CorpusOptions):
    """The text, and how many positions at its beginning are left out."""

    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")


@engine(default_prompts=windows_of)
def linearity(model: HookedModel, prompts: Prompts, options: LinearityOptions) -> Linearity:
    """How well one linear map reproduces what each layer does to the stream.

    For every layer 1 − min_A ‖X̃A − Ỹ‖²_F, where X̃ and Ỹ are centred over tokens and divided by their norms.

    X is the stream into the layer; Y the stream out of it (`linearity`) or the layer's update (`update_linearity`):
    `layer` each. The map A is fitted to the same tokens: streams that have nothing to do with each other would score
    d_model / (tokens − 1), and d_model + 1 tokens or fewer score 1 whatever the layer does; the result says how many
    there were.
    Unit: share of the variance (1 is linear).
    Raises: CorpusError where fewer than two tokens are left.
    Source: Razzhigaev et al. 2024, "Your Transformer is Secretly Linear", section 3.
    Differs: A is found from sums over the text, in float64; directions of X that hold less than the rounding error of
    these sums are left out.
    """
    layer_sums = gather(model, prompts, LayerSums(options.skip))
    totals, width = layer_sums.totals, model.dims.d_model
    tokens = int(totals["tokens"])
    require_tokens(tokens, options.skip, least=2)
    fits = [affine_fit(moments_at(totals, layer), tokens) for layer in range(model.dims.layers)]
    chance = min(1.0, width / (tokens - 1))
    few = "; too few tokens: any map would fit" if tokens <= width + 1 else ""
    return Linearity.of(
        prompts,
        {"linearity": [fit.linearity for fit in fits], "update_linearity": [fit.update_linearity for fit in fits]},
        measured=f"how well one linear map predicts each layer's output from its input, over {tokens:,} tokens of "
        f"{width} dimensions (unrelated streams: {chance:.2f}{few})",
        facts={"tokens": str(tokens), "unrelated": f"{chance:.6f}"},
    )

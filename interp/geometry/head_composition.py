"""Head composition: how far each head writes into what later heads read, from the weights alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Count, Index, Seed
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.ranking import strongest
from interp.decomposition.head_matrices import read, turns, written
from interp.geometry.channels.ends import reading_end, reading_ends, writing_end
from interp.kinds import HeadComposition
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle


@dataclass(frozen=True)
class HeadCompositionOptions:
    """Query-key distance, how many channels are listed, and the controls."""

    offset: Index = Field(1, description="query position − key position, for models with rotary embeddings")
    top: Count = Field(200, description="number of strongest channels listed")
    senders: tuple[str, ...] = Field((), description="senders: heads such as a17.4; by default all")
    receivers: tuple[str, ...] = Field((), description="receivers such as q20.0, k20.0, v20.0; by default all")
    backward_pairs: Count = Field(100, description="number of layer pairs that cannot compose, drawn as a control")
    seed: Seed = Field(0, description="seed of that draw")


def _one_token(model: HookedModel, options: HeadCompositionOptions) -> Prompts:
    """A prompt that nobody reads."""
    return Prompts.of_tokens(model, [model.encode("a")[:1]])


def _obstacle(model: HookedModel) -> str | None:
    if model.dims.layers < 2:
        return "it has only one layer, and heads compose with heads of later layers"
    return graph_obstacle(model) or model.obstacle("turning", "alone")


@engine(obstacle=_obstacle, default_prompts=_one_token)
def head_composition(model: HookedModel, prompts: Prompts, options: HeadCompositionOptions) -> HeadComposition:
    """How strongly each head writes into what later heads read, from the weights alone, compared with two nulls.

    ‖W_OV W_QK‖ / (‖W_OV‖ ‖W_QK‖) in Frobenius norms for the queries of a head (`q5.3`), with W_QKᵀ for keys and the
    receiver's W_OV for values. A channel has one part σᵢuᵢvᵢᵀ of the sender's W_OV in its place, and σᵢ cancels; the
    squared score of a head is the mean of its channels' weighted by σᵢ². `head_matrices` says what is folded into the
    matrices; in rotary models W_QK is W_Q R W_Kᵀ with the rotation R between a query and a key `offset` positions
    before it. Keys and values (`k5.1`, `v5.1`) are those of a KV head: the squares of the query heads that share it add
    up, in the product and in the norm. The prompt is not read.

    `null_mean` and `null_sd` are those of the score if a random rotation of the stream stood between the two. Of the
    squared score they are exact (the mean is 1/d); of its root they are by the delta method of second order. `backward`
    is the share of scores as high among pairs of the same kind whose receiver reads before the sender writes: they
    cannot compose, and have the model's preferred directions in common. `backward_pairs` pairs of layers are drawn for
    it.

    Axes `edge` and `channel`. Unit: none; a score is between 0 and 1.
    Conserves: a head's squared score is the mean of its channels', weighted by σ².
    Raises: OptionError for an offset that the model does not read, or if no sender writes before a receiver reads;
    SiteError for an end that the model lacks; EngineError where norms stand on the stream itself.
    Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", on composition; Merullo et al.
    2024, "Talking Heads in Transformers", for channels.
    Differs: norms, rotation and groups of heads are in the matrices; scores stand beside two nulls. Divisors of norms
    on queries (Qwen 3, Gemma 3) count as equal among the query heads of a group.
    """
    if options.offset >= model.context_length:
        raise OptionError(
            f"head-composition, offset = {options.offset}: the context of {model.name} is {model.context_length} "
            "tokens; give a smaller offset"
        )
    pairs = _pairs_to_score(model, options)
    layers = [_Layer.of(model, layer, turn) for layer, turn in enumerate(turns(model, options.offset))]
    edges, strongest, place = _compose(layers, pairs, options.top)
    components = layers[0].share.shape[1]
    which, component = place // components, place % components
    cells = torch.tensor([(*pair, *at) for pair, some in pairs.items() for at in some.nonzero().tolist()])
    edge_control, channel_control = _backward(layers, options)
    written_focus = torch.stack([layer.write_focus for layer in layers]).cpu()[cells[:, 0], cells[:, 2]]
    readers = [[str(end) for end in layer] for layer in reading_ends(model)]
    names = np.array([(f"a{s}.{head}", readers[r][at]) for s, r, head, at in cells.tolist()], dtype=object)
    values: dict[str, Any] = _beside_nulls(model, layers, edges, cells, written_focus, edge_control)
    of_channels = _beside_nulls(model, layers, strongest, cells[which], torch.ones(len(which)), channel_control)
    values |= {f"channel_{name}": value for name, value in of_channels.items()}
    note = f" (queries {options.offset} after their keys)" if model.has("rot_cos") else ""
    return HeadComposition.of(
        prompts,
        values,
        measured=f"how strongly heads write into what later heads read, from the weights alone{note}",
        sender=("edge", names[:, 0]),
        receiver=("edge", names[:, 1]),
        channel_sender=("channel", names[which.numpy(), 0]),
        channel_receiver=("channel", names[which.numpy(), 1]),
        channel_component=("channel", component.numpy()),
    )


def _compose(
    layers: Sequence["_Layer"], pairs: dict[tuple[int, int], Bool[Tensor, "head receiver"]], top: int
) -> tuple[Float[Tensor, "cell"], Float[Tensor, "channel"], Int[Tensor, "channel"]]:
    """The score of every wanted edge, and the strongest channels with their numbers among those of all edges."""
    edges, channels, places, first = [], [], [], 0
    for sender, receiver in track(pairs, len(pairs), "head composition"):
        some = pairs[sender, receiver]
        edge, channel = (each[some] for each in _scores(layers[sender], layers[receiver]))
        best = strongest(channel.flatten(), top)
        edges.append(edge)
        channels.append(best.values)
        places.append(best.indices + first)
        first += channel.numel()
    best = strongest(torch.cat(channels), top)
    return torch.cat(edges), best.values, torch.cat(places)[best.indices]


def _pairs_to_score(
    model: HookedModel, options: HeadCompositionOptions
) -> dict[tuple[int, int], Bool[Tensor, "head receiver"]]:
    """For every layer that writes and later layer that reads, which of their heads and receivers are asked for.

    Raises: SiteError for an end that the model lacks; OptionError if no sender stands before a receiver.
    """
    ends = reading_ends(model)
    writes = torch.zeros(model.dims.layers, model.dims.heads, dtype=torch.bool)
    reads = torch.zeros(model.dims.layers, len(ends[0]), dtype=torch.bool)
    for sender in [writing_end(model, name) for name in options.senders]:
        writes[sender.layer, sender.index] = True
    for receiver in [reading_end(model, name) for name in options.receivers]:
        reads[receiver.layer, ends[receiver.layer].index(receiver)] = True
    writes |= not options.senders
    reads |= not options.receivers
    layers = range(model.dims.layers)
    pairs = {(s, r): writes[s][:, None] & reads[r] for r in layers for s in range(r)}
    nonempty = {pair: some for pair, some in pairs.items() if some.any()}
    if not nonempty:
        raise OptionError(
            f"none of the senders writes before {', '.join(options.receivers) or 'a receiver'} reads; choose earlier "
            "senders or later receivers"
        )
    return nonempty


class _Layer(NamedTuple):
    """A layer's heads: the directions that they write in with their shares of Σσ², and what they read, each of norm 1.

    A focus is Σσ⁴ / (Σσ²)²: 1 where one direction holds everything.
    """

    share: Float[Tensor, "head component"]
    direction: Float[Tensor, "head component d_model"]
    reading: Float[Tensor, "d_model receiver rank"]

    @classmethod
    def of(cls, model: HookedModel, layer: int, turn: Float[Tensor, "d_head d_head"]) -> "_Layer":
        heads, reading = written(model, layer), read(model, layer, turn)
        energy, precision = heads.strength.square(), torch.finfo(reading.dtype)
        least = precision.tiny  # a pruned head scores 0
        written_at_all = heads.strength > precision.eps * heads.strength[:, :1]
        return cls(
            energy / energy.sum(-1, keepdim=True).clamp(min=least),
            heads.direction * written_at_all[:, :, None],
            (reading / torch.linalg.matrix_norm(reading)[:, None, None].clamp(min=least)).transpose(0, 1).contiguous(),
        )

    @property
    def write_focus(self) -> Float[Tensor, "head"]:
        return self.share.square().sum(-1)

    @property
    def read_focus(self) -> Float[Tensor, "receiver"]:
        return torch.linalg.matrix_norm(torch.einsum("drk,drl->rkl", self.reading, self.reading)).square()


def _scores(
    sender: _Layer, receiver: _Layer
) -> tuple[Float[Tensor, "head receiver"], Float[Tensor, "head receiver component"]]:
    """Scores of a layer's heads with another layer's receivers, and of their channels: one product for all."""
    product = sender.direction.flatten(0, 1) @ receiver.reading.flatten(1)
    channel = torch.linalg.vector_norm(product.unflatten(1, (receiver.reading.shape[1], -1)), dim=-1)
    channel = channel.unflatten(0, sender.share.shape).transpose(1, 2)
    edge = torch.einsum("hc,hrc->hr", sender.share, channel.square()).sqrt()
    return edge.cpu(), channel.cpu()


def _backward(
    layers: Sequence[_Layer], options: HeadCompositionOptions
) -> tuple[Float[Tensor, "pair head receiver"], Float[Tensor, "pair head receiver component"]]:
    """The scores of some pairs of layers in which the receiver reads before the sender writes."""
    pairs = [(sender, receiver) for sender in range(len(layers)) for receiver in range(sender + 1)]
    sample = np.random.default_rng(options.seed).permutation(len(pairs))[: options.backward_pairs]
    edges, channels = zip(*[_scores(*(layers[end] for end in pairs[index])) for index in sample], strict=True)
    return torch.stack(edges), torch.stack(channels)


def _beside_nulls(
    model: HookedModel,
    layers: Sequence[_Layer],
    score: Float[Tensor, "cell"],
    cells: Int[Tensor, "cell 4"],
    write_focus: Float[Tensor, "cell"],
    control: Float[Tensor, "pair head receiver *component"],
) -> dict[str, Float[Tensor, "cell"]]:
    """Scores with the mean and standard deviation under a random rotation, and the share of the control as high."""
    width = model.dims.d_model - (model.architecture.norm == "layer")  # without the mean, which no norm lets pass
    read_focus = torch.stack([layer.read_focus for layer in layers]).cpu()[cells[:, 1], cells[:, 3]]
    mean, deviation = _null(write_focus.double(), read_focus.double(), width)
    kinds = np.array([end.kind for end in reading_ends(model)[0]])
    share = _share_as_high(score, kinds[cells[:, 3]], control.transpose(0, 2), kinds)
    return {"score": score, "null_mean": mean, "null_sd": deviation, "backward": share}


def _share_as_high(
    score: Float[Tensor, "cell"], kind: np.ndarray, control: Float[Tensor, "receiver ..."], kinds: np.ndarray
) -> Float[Tensor, "cell"]:
    """For every score the share of the control's scores of its kind that are at least as high."""
    share = torch.empty_like(score)
    for each in "qkv":
        in_order = control[torch.as_tensor(kinds == each)].flatten().sort().values
        some = torch.as_tensor(kind == each)
        share[some] = 1 - torch.searchsorted(in_order, score[some]).to(score) / len(in_order)
    return share


def _null(
    write_focus: Float[Tensor, "cell"], read_focus: Float[Tensor, "cell"], width: int
) -> tuple[Float[Tensor, "cell"], Float[Tensor, "cell"]]:
    """Mean and standard deviation of the score with a random rotation of `width` dimensions between the two.

    Var tr(S R T Rᵀ) is 2 ‖S₀‖²‖T₀‖² / ((d − 1)(d + 2)) for the traceless parts S₀, T₀; here S and T have trace 1.
    """
    mean = 1 / width
    traceless = (write_focus - mean).clamp(min=0) * (read_focus - mean).clamp(min=0)
    variance = 2 * traceless / ((width - 1) * (width + 2))
    root = mean**0.5 * (1 - variance / (8 * mean**2))
    return root, (mean - root.square()).clamp(min=0).sqrt()

"""Channel ablation: the effect on the answer of scaling some output directions of one head for one receiver."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.options import Count, Factor, Index
from interp.core.prompts import Prompts
from interp.decomposition.head_matrices import written
from interp.geometry.channels.ends import reading_end, writing_end
from interp.kinds import Ablation
from interp.models.comparison import compared
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.writes import graph_obstacle, head_writes


@dataclass(frozen=True)
class ChannelAblationOptions:
    """Which directions of which head, for which receiver, and their factor."""

    sender: str = Field("a0.0", description="sender: a head such as a17.4")
    receiver: str = Field(
        "q1.0", description="receiver: a head's queries (q20.0), or a KV head's keys (k20.0) or values (v20.0)"
    )
    components: tuple[Index, ...] = Field((0,), description="singular directions of the sender; 0 is the strongest")
    factor: Factor = Field(
        0.0,
        description="factor on these directions: 0 removes them, 1 changes nothing, 2 doubles them",
    )
    top: Count = Field(10, description="top tokens listed before and after")


class Channel(NamedTuple):
    """Some singular directions of what a head writes, on their way to one receiver."""

    sender: str
    receiver: str
    components: tuple[int, ...]


@engine(obstacle=graph_obstacle)
def channel_ablation(model: HookedModel, prompts: Prompts, metric: Metric, options: ChannelAblationOptions) -> Ablation:
    """The answer before and after scaling some output directions of one head, as read by one receiver.

    Scale what one receiver reads of some directions of one sender, at all positions; nobody else's reading changes.

    (factor − 1) times the sender's output along the directions is added to what the norm before the receiver reads, and
    that receiver alone is computed again, normalised anew. The directions are those of `head-composition`: right
    singular vectors of W_OV with the norms' factors in it. Axes `batch` and `batch rank`, as those of `ablation`.

    Unit: that of the metric (logits); probabilities for the tokens.
    Conserves: all directions together are the sender's whole output; at factor 1 nothing changes.
    Raises: SiteError for a sender or receiver that the model lacks; OptionError for a receiver that reads before the
    sender writes, or a direction beyond d_head; EngineError where norms stand on the stream itself.
    Source: Merullo et al. 2024, "Talking Heads in Transformers", on editing of components.
    Differs: the path is edited, not the weights: other receivers read the sender's output as it is.
    """
    channel = Channel(options.sender, options.receiver, options.components)
    edits = channel_edits(model, [channel], options.factor)
    directions = ", ".join(map(str, options.components)) or "none"
    change = f"{options.receiver} reads directions {directions} of {options.sender} × {options.factor:g}"
    return compared(model, prompts, edits, metric, top=options.top, changed=change)


def channel_edits(model: HookedModel, channels: Sequence[Channel], factor: float) -> list[Edit]:
    """Edits that let receivers read channels `factor` times, all in one run; several may end in one receiver.

    Raises: SiteError, OptionError as `channel_ablation`.
    """
    values: dict[Site, Tensor] = {}
    into = defaultdict(list)
    for channel in channels:
        sender, receiver = _ends(model, channel)
        directions = written(model, sender.layer).direction[sender.index, sorted(set(channel.components))]
        into[receiver].append((sender, directions.to(model.dtype)))

    def reads_more(layer: int, senders: Sequence[tuple[Node, Tensor]]) -> Float[Tensor, "batch pos d_model"]:
        more = torch.zeros_like(values[Site("resid_pre", layer)])
        for sender, directions in senders:
            output = head_writes(model, sender.layer, values[Site("z", sender.layer)])[sender.index]
            more += (factor - 1) * (output @ directions.mT) @ directions
        return more

    def change(value: Tensor, receiver: Node) -> Tensor:
        stream, value = values[Site("resid_pre", receiver.layer)], value.clone()
        more = reads_more(receiver.layer, into[receiver])
        norm = model.layer_map.attention.norm_before
        before, after = (model.weights.normalised(norm, receiver.layer, read) for read in (stream, stream + more))
        matrices = model.weights.projection(receiver.kind, receiver.layer).matrix
        value[:, :, receiver.index] += (after - before) @ matrices[receiver.index]
        return value

    sites = {Site("resid_pre", receiver.layer) for receiver in into}
    sites |= {Site("z", sender.layer) for senders in into.values() for sender, _ in senders}
    edits = [Edit.through(site, lambda value, site=site: values.update({site: value})) for site in sorted(sites)]
    for receiver in into:
        site = Site(receiver.kind, receiver.layer)
        edits.append(Edit.through(site, lambda value, receiver=receiver: change(value, receiver)))
    return edits


def _ends(model: HookedModel, channel: Channel) -> tuple[Node, Node]:
    """Raises: SiteError, OptionError as `channel_ablation`."""
    sender, receiver = writing_end(model, channel.sender), reading_end(model, channel.receiver)
    if receiver.layer <= sender.layer:
        raise OptionError(f"{receiver} reads before {sender} writes; choose a later receiver or an earlier sender")
    beyond = [component for component in channel.components if component >= model.dims.d_head]
    if beyond:
        raise OptionError(f"channel-ablation, components: {sender} has 0 to {model.dims.d_head - 1}, not {beyond[0]}")
    return sender, receiver

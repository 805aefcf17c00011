"""The ends of a channel by name: a head that writes, and queries, keys or values that read."""

from interp.core.errors import SiteError
from interp.core.graph import Block
from interp.core.nodes import Node
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of


def writing_end(model: HookedModel, name: str) -> Node:
    """A head such as a17.4. Raises: SiteError for what the model lacks, or is no head."""
    graph = graph_of(model)
    node = graph.sender_nodes[graph.sender(name)]
    if node.kind != "a":
        raise SiteError(f"{node} has no channels, as it is not a head; give one such as a{graph.layers - 2}.0")
    return node


def reading_end(model: HookedModel, name: str) -> Node:
    """Queries such as q20.0, keys or values. Raises: SiteError for what the model lacks, or reads no channels."""
    graph = graph_of(model)
    node = graph.receiver_nodes[graph.receiver(name)]
    if node.kind not in "qkv":
        raise SiteError(f"{node} reads no channels; give queries, keys or values such as q{graph.layers - 1}.0")
    return node


def reading_ends(model: HookedModel) -> list[list[Node]]:
    """Every layer's queries, then its keys, then its values."""
    graph = graph_of(model)
    return [list(graph.receiver_nodes[graph.receivers_at(Block("attention", layer))]) for layer in range(graph.layers)]

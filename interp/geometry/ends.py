"""The ends of a channel by name: a head that writes, and queries, keys or values that read."""

from typing import NamedTuple

from interp.core.errors import SiteError
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of


class End(NamedTuple):
    """A head (`a`), or the queries, keys or values (`q`, `k`, `v`) of one; keys and values are those of a KV head."""

    kind: str
    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.kind}{self.layer}.{self.head}"


def writing_end(model: HookedModel, name: str) -> End:
    """A head such as a17.4. Raises: SiteError for what the model lacks, or is no head."""
    graph = graph_of(model)
    found = graph.senders[graph.sender(name)]
    if found[0] != "a":
        raise SiteError(f"{found} has no channels: only heads have; give one such as a{graph.layers - 2}.0")
    return _end(found)


def reading_end(model: HookedModel, name: str) -> End:
    """Queries such as q20.0, keys or values. Raises: SiteError for what the model lacks, or reads no channels."""
    graph = graph_of(model)
    found = graph.receivers[graph.receiver(name)]
    if found[0] not in "qkv":
        raise SiteError(f"{found} reads no channels; give queries, keys or values such as q{graph.layers - 1}.0")
    return _end(found)


def reading_ends(model: HookedModel) -> list[list[End]]:
    """Every layer's queries, then its keys, then its values."""
    dims = model.dims
    counts = (("q", dims.heads), ("k", dims.kv_heads), ("v", dims.kv_heads))
    return [[End(kind, layer, head) for kind, count in counts for head in range(count)] for layer in range(dims.layers)]


def _end(name: str) -> End:
    layer, head = name[1:].split(".")
    return End(name[0], int(layer), int(head))

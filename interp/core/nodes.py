"""Names of computation-graph nodes: `embed`, `a{layer}.{head}`, `m{layer}`, `logits`."""

import re
from typing import NamedTuple

from interp.core.errors import SiteError


class Node(NamedTuple):
    """A head (`a`), an MLP (`m`) or the embedding, as people type it."""

    kind: str
    layer: int | None = None
    head: int | None = None

    def __str__(self) -> str:
        if self.kind == "embed":
            return "embed"
        return f"{self.kind}{self.layer}" if self.head is None else f"{self.kind}{self.layer}.{self.head}"


def parse_node(text: str) -> Node:
    """Read `a23.3`, `23.3` (a head) or `m4` (an MLP). Raises: SiteError with the form that is understood."""
    match = re.fullmatch(r"a?(\d+)\.(\d+)|m(\d+)", text.strip())
    if match is None:
        raise SiteError(f"{text!r} is not a node; write a head as a23.3 (layer.head) or an MLP as m4")
    layer, head, mlp = match.groups()
    return Node("m", int(mlp)) if mlp else Node("a", int(layer), int(head))

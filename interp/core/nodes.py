"""Names of computation-graph nodes: `embed`, `a{layer}.{head}`, `m{layer}`, `logits`, `f{layer}.{site}.{feature}`."""

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


class FeatureNode(NamedTuple):
    """A feature of a dictionary at a site, `f18.z.7`; without a number, what the dictionary misses: `f18.z.error`."""

    layer: int
    site: str
    feature: int | None = None

    def __str__(self) -> str:
        return f"f{self.layer}.{self.site}.{'error' if self.feature is None else self.feature}"


def parse_feature(text: str) -> FeatureNode:
    """Read `f18.z.7` or `f18.z.error`. Raises: SiteError with the form that is understood."""
    match = re.fullmatch(r"f(\d+)\.([a-z]\w*)\.(\d+|error)", text.strip())
    if match is None:
        raise SiteError(f"{text!r} is not a feature; write it as f18.z.7 (layer, site, number) or f18.z.error")
    layer, site, feature = match.groups()
    return FeatureNode(int(layer), site, None if feature == "error" else int(feature))

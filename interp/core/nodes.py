"""Nodes of the computation graph by name: senders, which write to the residual stream, and receivers, which read it."""

import re
from typing import NamedTuple

from interp.core.errors import SiteError

NUMBER = "[0-9]{1,9}"  # in names: no model has more of anything
_FORMS = (
    r"(?P<kind>embed|logits)",
    rf"(?P<kind>[aqkvE])(?P<layer>{NUMBER})\.(?P<index>{NUMBER})",
    rf"(?P<kind>m)(?P<layer>{NUMBER})",
    rf"(?P<kind>f)(?P<layer>{NUMBER})\.(?P<site>[a-z]\w*)\.((?P<index>{NUMBER})|error)",
    rf"(?P<kind>d)(?P<layer>{NUMBER})\.(?P<site>[a-z]\w*)\.(?P<digest>[0-9a-f]{{8}})",
)


class Node(NamedTuple):
    """`embed`; a head `a23.3`, its query `q23.3`, key `k23.1` or value `v23.1`; an MLP `m4`, an expert of it `E4.1`;
    `logits`; a feature `f18.z.7` of a dictionary at a site, or what the dictionary misses, `f18.z.error`; a saved
    direction at a site, `d18.resid_pre.0badcafe`.

    `index` is the number of the head, KV head, expert or feature, or the direction's hash; it and `layer` are −1 where
    there is none.
    """

    kind: str
    layer: int = -1
    index: int = -1
    site: str = ""

    @classmethod
    def of(cls, name: str) -> "Node":
        """Read a name. Raises: SiteError with the forms that are understood."""
        matches = (re.fullmatch(form, name.strip()) for form in _FORMS)
        match = next((match for match in matches if match), None)
        if match is None:
            raise SiteError(
                f"{name!r} is not a node; write embed, a23.3, q23.3, k23.1, v23.1, m4, E4.1, logits, f18.z.7 or "
                "d18.resid_pre.0badcafe"
            )
        parts = match.groupdict()
        numbers = {part: int(parts[part]) for part in ("layer", "index") if parts.get(part)}
        if parts.get("digest"):
            numbers["index"] = int(parts["digest"], 16)
        return cls(parts["kind"], **numbers, site=parts.get("site", ""))

    def __str__(self) -> str:
        if self.kind == "f":
            return f"f{self.layer}.{self.site}.{'error' if self.index < 0 else self.index}"
        if self.kind == "d":
            return f"d{self.layer}.{self.site}.{self.index:08x}"
        layer = "" if self.layer < 0 else self.layer
        return f"{self.kind}{layer}" if self.index < 0 else f"{self.kind}{layer}.{self.index}"


def parse_node(text: str) -> Node:
    """Read `a23.3`, `23.3` (a head), `m4` (an MLP) or `E4.1` (an expert). Raises: SiteError with the forms."""
    name = re.sub(r"^(?=\d)", "a", text.strip())
    if re.fullmatch(rf"[aE]{NUMBER}\.{NUMBER}|m{NUMBER}", name) is None:
        raise SiteError(
            f"{text!r} is not a node; write a head as a23.3 (layer.head), an MLP as m4 or an expert as E4.1"
        )
    return Node.of(name)


def parse_edited(text: str) -> Node:
    """Read what can be ablated: what `parse_node` reads, or a direction. Raises: SiteError with the forms."""
    return Node.of(text) if text.strip().startswith("d") else parse_node(text)

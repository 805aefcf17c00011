"""The role of each head in the task, by stated rules, from its effects with intervals and its attention."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from analyses.circuit_study import Places, clear, head_name
from analyses.reporting import markdown, share
from interp.core.prompts import PromptPairs

LOOKS = 0.15  # mean attention from which a head counts as attending to a position


class Findings(NamedTuple):
    """Tables with one row per head (`layer`, `head`): effects with intervals, and mean attention between places."""

    total: pd.DataFrame
    direct: pd.DataFrame
    queries: pd.DataFrame
    inputs: pd.DataFrame
    attention: pd.DataFrame
    least: float


def places(pairs: PromptPairs) -> Mapping[str, Places]:
    """The positions that heads of the known roles attend between: from the end, and from the second subject."""
    metric = pairs.metric
    assert metric is not None
    assert metric.positions is not None
    assert metric.contrast_labels is not None
    positions: dict[str, list[tuple[int, int]]] = {name: [] for name in ("end → IO", "end → S1", "end → S2")}
    positions |= {name: [] for name in ("S2 → S1", "S2 → S1+1", "end → first")}
    for row, tokens in enumerate(pairs.clean.labels):
        end, labels = metric.positions[row], list(tokens)
        io, subject = labels.index(metric.target_labels[row]), metric.contrast_labels[row]
        first, second = labels.index(subject), len(labels) - 1 - labels[::-1].index(subject)
        ends = (end, io), (end, first), (end, second), (second, first), (second, first + 1), (end, 0)
        for name, place in zip(positions, ends, strict=True):
            positions[name].append(place)
    return positions


def role_of(findings: Findings, head: tuple[int, int]) -> str:
    """The role that the evidence supports, or none.

    A *name mover* raises the answer directly and looks from the end at the indirect object more than at the subject, a
    *subject suppressor* raises it directly and looks at the second subject; a *negative* head lowers it directly and
    looks at the indirect object. An *S-inhibition* head works through the movers' queries and looks from the end
    at the second subject; an *induction* or *duplicate* head works through the keys and values of those, looking from
    the second subject to what followed the first, or to the first; a *previous-token* head looks one token back.
    """
    looks = findings.attention.loc[head]

    def acts(frame: pd.DataFrame, sign: int = 0) -> bool:
        row = frame.loc[head]
        is_clear = row["score_low"] > 0 or row["score_high"] < 0
        return bool(is_clear and abs(row["score"]) >= findings.least and (not sign or row["score"] * sign > 0))

    roles = []
    if acts(findings.direct, -1) and looks["end → IO"] > max(looks["end → S1"] + looks["end → S2"], LOOKS):
        roles.append("name mover")
    elif acts(findings.direct, -1) and looks["end → S2"] > LOOKS:
        roles.append("subject suppressor")
    elif acts(findings.direct, -1):
        roles.append("direct, for the answer")
    if acts(findings.direct, 1):
        roles.append("negative" if looks["end → IO"] > LOOKS else "direct, against the answer")
    if acts(findings.queries):
        roles.append("S-inhibition" if looks["end → S2"] > LOOKS else "into the movers' queries")
    if acts(findings.inputs):
        if looks["S2 → S1+1"] > LOOKS:
            roles.append("induction")
        elif looks["S2 → S1"] > LOOKS:
            roles.append("duplicate token")
        elif looks["previous_token"] > 2 * LOOKS:
            roles.append("previous token")
        else:
            roles.append("into the inhibitors")
    return ", ".join(roles)


def roles_table(findings: Findings, role: Callable[[Findings, tuple[int, int]], str]) -> str:
    """Every head that acts on the answer in one of the measured ways, the largest total effect first."""
    names = [("total", "effect"), ("direct", "score"), ("queries", "score"), ("inputs", "score")]
    heads = {index for table, name in names for index in clear(getattr(findings, table), name, findings.least).index}
    order = sorted(heads, key=lambda head: -abs(findings.total.loc[head, "effect"]))
    rows = []
    for head in order:
        cells = []
        for table, name in names:
            row = getattr(findings, table).loc[head]
            cells.append("" if pd.isna(row[name]) else share(row[name], row[f"{name}_low"], row[f"{name}_high"]))
        attention = findings.attention.loc[head].drop("end → first").sort_values(ascending=False)
        targets = ", ".join(
            f"{place.replace('_', ' ')} {value:.2f}" for place, value in attention.items() if value > LOOKS
        )
        rows.append([head_name(head), role(findings, head) or "–", *cells, targets or "–"])
    columns = ["head", "role", "total effect", "direct effect", "through the movers' queries"]
    return markdown([*columns, "through the inhibitors' keys and values", "looks at (mean attention)"], rows)

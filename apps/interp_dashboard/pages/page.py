"""What a page is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interp_dashboard.state import View


@dataclass(frozen=True)
class Page:
    """One way of looking: its layout, built once, and the slots it needs for a view."""

    name: str
    title: str
    layout: Callable[[], Any]
    slots: Callable[[View], tuple[str, ...]]

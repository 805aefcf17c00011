"""What a page is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp.models.hooked import HookedModel
from interp_dashboard.contents import Content
from interp_dashboard.state import View


def as_it_is(model: HookedModel, view: Any) -> Any:
    """A state that suits every model and question."""
    return view


def nothing(model: HookedModel) -> dict[str, Any]:
    """A page whose scripts need to know nothing of the model."""
    return {}


def no_more(app: Any, serving: Any) -> None:
    """A page that needs nothing from the server but its contents."""


@dataclass(frozen=True)
class Page:
    """One way of looking: its panels, laid out once, what they show, and its own part of the view.

    `state` extends `View` by the page's own fields; `suit(model, view)` fills in what depends on the model, and
    replaces what the question does not allow. `contents` are in the order in which they are computed. `about(model)` is
    what the page's scripts need to know. `home` is the package's `__file__`: every script beside it is served with the
    page. `connect(app, serving)` registers the page's other requests to the server. `invitation` is the label of a
    button beside the selected head that leads here.
    """

    name: str
    title: str
    layout: Callable[[], Any]
    contents: tuple[Content, ...]
    state: type[View] = View
    suit: Callable[[HookedModel, Any], Any] = as_it_is
    about: Callable[[HookedModel], dict[str, Any]] = nothing
    home: str = ""
    invitation: str = ""
    connect: Callable[[Any, Any], None] = no_more

    @property
    def scripts(self) -> tuple[Path, ...]:
        """The page's scripts, in the order of their names."""
        return tuple(sorted(Path(self.home).parent.glob("*.js"))) if self.home else ()

"""The Sandbox page without a browser: what a step opens with, and steps that a link asks for."""

import pytest
from interp_dashboard.app import open_link
from interp_dashboard.pages.sandbox import FIRST, Sandbox, suit
from interp_dashboard.workspace import Workspace

import interp
from interp import sandbox
from interp.models import HookedModel


@pytest.fixture(scope="module")
def early() -> HookedModel:
    return interp.load(f"{FIRST}@50")


def test_a_step_opens_with_a_test_input(early: HookedModel) -> None:
    workspace = Workspace(early)
    try:
        opened, notice, *_ = open_link(workspace, "?page=heads")
    finally:
        workspace.close()
    assert notice["text"].replace(" ", "") == ""
    assert opened["view"]["clean"] == sandbox.example_of(early.name)
    assert opened["prompt"]["tokens"] == tuple(opened["view"]["clean"].split())


@pytest.mark.parametrize("after", [None, 0, 49, 10**6])
def test_the_nearest_kept_step(early: HookedModel, after: int | None) -> None:
    steps = sandbox.Run(FIRST).steps
    wanted = steps[-1] if after is None else min(steps, key=lambda step: abs(step - after))
    assert suit(early, Sandbox(after=after)).after == wanted

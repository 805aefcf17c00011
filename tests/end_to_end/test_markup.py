"""Markup in whatever a page shows stays text: in prompts, answers, files and the names in them, in the model's name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from end_to_end.browsing import Tab
from end_to_end.conftest import visit
from interp_dashboard.serve import serve
from making import one_of
from playwright.sync_api import Page

import interp
from interp.core.result import Provenance

pytestmark = pytest.mark.browser

RUN = "markup=1"  # short: the tiny model reads 64 tokens
PROBES = (
    f"<script>{RUN}</script>", f"</script><script>{RUN}</script>", f"<img src=x onerror={RUN}>",
    f"<img src=x onerror='{RUN}'>", f'"><img src=x onerror={RUN}>', f"'><img src=x onerror={RUN}>",
    f"<svg onload={RUN}>", f"<svg><script>{RUN}</script></svg>", f"<svg/onload={RUN}//", f"<body onload={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>", f"<iframe src=javascript:parent.{RUN}>",
    f"<a href=javascript:{RUN}>x</a>", f"<a href='javascript:{RUN}'>x", f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}>", f"<video><source onerror={RUN}></video>", f"<audio src=x onerror={RUN}>",
    f"<math><mtext><img src=x onerror={RUN}></mtext></math>", f"<object data=javascript:{RUN}>",
    f"<embed src=javascript:{RUN}>", f"<form action=javascript:{RUN}><button>x", "<meta http-equiv=refresh content=0>",
    "<base href=//evil.example/>", "<link rel=stylesheet href=//evil.example/x.css>", "<style>*{display:none}</style>",
    f"<marquee onstart={RUN}>x</marquee>", f"<template><script>{RUN}</script></template>",
    f"<!--><script>{RUN}</script>", "<b>bold</b>", "&lt;b&gt;&amp;", f"${{{RUN}}}",
    f"{{{{constructor.constructor('{RUN}')()}}}}", f"javascript:{RUN}",
)  # fmt: skip
ELEMENTS = "script:not([src]):not([id]):not([type]), iframe, object, embed, marquee, math, meta[http-equiv], base"


def is_untouched(tab: Tab, before: int) -> None:
    assert tab.evaluate("window.markup") is None
    assert tab.page.locator(ELEMENTS).count() == before
    assert tab.page.locator("[onerror], [onload], [onfocus], [ontoggle], a[href^=javascript]").count() == 0


@pytest.fixture
def odd_tab(roomy: Path, shared_page: Page) -> Iterator[Tab]:
    """A tab over a model whose name is markup."""
    model = interp.load(str(roomy))
    model.name = PROBES[2]
    served = serve(model, port=0, block=False)
    shared_page.set_viewport_size({"width": 1400, "height": 1800})
    with visit(shared_page, served.url) as tab:
        yield tab
    served.close()


def test_in_a_prompt(odd_tab: Tab) -> None:
    """All 34 of them, a few at a time, in the strip, the predictions and the lens; then on other pages."""
    tab = odd_tab
    assert len(PROBES) == 34
    tab.open(page="lens", clean="When", corrupted="", answer=" a", contrast="", methods="attnlrp")
    before = tab.page.locator(ELEMENTS).count()
    for probes in batched(PROBES, 4):
        prompt = " ".join(probes)
        tab.ask(clean=prompt)
        tab.page.wait_for_function("(text) => interp.prompt.tokens.join('') === text", arg=prompt)
        tab.settle()
        is_untouched(tab, before)
    for page in ("overview", "heads", "attribution", "ablate"):
        tab.page.click(f"[data-set='page'][data-value='{page}']")
        tab.settle()
        is_untouched(tab, before)


def batched(several: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (several[first : first + size] for first in range(0, len(several), size))


def test_in_names(odd_tab: Tab, tmp_path: Path) -> None:
    """The model's, a file's, and those that stand in it: engine, model, options, labels, what was measured."""
    tab = odd_tab
    question = {"clean": "When Mary and John went to the store", "corrupted": "", "answer": " Mary", "contrast": ""}
    tab.open(page="engines", **question)
    assert PROBES[2] in tab.text("header")
    before = tab.page.locator(ELEMENTS).count()
    for number, kind in enumerate(("Relevance", "EdgeScores", "HeadScores")):
        result = one_of(kind)
        probe, other = PROBES[number], PROBES[number + 3]
        data = result.data.assign_attrs(measured=other, sign=probe)
        origin = Provenance(probe, {probe: other}, other, metric=probe)
        path = replace(result, data=data, provenance=origin).save(tmp_path / f"<img src=x onerror={number}>")
        tab.page.set_input_files("#engine-file", path)
        tab.page.locator(".drawn-engineresults").get_by_text(probe, exact=False).first.wait_for()
        tab.settle()
        is_untouched(tab, before)

"""The model and its job runner behind the pages: validates questions and delivers what panels show."""

import threading
import uuid
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from interp.core.errors import InterpError, TargetError
from interp.core.metric import answer_id
from interp.core.prompts import PromptPairs
from interp.models.hooked import HookedModel
from interp_dashboard import shell
from interp_dashboard.asking import Call
from interp_dashboard.contents import Content
from interp_dashboard.displays import Display
from interp_dashboard.pages import PAGES
from interp_dashboard.state import Values, View, own, plain, prompts_of, replace_unavailable, state
from interp_dashboard.work import Failure, Runner, short

WEIGHTS = ("the weights' hash",)
PATIENCE = 0.12  # seconds that a request waits for quick work before it answers with what there is
MANY_TOKENS = 24_000  # tokens through the model above which work waits for a click
KINDS: dict[str, tuple[Content, type[View]]] = {
    content.name: (content, kind)
    for contents, kind in ((shell.CONTENTS, View), *((page.contents, page.state) for page in PAGES))
    for content in contents
}


@dataclass(frozen=True)
class Delivery:
    """What one tab receives: new payloads by content, and the status of the rest."""

    payloads: Mapping[str, dict[str, Any]]
    status: Mapping[str, Any]


@dataclass(frozen=True)
class CheckedView:
    """A view whose question can be answered, the tokens of its prompts, and what the question did not allow."""

    values: Values
    tokens: tuple[str, ...]
    corrupted: tuple[str, ...]
    position: int
    replacements: Mapping[str, str]


class QuestionError(InterpError):
    """A question that cannot be asked; `offers` are (field, text) replacements that would fix it."""

    def __init__(self, message: str, offers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.offers = list(offers)


class Workspace:
    """One model, shared by every tab."""

    def __init__(self, model: HookedModel) -> None:
        self.model = model
        self.runner = Runner()
        self._making = threading.Lock()
        self.tokenizing = threading.Lock()  # tokenizers are not made for two threads at once
        self.process = uuid.uuid4().hex
        self.runner.submit(WEIGHTS, lambda: model.weight_hash, label="reading the weights", quick=True, watcher="all")

    def close(self) -> None:
        """Cancel what runs."""
        self.runner.close()

    @property
    def identity(self) -> dict[str, Any]:
        """Which process serves which model; the weights are None until they have been read."""
        name = f"{self.model.name} · {str(self.model.dtype).removeprefix('torch.')}"
        weights = self.runner.find(WEIGHTS)
        return {"process": self.process, "name": name, "model": self.model.name, "weights": weights}

    # Questions

    def defaults(self) -> Values:
        """Every page's fields with their default values."""
        return self.fill_in({})[0]

    def fill_in(self, values: Values) -> tuple[Values, dict[str, str]]:
        """Every page's fields: `values`, and for the rest defaults that suit the model and the question.

        Also the values that the question does not allow, each with a sentence that says what replaces it.
        """
        view, replacements = replace_unavailable(state(View, values))
        complete = {"page": PAGES[0].name} | values | plain(view)
        for page in PAGES:
            view, more = replace_unavailable(state(page.state, complete))
            view = page.suit(self.model, view)
            complete |= {name: value for name, value in plain(view).items() if name in own(page.state)}
            replacements |= more
        return complete, replacements

    def check(self, values: Values) -> CheckedView:
        """The view with a complete and valid question.

        An empty answer becomes the model's own first choice; a selection that this prompt lacks is left out.
        Raises: QuestionError with one line, and offers.
        """
        try:
            view = state(View, values)
        except InterpError as error:
            raise QuestionError(str(error)) from error
        if not view.answer and not self.model.is_classifier:
            view = replace(view, answer=self._likeliest(view))
        try:
            with self.tokenizing:
                prompts = prompts_of(self.model, view)
        except TargetError as error:
            raise QuestionError(str(error), self._offers(view)) from error
        except InterpError as error:
            raise QuestionError(str(error)) from error
        clean = prompts.clean
        complete, replacements = self.fill_in(values | plain(_within(view, clean.width)))
        return CheckedView(
            values=complete,
            tokens=clean.labels[0],
            corrupted=prompts.corrupted.labels[0] if isinstance(prompts, PromptPairs) else (),
            position=clean.answer_positions(self.model)[0],
            replacements=replacements,
        )

    def _likeliest(self, view: View) -> str:
        call = shell.LIKELIEST.call(self.model, view)
        assert call is not None
        try:
            result = self._now(call)
        except InterpError as error:
            raise QuestionError(str(error)) from error
        return str(result.values("clean_token").values[0, 0])

    def _offers(self, view: View) -> list[tuple[str, str]]:
        """Single tokens that could stand where the answer or contrast is not one."""
        if self.model.is_classifier:
            return [("answer", name) for name in self.model.class_names[:4]]
        for field in ("answer", "contrast"):
            text = getattr(view, field)
            if not text or self._is_one(text):
                continue
            first = self.model.token_label(self.model.encode_continuation(text)[0])
            with_space = " " + text.strip()
            candidates = dict.fromkeys(offer for offer in (with_space, first) if self._is_one(offer))
            return [(field, offer) for offer in candidates]
        return []

    def _is_one(self, text: str) -> bool:
        try:
            answer_id(self.model, text)
        except TargetError:
            return False
        return True

    # What panels show

    def deliver(
        self,
        values: Values,
        names: Iterable[str] | None = None,
        *,
        tab: str,
        theme: str = "light",
        have: Mapping[str, str],
        stopped: Iterable[str] = (),
        approved: Iterable[str] = (),
        again: Iterable[int] = (),
    ) -> Delivery:
        """Start what is missing, wait a moment, and hand over what is new to this tab.

        Long work for another page of the view goes on. `have` maps a content to the key of what the tab already has;
        `stopped` are works that the user cancelled, `approved` long ones that they started, `again` failures to retry.
        """
        self.runner.forget(again)
        names = shown_on(values.get("page")) if names is None else list(names)
        errors: dict[str, str] = {}
        displays = self._displays(values, names, theme, errors)
        waiting: dict[str, list[str]] = {}
        running: list[Hashable] = []
        for name, display in displays.items():
            for call in display.calls.values():
                if self.runner.find(call.key) is not None:
                    continue
                work = next(work for work in call.works if self.runner.find(work.key) is None)
                if reason := self._reason_to_wait(work, stopped, approved):
                    waiting.setdefault(name, []).append(reason)
                else:
                    self._start(work, tab)
                    running += [work.key, call.key]
        self.runner.keep_only(tab, [*running, *self._elsewhere(values, tab, {*running}, stopped)])
        answers = self._answers(displays)
        payloads = self._collect(displays, answers, have, errors)
        if not payloads:
            self.runner.wait(running, PATIENCE)
            answers = self._answers(displays)
            payloads = self._collect(displays, answers, have, errors)
        failures = {name: [each.number for each in display.failures(answers)] for name, display in displays.items()}
        status = {
            "view": values,
            "theme": theme,
            "wanted": dict.fromkeys(names, "")
            | {name: display.key(display.results(answers)) for name, display in displays.items()},
            "edited": self._edited(displays, values),
            "works": {name: [short(work.key) for work in display.works] for name, display in displays.items()},
            "jobs": [
                {"label": job.label, "done": job.done, "total": job.total, "work": short(job.key)}
                for job in self.runner.progress(tab)
            ],
            "errors": errors,
            "failures": {name: numbers for name, numbers in failures.items() if numbers},
            **self._waiting(displays, answers, waiting),
            "pending": any(answers[key] is None for key in running),
        }
        return Delivery(payloads, status)

    @staticmethod
    def _waiting(
        displays: Mapping[str, Display], answers: Mapping[Hashable, Any], waiting: Mapping[str, list[str]]
    ) -> dict[str, dict[str, str]]:
        """Why work waits for a click: of contents that show nothing without it, and of those that would show more."""
        words = {name: " ".join(dict.fromkeys(reasons)) for name, reasons in waiting.items()}
        held = {name for name in words if len(displays[name].results(answers)) < displays[name].enough}
        return {
            "held": {name: text for name, text in words.items() if name in held},
            "more": {name: text for name, text in words.items() if name not in held},
        }

    def _elsewhere(self, values: Values, tab: str, running: set[Hashable], stopped: Iterable[str]) -> set[Hashable]:
        """Long work in progress for another page of the same view, which continues."""
        under_way = {
            job.key for job in self.runner.progress(tab) if not job.quick and short(job.key) not in set(stopped)
        }
        if not under_way - running:
            return set()
        displays = self._displays(values, KINDS, "", {})
        return under_way & {work.key for display in displays.values() for work in display.works}

    def _edited(self, displays: Mapping[str, Display], values: Values) -> list[str]:
        """The contents that the edits in force change."""
        if not values.get("nodes"):
            return []
        bare = self._displays(values | {"nodes": []}, displays, "", {})
        return [
            name
            for name, display in displays.items()
            if name not in bare or replace(display, theme="").key({}) != bare[name].key({})
        ]

    def _answers(self, displays: Mapping[str, Display]) -> dict[Hashable, Any]:
        """The answers at one moment, so that everything that a tab receives is consistent."""
        return {work.key: self.runner.find(work.key) for display in displays.values() for work in display.works}

    def _displays(self, values: Values, names: Iterable[str], theme: str, errors: dict[str, str]) -> dict[str, Display]:
        """What a view shows of these contents, in their order; where that is an error, its line goes into `errors`."""
        displays = {}
        for name in names:
            try:
                display = self.display(name, values, theme)
            except InterpError as error:
                errors[name] = str(error)
                continue
            if display.calls:
                displays[name] = display
        return displays

    def display(self, name: str, values: Values, theme: str = "light") -> Display:
        """What a view shows of one content; without calls where there is nothing to compute."""
        content, kind = KINDS[name]
        view = state(kind, values)
        calls = content.calls(self.model, view)
        return Display(content, calls, content.choice(self.model, view) if calls else {}, theme)

    def _collect(
        self,
        displays: Mapping[str, Display],
        answers: dict[Hashable, Any],
        have: Mapping[str, str],
        errors: dict[str, str],
    ) -> dict[str, dict[str, Any]]:
        """The payloads that a tab lacks, derived where they are not cached; failures are added to the answers."""
        payloads: dict[str, dict[str, Any]] = {}
        for name, display in displays.items():
            results, failures = display.results(answers), display.failures(answers)
            key = display.key(results)
            if len(results) < display.enough:
                if failures:
                    errors[name] = str(failures[0])
            elif have.get(name) != key:
                payload = self.runner.derive(key, partial(self._payload, display, results), label="drawing this panel")
                if isinstance(payload, Failure):  # one panel's fault does not take the others with it
                    errors[name], answers[key] = str(payload), payload
                else:
                    payloads[name] = {"key": key} | payload
        return payloads

    def _payload(self, display: Display, results: Mapping[str, Any]) -> dict[str, Any]:
        content, result = display.content, results.get("", results)
        with self._making:
            python = content.python(self.model, display.answered(results), result, display.choice)
            about = {"python": python, "engines": [engine.name for engine in display.engines]}
            return about | content.render(result, display.choice, display.theme)

    def _start(self, call: Call, tab: str) -> None:
        self.runner.submit(call.key, partial(self._run, call), label=call.label, quick=call.quick, watcher=tab)

    def _now(self, call: Call) -> Any:
        return self.runner.result(call.key, partial(self._run, call), label=call.label)

    def _run(self, call: Call) -> Any:
        return call.run(self.model, lambda inner: self.runner.within(inner.key, partial(self._run, inner)))

    def _reason_to_wait(self, call: Call, stopped: Iterable[str], approved: Iterable[str]) -> str:
        work = short(call.key)
        if work in set(approved):
            return ""
        if work in set(stopped):
            return f"Cancelled: {call.label}."
        if call.waits:
            return call.waits
        letters = max(1, len(call.text))  # a token has at least one
        if call.quick or call.cost(self.model, letters) * letters < MANY_TOKENS:
            return ""
        with self.tokenizing:
            tokens = len(self.model.encode(call.text))
        runs = call.cost(self.model, tokens)
        if runs * tokens <= MANY_TOKENS:
            return ""
        return f"{call.label.capitalize()} takes {runs} runs over {tokens} tokens."

    def result(self, display: Display) -> Any:
        """The result behind a content, or those of several that there are.

        Raises: InterpError if there is none, or its work fails.
        """
        if not display.calls:
            raise InterpError("there is nothing to export yet; first select what this panel should show")
        if "" not in display.calls:
            ready = display.results(self._answers({"": display}))
            if not ready:
                raise InterpError("there is no result to compare yet; wait for one to finish, or run one")
            return ready
        call = display.calls[""]
        if any(not work.quick and self.runner.find(work.key) is None for work in call.works):
            raise InterpError(f"{call.label} has not finished; save this panel once it shows its result")
        return self._now(call)


def shown_on(name: str | None) -> list[str]:
    """What a page and the shell show, in the order in which it is wanted."""
    page = next((page for page in PAGES if page.name == name), PAGES[0])
    return list(dict.fromkeys(content.name for content in (*page.contents, *shell.CONTENTS)))


def _within(view: View, width: int) -> View:
    """The same view with positions that a prompt of `width` tokens has, and a head only where both numbers are."""
    query = view.query if view.query is not None and view.query < width else None
    key = view.key if view.key is not None and view.key < width else None
    head = view.selected or {"layer": None, "head": None}
    return replace(view, query=query, key=key, **head)

"""The model and its job runner behind the pages: checks questions, delivers answers, exports results."""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from interp.core.errors import InterpError, TargetError
from interp.core.metric import answer_id
from interp.core.prompts import Prompts
from interp.core.result import Result
from interp.kinds import Relevance
from interp.models.hooked import HookedModel
from interp_dashboard import questions as q
from interp_dashboard.circuits import forget
from interp_dashboard.methods import chosen, first_methods
from interp_dashboard.questions import Question
from interp_dashboard.slots import SLOTS, Slot
from interp_dashboard.state import QUESTION, View, within
from interp_dashboard.work import Failed, Runner, failure

log = logging.getLogger(__name__)

PATIENCE = 0.12  # seconds that a request waits for quick work before it answers with what there is
KEPT = 64  # payloads that stay ready to send
MANY_TOKENS = 40_000  # tokens through the model above which work waits for a click


@dataclass(frozen=True)
class Delivery:
    """What one tab gets back: new payloads by slot, and how the rest stands."""

    payloads: Mapping[str, dict[str, Any]]
    status: Mapping[str, Any]


class QuestionError(InterpError):
    """A question that cannot be asked; `offers` are (field, text) replacements that would mend it."""

    def __init__(self, message: str, offers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.offers = list(offers)


class Workspace:
    """One model, shared by every tab."""

    def __init__(self, model: HookedModel) -> None:
        self.model = model
        self.runner = Runner()
        self._made: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._making = threading.Lock()
        self._text = threading.Lock()  # tokenizers are not made for two threads at once

    def close(self) -> None:
        """Cancel what runs, and let go of what was kept of the model."""
        self.runner.close()
        forget()

    # Questions

    def check(self, view: View) -> View:
        """The view, its question complete and known to be answerable.

        An empty answer becomes the model's own first choice. Raises: QuestionError with one line, and offers.
        """
        if not view.answer and not self.model.is_classifier:
            view = replace(view, answer=self._likeliest(view))
        try:
            with self._text:
                prompts = q.prompts_of(self.model, view)
        except TargetError as error:
            raise QuestionError(str(error), self._offers(view)) from error
        except InterpError as error:
            raise QuestionError(str(error)) from error
        metric = prompts.metric
        if metric is not None and metric.targets == metric.contrasts:
            raise QuestionError(f"answer and contrast are both {view.answer!r}; their difference is always zero")
        clean = prompts.clean
        return within(replace(view, methods=view.methods or first_methods(self.model)), clean.width)

    def _likeliest(self, view: View) -> str:
        def run() -> str:
            prompts = Prompts.of(self.model, view.clean)
            at = prompts.answer_positions(self.model)[0]
            return q.top_tokens(self.model, self.model.logits(prompts)[0, at], 1)[0][0]

        try:
            return self.runner.result(("likeliest", view.clean), run, label="reading the answer")
        except InterpError as error:
            raise QuestionError(str(error)) from error

    def _offers(self, view: View) -> list[tuple[str, str]]:
        """Single tokens that could stand where the answer or contrast is not one."""
        if self.model.is_classifier:
            return [("answer", name) for name in self.model.class_names[:4]]
        for field in ("answer", "contrast"):
            text = getattr(view, field)
            if not text or self._is_one(text):
                continue
            first = self.model.token_label(self.model.encode_continuation(text)[0])
            spaced = " " + text.strip()
            candidates = dict.fromkeys(offer for offer in (spaced, first) if self._is_one(offer))
            return [(field, offer) for offer in candidates]
        return []

    def _is_one(self, text: str) -> bool:
        try:
            answer_id(self.model, text)
        except TargetError:
            return False
        return True

    # Answers

    def deliver(
        self,
        view: View,
        slots: Iterable[str],
        *,
        tab: str,
        have: Mapping[str, str],
        stopped: Iterable[str] = (),
        approved: Iterable[str] = (),
        again: Iterable[int] = (),
    ) -> Delivery:
        """Start what is missing, wait a moment, and hand over what is new to this tab.

        `have` maps a slot to the key of what the tab already holds; `stopped` are works that its person cancelled,
        `approved` long ones that they started, `again` the failures after which they want another try.
        """
        self.runner.forget(again)
        wanted = {name: SLOTS[name] for name in slots if SLOTS[name].question(view) is not None}
        works: dict[str, Hashable] = {}
        held: dict[str, str] = {}
        for name, slot in wanted.items():
            question = slot.question(view)
            assert question is not None
            work = works[name] = self._work_key(question, view)
            if self.runner.find(work) is None:
                reason = self._reason_to_wait(question, view, short(work), stopped, approved)
                if reason:
                    held[name] = reason
                else:
                    self._start(question, view, tab)
        self.runner.keep_only(tab, [work for name, work in works.items() if name not in held])
        payloads, errors = self._collect(view, works, have)
        if not payloads:
            self.runner.wait([work for name, work in works.items() if name not in held], PATIENCE)
            payloads, errors = self._collect(view, works, have)
        found = {name: self.runner.find(work) for name, work in works.items()}
        jobs = [
            {"label": job.label, "done": job.done, "total": job.total, "work": short(job.key)}
            for job in self.runner.progress(tab)
        ]
        status = {
            "view": view.to_dict(),
            "wanted": {name: short(slot.key(view)) for name, slot in wanted.items()},
            "works": {name: short(work) for name, work in works.items()},
            "jobs": jobs,
            "errors": errors,
            "failures": {name: failed.number for name, failed in found.items() if isinstance(failed, Failed)},
            "held": held,
            "pending": any(found[name] is None for name in works if name not in held),
        }
        return Delivery(payloads, status)

    def _collect(
        self, view: View, works: Mapping[str, Hashable], have: Mapping[str, str]
    ) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        payloads: dict[str, dict[str, Any]] = {}
        errors: dict[str, str] = {}
        for name, work in works.items():
            slot, found = SLOTS[name], self.runner.find(work)
            key = short(slot.key(view))
            if isinstance(found, Failed):
                errors[name] = str(found)
            elif found is not None and have.get(name) != key:
                try:
                    payloads[name] = self._payload(slot, key, found, view)
                except InterpError as error:
                    errors[name] = str(error)
                except Exception as error:  # one panel's fault is not to take the others with it
                    log.exception("%s cannot be shown", name)
                    errors[name] = f"this cannot be shown: {failure(error)}"
        return payloads, errors

    def _payload(self, slot: Slot, key: str, found: Any, view: View) -> dict[str, Any]:
        """A slot's content, made once for every tab that shows it."""
        with self._making:
            if key not in self._made:
                question = slot.question(view)
                assert question is not None
                python = q.snippet(question, self.model, view)
                python += slot.python(found, view) if slot.python else ""
                self._made[key] = {"key": key, "python": python, **slot.payload(found, view)}
                while len(self._made) > KEPT:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            return self._made[key]

    def _start(self, question: Question, view: View, tab: str) -> None:
        asked = view.only(question.uses)
        self.runner.submit(
            self._work_key(question, view),
            partial(question.run, self.model, asked),
            label=question.label,
            quick=question.quick,
            watcher=tab,
        )

    @staticmethod
    def _work_key(question: Question, view: View) -> Hashable:
        return (question.name, tuple(getattr(view, name) for name in question.uses))

    def _reason_to_wait(
        self, question: Question, view: View, work: str, stopped: Iterable[str], approved: Iterable[str]
    ) -> str:
        if work in set(approved):
            return ""
        if work in set(stopped):
            return f"Cancelled: {question.label}."
        letters = len(view.clean)  # a token has at least one
        if question.quick or question.runs(self.model, letters) * letters < MANY_TOKENS:
            return ""
        with self._text:
            tokens = len(self.model.encode(view.clean))
        runs = question.runs(self.model, tokens)
        if runs * tokens <= MANY_TOKENS:
            return ""
        return f"{question.label.capitalize()} takes {runs} runs over {tokens} tokens."

    # Exports

    def result(self, slot: str, view: View) -> Result:
        """The library's result behind a slot. Raises: InterpError if there is none or its work fails."""
        question = SLOTS[slot].question(view)
        if question is None:
            raise InterpError("there is nothing to export yet; choose first what this panel is about")
        if question is q.ANSWER:
            question, view = q.ABLATION, view.only(QUESTION)
        work = self._work_key(question, view)
        if not question.quick and self.runner.find(work) is None:
            raise InterpError(f"{question.label} has not ended yet; save this panel's file when it shows its result")
        run = partial(question.run, self.model, view.only(question.uses))
        found = self.runner.result(work, run, label=question.label)
        if not isinstance(found, Result):
            raise InterpError("this panel has no file of its own; copy its Python")
        return found

    def compared(self, view: View) -> dict[str, Relevance]:
        """The chosen methods' results, as far as they have been computed. Raises: InterpError if none has."""
        works = {name: self._work_key(q.RELEVANCE[name], view) for name in chosen(view)}
        found = {name: self.runner.find(work) for name, work in works.items()}
        ready = {name: result for name, result in found.items() if isinstance(result, Relevance)}
        if not ready:
            raise InterpError("no method has been computed yet; wait for one, or run one")
        return ready


def short(key: Hashable) -> str:
    """A short name for a key that the browser can compare."""
    return hashlib.blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

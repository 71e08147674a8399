"""The `grader` object of the notebooks: Otter's own, with feedback that beginners can read.

Otter takes seconds to import, so it is imported when a `Notebook` is made, and only then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deepmarks.checks.otter_case import last_checked, prepare
from deepmarks.checks.outcomes import QuestionRecord
from deepmarks.render import question_html, question_text, summary_html, summary_text
from deepmarks.render.html import note_html
from deepmarks.workbench.errors import CheckStopped, FolderError, WorkbenchError
from deepmarks.workbench.folders import Place, find_for_notebook
from deepmarks.workbench.handin import hand_in
from deepmarks.workbench.hints import hint_text, hint_title


class CheckResult:
    """One checked question, as a notebook shows it."""

    def __init__(self, question: QuestionRecord, otter: Any, traceback: bool = False) -> None:
        self.question = question
        self.otter = otter
        """Otter's own result, a `TestFile`."""
        self._traceback = traceback

    def __repr__(self) -> str:
        return question_text(self.question, traceback=self._traceback)

    def _repr_html_(self) -> str:
        return question_html(self.question, traceback=self._traceback)


class Summary:
    """All questions of an assignment, as a notebook shows them."""

    def __init__(self, questions: tuple[QuestionRecord, ...]) -> None:
        self.questions = questions

    def __repr__(self) -> str:
        return summary_text(self.questions)

    def _repr_html_(self) -> str:
        return summary_html(self.questions)


class Note:
    """A short message, as a notebook shows it."""

    def __init__(self, title: str, text: str) -> None:
        self.title = title
        self.text = text

    def __repr__(self) -> str:
        return f"{self.title}: {self.text}"

    def _repr_html_(self) -> str:
        return note_html(self.title, self.text)


class Notebook:
    """The student's `grader`: `check("q1")`, `check_all()`, `hint("q1")`, `submit()`.

    An instance is an `otter.Notebook` too, so Otter's log and plugins work. Raises FolderError if the assignment's
    files are not at hand; every WorkbenchError is shown as a sentence, without a traceback.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Notebook:
        """Import Otter, the first time."""
        return object.__new__(_with_otter() if cls is Notebook else cls)

    def __init__(self, slug: str) -> None:
        self._place = find_for_notebook(slug, _candidates())
        self._hints_given: dict[str, int] = {}
        notebook = self._place.folder / f"{slug}.ipynb"
        self._init_otter(str(notebook) if notebook.is_file() else None, str(self._place.folder / "tests"))

    def __repr__(self) -> str:
        assignment = self._place.assignment
        names = [question.name for question in assignment.questions]
        return f'{assignment.title} ({names[0]} to {names[-1]}): grader.check("{names[0]}") checks the first question.'

    def check(self, question: str, global_env: dict[str, Any] | None = None, *, traceback: bool = False) -> CheckResult:
        """Run the public checks of one question against the names of the notebook (or those in `global_env`).

        `traceback=True` shows the traceback of an exception in the student's code. Raises UnknownQuestionError, and
        CheckStopped if the student interrupts the kernel.
        """
        env = global_env if global_env is not None else _caller_names(sys._getframe(1).f_globals)
        name = self._place.question(question).name
        if not (self._place.folder / "tests" / f"{name}.py").is_file():
            raise FolderError(_incomplete(self._place, f"tests/{name}.py"))
        prepare(self._place.folder)
        try:
            otter = self._check_with_otter(name, env)
        except KeyboardInterrupt as interrupt:
            raise CheckStopped(_where_stopped(name, interrupt, env)) from interrupt
        try:
            return CheckResult(last_checked(), otter, traceback)
        except Exception as error:
            raise FolderError(_incomplete(self._place, "checks", str(error))) from error

    def check_all(self) -> Summary:
        """Check every question against the names of the notebook."""
        env = _caller_names(sys._getframe(1).f_globals)
        return Summary(tuple(self.check(q.name, env).question for q in self._place.assignment.questions))

    def hint(self, question: str, number: int | None = None) -> Note:
        """The next hint of a question, or hint `number`; hints go from a nudge to nearly the answer."""
        asked = self._place.question(question)
        count = len(asked.hints)
        wanted = min(self._hints_given.get(asked.name, 0) + 1, max(count, 1)) if number is None else number
        text = hint_text(asked, wanted)
        self._hints_given[asked.name] = wanted
        more = f'\nOne more? grader.hint("{asked.name}")' if wanted < count else "\nThis was the last one."
        return Note(hint_title(asked, wanted), text + more)

    def submit(self) -> Note:
        """Write `<slug>-submission.zip` beside the notebook and say what to hand in."""
        return Note("Hand in", hand_in(self._place).text("grader.submit()"))

    def export(self, *args: Any, **kwargs: Any) -> Note:
        """The same as `submit()`; Otter's arguments are accepted and not needed."""
        return self.submit()

    def _init_otter(self, notebook: str | None, tests: str) -> None:
        raise NotImplementedError

    def _check_with_otter(self, question: str, env: dict[str, Any]) -> Any:
        raise NotImplementedError


@cache
def _with_otter() -> type[Notebook]:
    """The class of every real `Notebook`: this one and Otter's."""
    import otter

    class OtterNotebook(Notebook, otter.Notebook):  # type: ignore[misc]
        def _init_otter(self, notebook: str | None, tests: str) -> None:
            otter.Notebook.__init__(self, notebook, tests)

        def _check_with_otter(self, question: str, env: dict[str, Any]) -> Any:
            return otter.Notebook.check(self, question, env)

        def _log_event(self, *args: Any, **kwargs: Any) -> None:
            try:
                super()._log_event(*args, **kwargs)
            except OSError:
                self._logger.debug("the log cannot be written")  # a read-only folder must not keep anybody from work

    OtterNotebook.__name__ = OtterNotebook.__qualname__ = "Notebook"
    return OtterNotebook


def _candidates() -> list[Path]:
    """Folders in which the notebook may lie: the current one, and what Jupyter or an editor says."""
    shell = _shell_names() or {}
    hints = [os.environ.get("JPY_SESSION_NAME"), shell.get("__vsc_ipynb_file__")]
    return [Path.cwd(), *(Path(hint).parent for hint in hints if isinstance(hint, str) and hint)]


def _shell_names() -> dict[str, Any] | None:
    """The names of the running IPython, if there is one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return None if shell is None else shell.user_ns


def _caller_names(frame_globals: dict[str, Any]) -> dict[str, Any]:
    names = _shell_names()
    return frame_globals if names is None else names


def _incomplete(place: Place, what: str, why: str = "") -> str:
    because = f" ({why})" if why else ""
    return (
        f"The assignment's {what} in {place.folder} is missing or damaged{because}.\n"
        "Unpack its zip once more into a new folder and put your notebook there."
    )


def _where_stopped(question: str, interrupt: BaseException, env: Mapping[str, Any]) -> str:
    """The sentence for an interrupted check, with the student's line that was running."""
    function, line = "", 0
    trace = interrupt.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals is env:
            code = trace.tb_frame.f_code
            function, line = code.co_name, trace.tb_lineno
        trace = trace.tb_next
    where = f" while {function} was at line {line} of its cell" if function and function != "<module>" else ""
    return (
        f"You stopped the check of {question}{where}.\n"
        "If it would not end by itself, look for a loop there whose condition never becomes false."
    )


__all__ = ["CheckResult", "Note", "Notebook", "Summary", "WorkbenchError"]

"""The language server: speaks the protocol over stdio. Texts are read on a thread of their own, the newest first."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types as lsp
from pygls import uris
from pygls.capabilities import get_capability
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from layerexplain import __version__
from layerexplain.child_processes import start
from layerexplain.editor.problems import Hint, Problem, hints, hover, kept_hints, problems
from layerexplain.editor.reading import (
    Cell,
    EditedText,
    Extent,
    Places,
    Reading,
    Settings,
    lines_of_editor,
    read_text,
    settings_of,
    text_of,
    unread,
)
from layerexplain.errors import LayerExplainError, lines_of, without_passwords
from layerexplain.frontends.code.reader import forget_programs
from layerexplain.records import grouped
from layerexplain.render.escape import clean
from layerexplain.render.quantities import count_text, plural
from layerexplain.stopping import Stop, go_on, stoppable

_Answer = TypeVar("_Answer")

# pygls ends lines at form feeds and other characters, too, where an editor counts none.
TextDocument.lines = property(lambda self: tuple(lines_of_editor(self.source)))  # type: ignore[assignment]

SHOW_PAGE = "layerexplain.showPage"
_PAGES = (Path(__file__).parent / "checks.md", Path(__file__).parents[2] / "docs" / "checks.md")
_DOCS = next((page.as_uri() for page in _PAGES if page.is_file()), "")
"""The address of what the docs beside the program say of the rules."""
_CELLS = lsp.NotebookDocumentFilterWithCells(cells=[lsp.NotebookCellLanguage("python")], notebook="*")


LONGEST = 30.0
"""Seconds that one state of a text may take; other texts wait for as long."""
_ENDING = 5.0
"""Seconds in which a page ends by itself."""


class Cancelled(Exception):
    """A newer text is there."""


class OpenText:
    """What is known of one text: its newest state, the tasks that read and check that, and what the last ones found."""

    read: asyncio.Task[None]
    check: asyncio.Task[None]
    hints: Sequence[Hint] = ()
    problems: Sequence[Problem] = ()

    def __init__(self, text: EditedText) -> None:
        self.newest = text
        self.reading = Reading(text, Places(text))

    def stop(self, text: EditedText) -> None:
        """Raise Cancelled where a text is not the newest any more."""
        if text is not self.newest:
            raise Cancelled


class Server(LanguageServer):
    """One server, with all texts that an editor has open and all pages that it shows."""

    def __init__(self) -> None:
        super().__init__("layerexplain", __version__, notebook_document_sync=lsp.NotebookDocumentSyncOptions([_CELLS]))
        self.settings = Settings()
        self.shown: dict[str, OpenText] = {}
        self.pages: dict[str, tuple[subprocess.Popen[str], str]] = {}
        self.has_ended = False
        self.turn = asyncio.Lock()
        self.worker, self.page_starter = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def text(self, uri: str) -> EditedText:
        """Return a file or a notebook as it is now."""
        document, notebook = self.workspace.get_text_document, self.workspace.get_notebook_document(notebook_uri=uri)
        path, is_code = uris.to_fs_path(uri) or uri, lsp.NotebookCellKind.Code
        if notebook is None:
            return text_of(uri, path, [Cell(uri, document(uri).source)], document(uri).version)
        cells = [(cell.document, document(cell.document).source, cell.kind == is_code) for cell in notebook.cells]
        return text_of(uri, path, [Cell(*cell) for cell in cells])

    def renew(self, uri: str) -> None:
        """Read a text anew, in the background, and then check it; what is done with an older one ends."""
        text = self.text(uri)
        shown = self.shown.setdefault(uri, OpenText(text))
        shown.newest = text
        shown.read = asyncio.ensure_future(self._read(shown, text))
        shown.check = asyncio.ensure_future(self._check(shown, text, shown.read))

    def close(self, uri: str) -> None:
        """Forget a text, and take its problems back."""
        if (shown := self.shown.pop(uri, None)) is not None:
            shown.newest = shown.newest._replace(version=None)
            self._publish(shown.newest, [])

    async def _read(self, shown: OpenText, text: EditedText) -> None:
        settings = self.settings
        stop = partial(shown.stop, text)
        reading = await self.computed(partial(read_text, text, settings), text.path, stop, partial(unread, text))
        if reading is None or text is not shown.newest:
            return
        before, kept = shown.hints, kept_hints(shown.hints, shown.reading.text, reading)
        shown.reading, shown.hints = reading, [*hints(reading, settings), *kept]
        for kind in ("inlay_hint", "code_lens") if before != shown.hints else ():
            if get_capability(self.client_capabilities, f"workspace.{kind}.refresh_support"):
                getattr(self, f"workspace_{kind}_refresh")(None)

    async def _check(self, shown: OpenText, text: EditedText, read: asyncio.Task[None]) -> None:
        await asyncio.gather(read, asyncio.sleep(0.2))  # seconds, in which the next keystroke finds the worker free
        reading, result = shown.reading, None
        if reading.text is text and reading.gaps != frozenset(text.cells):
            result = await self.computed(
                partial(problems, reading),
                text.path,
                partial(shown.stop, text),
                lambda line: problems(unread(text, line)),
            )
        if result is not None:
            shown.problems = result
            self._publish(text, result)

    async def computed(
        self,
        make: Callable[[], _Answer],
        source: str = "",
        stop: Stop = go_on,
        otherwise: Callable[[str], _Answer | None] = lambda _: None,
    ) -> _Answer | None:
        """Return what is computed on the thread of the readings; whatever fails there ends nothing and is logged, and
        the answer is what `otherwise` gives for its line."""
        try:
            async with self.turn:
                return await self._in_time(make, stop)
        except Cancelled:
            forget_programs()
            return None
        # The boundary of one state of a text: whatever is wrong with it, the next one is read.
        except Exception as error:
            line = " ".join([clean(item) for item in lines_of(error, source or None)])
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, line))
            sys.stderr.write(f"layerexplain: {line}\n")
            return otherwise(line.removeprefix(f"{source}: "))

    async def _in_time(self, make: Callable[[], _Answer], stop: Stop) -> _Answer:
        """Return what is computed. What takes too long is left to its thread, and others get a new one."""
        if self.has_ended:
            raise Cancelled
        is_late = False

        def stop_or_go_on() -> None:
            if is_late or self.has_ended:
                raise Cancelled
            stop()

        work = partial(stoppable, stop_or_go_on, make)
        future = asyncio.get_running_loop().run_in_executor(self.worker, work)
        done, _ = await asyncio.wait([future], timeout=LONGEST)
        if not done:
            is_late = True
            self.worker.shutdown(wait=False)
            self.worker = ThreadPoolExecutor(1)
            forget_programs()
            future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody waits for it
            raise LayerExplainError(f"not read: it takes more than {LONGEST:g} s")
        return future.result()

    def range(self, text: EditedText, span: Extent) -> lsp.Range:
        """Return a part of a text in the units of the editor."""
        start, end = lsp.Position(span.line, span.column), lsp.Position(span.end_line, span.end_column)
        return self.workspace.position_codec.range_to_client_units(text.cells[span.cell].lines, lsp.Range(start, end))

    def _publish(self, text: EditedText, wrong: Sequence[Problem]) -> None:
        for name, cell in text.cells.items():
            own = [self.diagnostic(text, problem) for problem in wrong if problem.span.cell == name]
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(cell.uri, own, text.version))

    def diagnostic(self, text: EditedText, problem: Problem) -> lsp.Diagnostic:
        """Return a problem as an editor takes it."""
        at = [(lsp.Location(text.cells[at.cell].uri, self.range(text, at)), words) for at, words in problem.related]
        docs = f"{self.settings.docs.rstrip('/')}/checks.md" if self.settings.docs else _DOCS
        return lsp.Diagnostic(
            self.range(text, problem.span), problem.message, lsp.DiagnosticSeverity(problem.severity),
            problem.code or None,
            lsp.CodeDescription(f"{docs}#{problem.code}") if docs and problem.code else None, "layerexplain",
            related_information=[lsp.DiagnosticRelatedInformation(*each) for each in at] or None,
        )  # fmt: skip

    def address_of_page(self, path: str, request: str) -> str | None:
        """Start `view` on a model of a file as it was saved, once; return its address, None where it shows nothing."""
        source = f"{path}:{request}" if request else path
        process, address = self.pages.get(source, (None, ""))
        if process is None or process.poll() is not None:
            arguments = ("view", "--no-browser", "--until-input-ends", source)
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            process = start("layerexplain.__main__", *arguments, **streams)
            self.pages[source] = process, ""
            if self.has_ended:
                self.end()
            address = process.stdout.readline().strip() if process.stdout is not None else ""
            self.pages[source] = process, address
        return address or None

    def end(self) -> None:
        """End all that this server has started. A page ends when its input does, also where this process is killed."""
        self.has_ended = True
        self.worker.shutdown(wait=False, cancel_futures=True)
        processes = [process for process, _ in list(self.pages.values())]
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in processes:
            try:
                process.wait(_ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _inlay_hints(ls: Server, shown: OpenText, text: EditedText, cell: str, params: Any) -> list[lsp.InlayHint]:
    lines = range(params.range.start.line, params.range.end.line + 1)
    own = [hint for hint in shown.hints if hint.cell == cell and hint.line in lines]
    ends = [ls.range(text, text.whole_line(cell, hint.line)).end for hint in own]
    return [lsp.InlayHint(at, hint.label, None, None, hint.tooltip, True) for at, hint in zip(ends, own, strict=True)]


def _hover(ls: Server, shown: OpenText, text: EditedText, cell: str, params: Any) -> lsp.Hover | None:
    at = ls.workspace.position_codec.position_from_client_units(text.cells[cell].lines, params.position)
    result = hover(shown.reading, cell, at.line, at.character)
    return result and lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, result[1]), ls.range(text, result[0]))


def _actions(ls: Server, shown: OpenText, text: EditedText, cell: str, params: Any) -> list[lsp.CodeAction]:
    own = [(problem, *fix) for problem in shown.problems if problem.span.cell == cell for fix in problem.fixes.items()]
    results: list[lsp.CodeAction] = []
    for problem, title, changes in own:
        if problem.span.line <= params.range.end.line and params.range.start.line <= problem.span.end_line:
            edits = [(text.cells[span.cell].uri, lsp.TextEdit(ls.range(text, span), new)) for span, new in changes]
            kind, of, edit = (
                lsp.CodeActionKind.QuickFix,
                [ls.diagnostic(text, problem)],
                lsp.WorkspaceEdit(grouped(edits)),
            )
            results.append(lsp.CodeAction(title, kind, of, title == next(iter(problem.fixes)), edit=edit))
    return results


def _lenses(ls: Server, shown: OpenText, text: EditedText, cell: str, params: Any) -> list[lsp.CodeLens]:
    results: list[lsp.CodeLens] = []
    for model in shown.reading.models:
        totals, at = model.report.totals, ls.range(text, model.span.start)
        words = plural(len(model.report.layers), "layer"), f"{count_text(totals.params)} parameters"
        about = lsp.Command(" · ".join([*words, f"{count_text(totals.macs)} MACs"]), "")
        page = lsp.Command("show page", SHOW_PAGE, arguments=[without_passwords(text.path), model.request])
        results += [lsp.CodeLens(at, each) for each in (about, page) if model.span.cell == cell]
    return results


async def _answer(ls: Server, params: Any, make: Callable[..., Any]) -> Any:
    """Return an answer on the newest text, as soon as it is read."""
    asked = params.text_document.uri
    notebook = ls.workspace.get_notebook_document(cell_uri=asked)
    shown = ls.shown.get(asked if notebook is None else notebook.uri)
    while shown and not (task := shown.check if make is _actions else shown.read).done():
        await asyncio.wait([task])
    for name, cell in shown.reading.text.cells.items() if shown else ():
        if shown and cell.uri == asked:
            answer = partial(make, ls, shown, shown.reading.text, name, params)
            return await ls.computed(answer) if make is _hover else answer()
    return None


def make_server() -> Server:
    """Return a server with all that it answers."""
    server = Server()
    fixes = lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix])
    server.feature(lsp.TEXT_DOCUMENT_INLAY_HINT)(partial(_answer, make=_inlay_hints))
    server.feature(lsp.TEXT_DOCUMENT_HOVER)(partial(_answer, make=_hover))
    server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, fixes)(partial(_answer, make=_actions))
    server.feature(lsp.TEXT_DOCUMENT_CODE_LENS)(partial(_answer, make=_lenses))

    @server.feature(lsp.INITIALIZE)
    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configure(ls: Server, params: Any) -> None:
        sent = getattr(params, "settings", None) or getattr(params, "initialization_options", None)
        ls.settings = settings_of(sent, ls.settings)
        for uri in ls.shown:
            ls.renew(uri)

    for kind in ("text_document", "notebook_document"):
        uri, method = attrgetter(f"{kind}.uri"), kind.replace("_d", "D")
        for name in ("didOpen", "didChange"):
            server.feature(f"{method}/{name}")(lambda ls, params, uri=uri: ls.renew(uri(params)))
        server.feature(f"{method}/didClose")(lambda ls, params, uri=uri: ls.close(uri(params)))

    @server.command(SHOW_PAGE)
    async def show_page(ls: Server, path: str, request: str) -> str | None:
        starting = partial(ls.address_of_page, path, request)
        address = await asyncio.get_running_loop().run_in_executor(ls.page_starter, starting)
        if address and get_capability(ls.client_capabilities, "window.show_document.support"):
            ls.window_show_document(lsp.ShowDocumentParams(address, external=True))
        return address

    @server.feature(lsp.SHUTDOWN)
    def shutdown(ls: Server, params: Any) -> None:
        ls.end()

    return server

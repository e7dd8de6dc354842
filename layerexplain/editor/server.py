"""The language server: speaks the protocol over stdio. Texts are read on a thread of their own, the newest first."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types as lsp
from pygls import uris
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from layerexplain import __version__
from layerexplain.editor.hints import Hint, hints, kept_hints
from layerexplain.editor.hovers import hover
from layerexplain.editor.problems import Problem, problems
from layerexplain.editor.reading import Reading, read_text
from layerexplain.editor.settings import Settings, settings_of
from layerexplain.editor.texts import Cell, EditedText, Extent, lines_of_editor, text_of
from layerexplain.errors import lines_of
from layerexplain.render.escape import clean
from layerexplain.render.quantities import count_text, plural

_Answer = TypeVar("_Answer")

# pygls ends lines at form feeds and other characters, too, where an editor counts none.
TextDocument.lines = property(lambda self: tuple(lines_of_editor(self.source)))  # type: ignore[assignment]

SHOW_PAGE = "layerexplain.showPage"
_CELLS = lsp.NotebookDocumentFilterWithCells(cells=[lsp.NotebookCellLanguage("python")], notebook="*")


class Cancelled(Exception):
    """A newer text is there."""


class OpenText:
    """What is known of one text: the last reading of it, its hints and its problems. Of the newest text the tasks
    `read` and `check` find them."""

    def __init__(self) -> None:
        self.number = 0
        self.read: asyncio.Task[None] | None = None
        self.check: asyncio.Task[None] | None = None
        self.reading: Reading | None = None
        self.hints: list[Hint] = []
        self.problems: list[Problem] = []

    def stop(self, number: int) -> None:
        """Raise Cancelled where the text of this number is not the newest any more."""
        if number != self.number:
            raise Cancelled


class Server(LanguageServer):
    """One server, with all texts that an editor has open and all pages that it shows."""

    def __init__(self) -> None:
        super().__init__("layerexplain", __version__, notebook_document_sync=lsp.NotebookDocumentSyncOptions([_CELLS]))
        self.settings = Settings()
        self.shown: dict[str, OpenText] = {}
        self.pages: dict[str, tuple[subprocess.Popen[str], str]] = {}
        self.worker = ThreadPoolExecutor(1)

    def text(self, uri: str) -> EditedText:
        """Return a file or a notebook as it is now."""
        path = uris.to_fs_path(uri) or uri
        notebook = self.workspace.get_notebook_document(notebook_uri=uri)
        if notebook is None:
            document = self.workspace.get_text_document(uri)
            return text_of(uri, path, [Cell(uri, document.source)], document.version)
        sources = [(cell, self.workspace.get_text_document(cell.document).source) for cell in notebook.cells]
        cells = [Cell(cell.document, source, cell.kind == lsp.NotebookCellKind.Code) for cell, source in sources]
        return text_of(uri, path, cells)

    def renew(self, uri: str) -> None:
        """Read a text anew, in the background, and then check it; what is done with an older one ends."""
        shown = self.shown.setdefault(uri, OpenText())
        shown.number += 1
        stop = partial(shown.stop, shown.number)
        shown.read = asyncio.ensure_future(self._read(uri, shown, stop))
        shown.check = asyncio.ensure_future(self._check(shown, shown.read, stop))

    def close(self, uri: str) -> None:
        """Forget a text, and take its problems back."""
        shown = self.shown.pop(uri, OpenText())
        shown.number += 1
        if shown.reading is not None:
            self._publish(shown.reading.text._replace(version=None), [])

    async def _read(self, uri: str, shown: OpenText, stop: partial[None]) -> None:
        text, settings = self.text(uri), self.settings
        reading = await self.computed(lambda: read_text(text, settings, stop), text.path)
        if reading is None or shown.number != stop.args[0]:
            return
        before, was = shown.hints, shown.reading
        shown.reading, shown.hints = reading, hints(reading, settings)
        shown.hints += kept_hints(before, was.text, text, reading.gaps) if was is not None else []
        asks = self.client_capabilities.workspace
        if before != shown.hints and asks and asks.inlay_hint and asks.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)
        if before != shown.hints and asks and asks.code_lens and asks.code_lens.refresh_support:
            self.workspace_code_lens_refresh(None)

    async def _check(self, shown: OpenText, read: asyncio.Task[None], stop: partial[None]) -> None:
        await read
        reading = shown.reading
        if reading is None or reading.gaps == frozenset(reading.text.cells):
            return
        found = await self.computed(lambda: problems(reading, stop), reading.text.path)
        if found is not None:
            shown.problems = found
            self._publish(reading.text, found)

    async def computed(self, make: Callable[[], _Answer], source: str | None = None) -> _Answer | None:
        """Return what is computed on the thread of the readings; whatever fails there ends nothing and is logged."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.worker, make)
        except Cancelled:
            return None
        # The boundary of one state of a text: whatever is wrong with it, the next one is read.
        except Exception as error:
            line = " ".join([clean(one) for one in lines_of(error, source)])
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, line))
            sys.stderr.write(f"layerexplain: {line}\n")
            return None

    def range(self, text: EditedText, span: Extent) -> lsp.Range:
        """Return a part of a text in the units of the editor."""

        def at(line: int, column: int) -> lsp.Position:
            before = text.line(span.cell, line)[:column]
            return lsp.Position(line, self.workspace.position_codec.client_num_units(before))

        return lsp.Range(at(span.line, span.column), at(span.end_line, span.end_column))

    def _publish(self, text: EditedText, wrong: Iterable[Problem]) -> None:
        for name, cell in text.cells.items():
            own = [self.diagnostic(text, one) for one in wrong if one.span.cell == name]
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(cell.uri, own, text.version))

    def diagnostic(self, text: EditedText, one: Problem) -> lsp.Diagnostic:
        """Return a problem as an editor takes it."""
        related = [
            lsp.DiagnosticRelatedInformation(lsp.Location(text.cells[at.cell].uri, self.range(text, at)), words)
            for at, words in one.related
        ]
        page = _page_of_rule(one.code, self.settings.docs)
        return lsp.Diagnostic(
            self.range(text, one.span), one.message, lsp.DiagnosticSeverity(one.severity), one.code or None,
            lsp.CodeDescription(page) if page else None, "layerexplain", related_information=related or None,
        )  # fmt: skip


def _page_of_rule(code: str, docs: str) -> str | None:
    """Return the address of what the docs say of a rule: in the docs that are set, else beside the program."""
    here = Path(__file__).parent
    pages = [here / "checks.md", here.parents[1] / "docs" / "checks.md"]
    found = f"{docs.rstrip('/')}/checks.md" if docs else next((one.as_uri() for one in pages if one.is_file()), None)
    return f"{found}#{code}" if found and code else None


def _inlay_hints(
    ls: Server, shown: OpenText, text: EditedText, cell: str, params: lsp.InlayHintParams
) -> list[lsp.InlayHint]:
    first, last = params.range.start.line, params.range.end.line
    return [
        lsp.InlayHint(
            ls.range(text, text.whole_line(cell, one.line)).end, one.label, tooltip=one.tooltip, padding_left=True
        )
        for one in shown.hints
        if one.cell == cell and first <= one.line <= last
    ]


def _hover(ls: Server, shown: OpenText, text: EditedText, cell: str, params: lsp.HoverParams) -> lsp.Hover | None:
    at = ls.workspace.position_codec.position_from_client_units(text.cells[cell].lines, params.position)
    found = shown.reading and hover(shown.reading, cell, at.line, at.character)
    return found and lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, found[1]), ls.range(text, found[0]))


def _actions(
    ls: Server, shown: OpenText, text: EditedText, cell: str, params: lsp.CodeActionParams
) -> list[lsp.CodeAction]:
    first, last = params.range.start.line, params.range.end.line
    found: list[lsp.CodeAction] = []
    for one in shown.problems:
        for fix in one.fixes if one.span.cell == cell and one.span.line <= last and first <= one.span.end_line else ():
            changes: dict[str, list[lsp.TextEdit]] = {}
            for span, new in fix.changes:
                changes.setdefault(text.cells[span.cell].uri, []).append(lsp.TextEdit(ls.range(text, span), new))
            kind, of = lsp.CodeActionKind.QuickFix, [ls.diagnostic(text, one)]
            edit = lsp.WorkspaceEdit(changes=dict(changes))
            found.append(lsp.CodeAction(fix.title, kind, of, fix is one.fixes[0], edit=edit))
    return found


def _lenses(ls: Server, shown: OpenText, text: EditedText, cell: str, params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
    found: list[lsp.CodeLens] = []
    for one in shown.reading.models if shown.reading is not None else ():
        totals, at = one.report.totals, ls.range(text, one.span).start
        words = plural(len(one.report.layers), "layer"), f"{count_text(totals.params)} parameters"
        about = lsp.Command(" · ".join([*words, f"{count_text(totals.macs)} MACs"]), "")
        page = lsp.Command("show page", SHOW_PAGE, arguments=[text.path, one.request])
        found += [lsp.CodeLens(lsp.Range(at, at), each) for each in (about, page) if one.span.cell == cell]
    return found


_ANSWERS: dict[str, tuple[Callable[..., Any], Any]] = {
    lsp.TEXT_DOCUMENT_INLAY_HINT: (_inlay_hints, None),
    lsp.TEXT_DOCUMENT_HOVER: (_hover, None),
    lsp.TEXT_DOCUMENT_CODE_ACTION: (_actions, lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix])),
    lsp.TEXT_DOCUMENT_CODE_LENS: (_lenses, None),
}


async def _answer(ls: Server, params: Any, make: Callable[..., Any]) -> Any:
    """Return an answer on the newest text, as soon as it is read."""
    asked = params.text_document.uri
    notebook = ls.workspace.get_notebook_document(cell_uri=asked)
    shown = ls.shown.get(asked if notebook is None else notebook.uri, OpenText())
    while waits := [one for one in (shown.read, shown.check if make is _actions else None) if one and not one.done()]:
        await asyncio.wait(waits)
    text = shown.reading.text if shown.reading is not None else None
    cell = next((name for name, one in text.cells.items() if one.uri == asked), None) if text is not None else None
    if cell is None or make is not _hover:
        return None if cell is None else make(ls, shown, text, cell, params)
    return await ls.computed(lambda: make(ls, shown, text, cell, params))


def _address_of_page(ls: Server, path: str, request: str) -> str | None:
    """Start `view` on a model of a file as it was saved, once; return its address, None where it cannot be shown."""
    source = f"{path}:{request}" if request else path
    process, address = ls.pages.get(source, (None, None))
    if process is None or process.poll() is not None:
        command = [sys.executable, "-m", "layerexplain", "view", "--no-browser", source]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603
        address = process.stdout.readline().strip() if process.stdout is not None else ""
        ls.pages[source] = process, address
    return address or None


def make_server() -> Server:
    """Return a server with all that it answers."""
    server = Server()
    for name, (make, options) in _ANSWERS.items():

        async def answer(ls: Server, params: Any, make: Callable[..., Any] = make) -> Any:
            return await _answer(ls, params, make)

        server.feature(name, options)(answer)

    @server.feature(lsp.INITIALIZE)
    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configure(ls: Server, params: Any) -> None:
        sent = getattr(params, "settings", None) or getattr(params, "initialization_options", None)
        ls.settings = settings_of(sent, ls.settings)
        for uri in ls.shown:
            ls.renew(uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_OPEN)
    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def change(ls: Server, params: Any) -> None:
        ls.renew((getattr(params, "text_document", None) or params.notebook_document).uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def close(ls: Server, params: Any) -> None:
        ls.close((getattr(params, "text_document", None) or params.notebook_document).uri)

    @server.command(SHOW_PAGE)
    async def show_page(ls: Server, path: str, request: str = "") -> str | None:
        address = await ls.computed(lambda: _address_of_page(ls, path, request))
        window = ls.client_capabilities.window
        if address and window and window.show_document and window.show_document.support:
            ls.window_show_document(lsp.ShowDocumentParams(address, external=True))
        return address

    @server.feature(lsp.SHUTDOWN)
    def shutdown(ls: Server, params: Any) -> None:
        for process, _ in ls.pages.values():
            process.terminate()
            process.communicate()
        ls.worker.shutdown(wait=False, cancel_futures=True)

    return server

"""What a process keeps for good is bounded: an editor reads programs, and a catalogue files, for days."""

import ast
from collections.abc import Iterator

from layerexplain.frontends.code.library.keras_names import inside_keras, resolve_keras_name
from tests.support.paths import ROOT

UNBOUNDED = {
    "derive/gist.py:_parts": "gists of declarations",
    "frontends/code/pasted_errors.py:_compiled": "wordings of the table of messages",
    "frontends/code/library/signatures.py:read_signature": "signatures of the tables",
    "frontends/code/library/signatures.py:text_of": "tables of signatures",
    "frontends/code/machine/parts.py:handler_name": "kinds of Python's statements",
    "frontends/hugging_face/architecture.py:architecture": "architectures of the table",
    "frontends/hugging_face/architecture.py:declarations": "architectures of the table, in dtypes",
    "frontends/hugging_face/keys.py:_keys_read": "formulas of the table",
    "frontends/hugging_face/keys.py:expression_of": "expressions of the table",
    "frontends/hugging_face/keys.py:tree_of": "formulas of the table",
    "layers/index.py:_modules": "prefixes of the table",
    "layers/operation_table.py:rows_by_name": "tables of operations",
    "layers/registry.py:declare_once": "declarations of the package",
    "render/page/shell.py:script": "scripts of the package",
    "render/page/shell.py:styles": "style sheets of the package",
}
"""Functions with a cache that has no bound, and what their few arguments are."""

CACHES = (
    "@cache\ndef f(): ...\n@cache\ndef g(x): ...\n@functools.cache\ndef h(*x): ...\n@lru_cache(None)\ndef i(*, x): ...\n"
    "@lru_cache(maxsize=None)\ndef j(x): ...\n@lru_cache(9)\ndef k(x): ...\n@lru_cache(maxsize=9)\ndef l(x): ...\n"
    "@functools.lru_cache(None)\ndef m(x): ...\n@lru_cache\ndef n(x): ...\ndef o(x): ...\n"
)


def unbounded(text: str) -> Iterator[str]:
    """Yield the names of the functions of a module that keep any number of results."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and any(vars(node.args).values()):
            decorators = {ast.unparse(one).removeprefix("functools.") for one in node.decorator_list}
            if decorators & {"cache", "lru_cache(None)", "lru_cache(maxsize=None)"}:
                yield node.name


def test_every_way_of_keeping_results_without_a_bound_is_seen() -> None:
    assert [*unbounded(CACHES)] == ["g", "h", "i", "j", "m"]


def test_only_few_arguments_are_kept_without_a_bound() -> None:
    package = ROOT / "layerexplain"
    found = {
        f"{path.relative_to(package).as_posix()}:{name}"
        for path in package.rglob("*.py")
        if "cache" in (text := path.read_text(encoding="utf-8"))
        for name in unbounded(text)
    }
    assert found == UNBOUNDED.keys()


def test_names_of_programs_do_not_fill_the_memory() -> None:
    for number in range(2000):
        path = f"keras.layers.Own{number}"
        assert inside_keras(path) == f"layers.Own{number}"
        resolve_keras_name(path)
    assert inside_keras.cache_info().currsize <= 1000
    assert resolve_keras_name.cache_info().currsize <= 1000

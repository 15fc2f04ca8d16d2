"""What the comments of signatures say, for the API pages: shapes and units of arguments, results and fields.

The code says them where the eye is, behind each argument; documentation tools drop comments. This extension of griffe,
which reads the code for mkdocstrings, hands them on as if they stood in the docstrings.
"""

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> (?:.+\n)+", re.MULTILINE)


class SignatureComments(griffe.Extension):
    """Adds the comments of functions' signatures and of fields to what the API pages show."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Show examples as code."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub("```pycon\n\\g<0>```\n", obj.docstring.value + "\n").rstrip()

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Add the comments behind arguments as their descriptions, the one behind the result as its own."""
        if func.docstring is None or "#" not in func.source:
            return
        tree = ast.parse(dedent(func.source)).body[0]
        assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
        comments = _comments(dedent(func.source), tree.body[0].lineno)
        arguments = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
        names: dict[int, list[str]] = {}
        for argument in arguments:
            names.setdefault(argument.end_lineno or argument.lineno, []).append(argument.arg)
        described = {names[line][0]: text for line, text in comments.items() if line in names and line != tree.lineno}
        others = [text for line, text in comments.items() if line not in names or line == tree.lineno]
        func.docstring.value = _with_arguments(func.docstring.value, described, others)

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the comments behind fields as the section `Attributes:`."""
        if cls.docstring is None:
            return
        fields = {name: text for name, field in cls.attributes.items() if (text := _field_comment(field))}
        if fields:
            section = "".join(f"    {name}: {text}\n" for name, text in fields.items())
            cls.docstring.value = f"{cls.docstring.value.rstrip()}\n\nAttributes:\n{section}"

    def on_module(self, *, mod: griffe.Module, **_: Any) -> None:
        """Name the file as the repository does, not by the links through which editors find it."""
        if isinstance(mod.filepath, Path):
            lines, real = mod.lines_collection[mod.filepath], mod.filepath.resolve()
            mod.lines_collection[real] = lines
            mod._filepath = real


def _field_comment(field: griffe.Attribute | griffe.Alias) -> str | None:
    """Return the comment behind a field that has no docstring and stands on one line."""
    if field.is_alias or field.docstring is not None or "\n" in field.source or "#" not in field.source:
        return None
    return _comments(field.source.strip(), 2).get(1)


def _comments(source: str, end: int) -> dict[int, str]:
    """Return the comments before line `end` that stand behind code, by their lines, without remarks to linters."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.start[0] >= end:
            break
        text = token.string.lstrip("# ")
        behind = token.line[: token.start[1]].strip()
        if token.type == tokenize.COMMENT and behind and not text.startswith(("noqa", "type:")):
            found[token.start[0]] = text
    return found


def _with_arguments(docstring: str, described: dict[str, str], others: Sequence[str]) -> str:
    """Return a docstring with descriptions of arguments in its section `Args:`, and the other comments as sentences."""
    text, _, known = docstring.partition("\nArgs:\n")
    new = ""
    for name, comment in described.items():
        if f"    {name}: " in known:
            known = known.replace(f"    {name}: ", f"    {name}: {comment}; ", 1)
        else:
            new += f"    {name}: {comment}\n"
    sentences = [f"Shapes: {comment}." if "->" in comment else f"Result: {comment}." for comment in others]
    body = "\n\n".join([text.rstrip("\n"), *sentences])
    return f"{body}\n\nArgs:\n{new}{known}" if new or known else body

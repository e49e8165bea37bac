"""YAML as plain text: no aliases, no tags, no guessing of types, and the line of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from understudy.errors import ConfigError
from understudy.tables import text_of

_MOST_BYTES = 1_000_000
_MOST_DEPTH = 20
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Place = tuple[str | int, ...]
"""Keys and indices from a document's root to a value."""


@dataclass(frozen=True)
class Document:
    """A file's content and where in the file each value begins.

    Attributes
    ----------
    name:
        The file, as messages name it.
    tree:
        Dicts, lists, and every scalar as the text that was typed; ``None`` for an empty, unquoted value.
    lines:
        Path of a value to its line. Empty for a document that was not read from a file.
    """

    name: str
    tree: Any
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """Line of a value, or of the nearest parent that has one; 0 if the document is not from a file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)

    def where(self, place: Place = ()) -> str:
        """The place of a value, as a person would say it."""
        keys = ".".join(str(key) for key in place)
        line = self.line(place)
        return f"{self.name}{f', line {line}' if line else ''}{f' ({keys})' if keys else ''}"


def read_document(path: Path, what: str, *, name: str | None = None) -> Document:
    """Read a YAML file.

    Parameters
    ----------
    path:
        The file, at most 1 MB and 20 levels deep.
    what:
        What the file is, for messages: ``"list of talents"``.
    name:
        How messages name the file; its path unless given.

    Raises
    ------
    ConfigError
        Naming file and line, if the file cannot be read, is not YAML, or holds an anchor, alias, tag,
        duplicate key, a key that is not text, more than one document, or too many levels.
    """
    text = text_of(path, what, _MOST_BYTES)
    reader = _Reader(name or str(path))
    try:
        for event in yaml.parse(text, Loader=_Parser):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"the {what} is not YAML: {error.problem or error.context}",
            where=f"{reader.name}{line}",
            fix="check indentation, colons and quotes there",
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(
            f"the {what} is not YAML: {' '.join(str(error).split())}",
            where=reader.name,
            fix="save it as UTF-8 text",
        ) from None
    return Document(reader.name, reader.tree, reader.lines)


class _Reader:
    """Builds the tree from parser events, so that nothing is built from what is refused."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tree: Any = None
        self.lines: dict[Place, int] = {}
        self._open: list[tuple[Place, dict[str, Any] | list[Any]]] = []
        self._key: list[str | None] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._refusal(
                    "a second document begins here", line, "keep one document per file: delete the ---"
                )
        elif isinstance(event, yaml.AliasEvent):
            raise self._refusal(
                f"alias *{event.anchor}", line, "aliases are not used here: write the value out"
            )
        elif isinstance(event, yaml.ScalarEvent):
            self._check(event, line)
            empty = event.implicit[0] and event.value in ("", "~", "null")
            if self._awaits_key():
                self._name(event.value, line)
            else:
                self._put(None if empty else event.value, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._check(event, line)
            if self._awaits_key():
                raise self._refusal("a key that is a list or a mapping", line, "keys are plain text")
            if len(self._open) == _MOST_DEPTH:
                raise self._refusal(
                    f"more than {_MOST_DEPTH} levels", line, "nothing here is nested that deep"
                )
            inner: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            path = self._put(inner, line)
            self._open.append((path, inner))
            self._key.append(None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._key.pop()

    def _refusal(self, what: str, line: int, fix: str) -> ConfigError:
        return ConfigError(what, where=f"{self.name}, line {line}", fix=fix)

    def _check(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None:
            raise self._refusal(
                f"anchor &{event.anchor}", line, "anchors are not used here: write the value out"
            )
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise self._refusal(f"tag {tag}", line, "tags are not used here: delete it")

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][1], dict) and self._key[-1] is None

    def _name(self, key: str, line: int) -> None:
        path, inner = self._open[-1]
        if key in inner:
            before = self.lines[(*path, key)]
            raise self._refusal(
                f"key {key!r} stands twice (first in line {before})", line, "delete one of them"
            )
        self._key[-1] = key
        self.lines[(*path, key)] = line

    def _put(self, value: Any, line: int) -> Place:
        if not self._open:
            self.tree = value
            self.lines[()] = line
            return ()
        path, inner = self._open[-1]
        if isinstance(inner, list):
            place: Place = (*path, len(inner))
            inner.append(value)
        else:
            key = self._key[-1]
            assert key is not None
            place = (*path, key)
            inner[key] = value
            self._key[-1] = None
        self.lines.setdefault(place, line)
        return place

"""The JSON Schemas under ``config/schemas``: what each file may hold, its types and its defaults."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from understudy.errors import ConfigError
from understudy.show.document import Document, Place
from understudy.show.settings import copy
from understudy.tables import nearest

_FOLDER = Path(__file__).resolve().parents[3] / "config" / "schemas"
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")


@cache
def schema(name: str) -> dict[str, Any]:
    """One of the schemas, with every ``$ref`` to another file replaced by that file's content.

    Parameters
    ----------
    name:
        ``config``, ``talent``, ``looks``, ``settings``, ``shots``, ``overrides``, ``models`` and the like.
    """
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = _inline(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    return loaded


def _inline(node: Any) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            return schema(node["$ref"].removesuffix(".yaml"))
        return {key: _inline(value) for key, value in node.items()}
    return [_inline(item) for item in node] if isinstance(node, list) else node


def defaults(of: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that a schema of an object declares, at every depth (keys without one are left out)."""
    result = {}
    for key, below in of.get("properties", {}).items():
        if "default" in below:
            result[key] = copy(below["default"])
        elif below.get("type") == "object" and "properties" in below and not below.get("required"):
            result[key] = defaults(below)
    return result


def filled(value: Any, of: Mapping[str, Any]) -> Any:
    """A conforming value with the defaults of all keys that it leaves out, at every depth that it reaches."""
    if isinstance(value, dict):
        known = of.get("properties", {})
        rest = of.get("additionalProperties") or {}
        given = {key: filled(item, known.get(key, rest)) for key, item in value.items()}
        return {key: copy(below["default"]) for key, below in known.items() if "default" in below} | given
    if isinstance(value, list):
        return [filled(item, of.get("items", {})) for item in value]
    return value


def conform(document: Document, name: str) -> Any:
    """A document's content with the types its schema declares, checked; defaults are not filled in.

    Scalars become numbers and booleans only where the schema says so: everything else stays the text it was.

    Parameters
    ----------
    document:
        A file's content, or a configuration that was parsed by others.
    name:
        The schema, as for `schema`.

    Raises
    ------
    ConfigError
        Naming the place of the first value that does not conform, and what may stand there.
    """
    value = _typed(document.tree, schema(name), document, ())
    errors = [_words(error) for error in _validator(name).iter_errors(value)]
    if errors:
        what, fix, place = min(errors, key=lambda error: document.line(error[2]))
        raise ConfigError(what, where=document.where(place), fix=fix)
    return value


def check_cells(cells: Mapping[str, str], name: str, where: str) -> None:
    """Refuse a row of a table whose cells do not conform to a schema.

    Raises
    ------
    ConfigError
        Naming `where`, the column and what may stand there.
    """
    for error in _validator(name).iter_errors(cells):
        what, fix, (column,) = _words(error)
        raise ConfigError(f"column {column!r}: {what}", where=where, fix=fix)


@cache
def _validator(name: str) -> Any:
    # Jobs know settings, and check none: they do without jsonschema, which takes as long to load as numpy.
    from jsonschema import Draft202012Validator, ValidationError, validators

    def whole_pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Any:
        """Keyword `pattern`, but ``$`` does not let a line end through as Python's does."""
        if validator.is_type(instance, "string") and not re.fullmatch(
            pattern.removeprefix("^").removesuffix("$"), instance
        ):
            yield ValidationError("pattern")

    return validators.extend(Draft202012Validator, {"pattern": whole_pattern})(schema(name))


def _typed(value: Any, of: Mapping[str, Any], document: Document, place: Place) -> Any:
    """The value with the type that a schema declares; unknown keys and wrong types are refused here."""
    kinds = of.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if value is None and "null" in kinds:
        return None
    if "object" in kinds:
        return _object({} if value is None else value, of, document, place)
    if "array" in kinds and (len(kinds) == 1 or isinstance(value, list)):
        return _array([] if value is None else value, of, document, place)
    if value is None:
        raise ConfigError("nothing stands here", where=document.where(place), fix=of.get("description", ""))
    if isinstance(value, dict | list):
        kind = "mapping" if isinstance(value, dict) else "list"
        raise ConfigError(
            f"a {kind} stands where one value belongs",
            where=document.where(place),
            fix=of.get("description", ""),
        )
    if "boolean" in kinds:
        return _boolean(value, of, document, place)
    if "number" in kinds or "integer" in kinds:
        return _number(value, of, document, place, whole="number" not in kinds)
    if not isinstance(value, str):
        raise ConfigError(
            f"{value!r} was not read as text: its own spelling (leading zeros, yes/no) is lost",
            where=document.where(place),
            fix=f"put it into quotes; on the command line: --config '{place[-1]}=\"...\"'",
        )
    return value


def _object(value: Any, of: Mapping[str, Any], document: Document, place: Place) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{_short(value)} stands where keys belong",
            where=document.where(place),
            fix=nearest("", of["properties"]) if "properties" in of else of.get("description", ""),
        )
    known = of.get("properties", {})
    rest = of.get("additionalProperties")
    result = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise ConfigError(
                f"the key {key!r} was not read as text", where=document.where(place), fix="put it into quotes"
            )
        below = known.get(key, rest)
        if not isinstance(below, Mapping):
            raise ConfigError(
                f"unknown key {key!r}", where=document.where((*place, key)), fix=nearest(key, known)
            )
        result[key] = _typed(item, below, document, (*place, key))
    return result


def _array(value: Any, of: Mapping[str, Any], document: Document, place: Place) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ConfigError(
            f"{_short(value)} stands where a list belongs",
            where=document.where(place),
            fix="write [one, two]",
        )
    return [_typed(item, of["items"], document, (*place, index)) for index, item in enumerate(value)]


def _boolean(value: Any, of: Mapping[str, Any], document: Document, place: Place) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ConfigError(
        f"{_short(value)} is neither true nor false", where=document.where(place), fix="write true or false"
    )


def _number(
    value: Any, of: Mapping[str, Any], document: Document, place: Place, *, whole: bool
) -> int | float:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (isinstance(value, int) or not whole)
    ):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, str) and not whole and _NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return float(value)
    raise ConfigError(
        f"{_short(value)} is not a {'whole ' if whole else ''}number",
        where=document.where(place),
        fix=of.get("description", ""),
    )


def _short(value: Any) -> str:
    """A value for a message, at most 60 characters long."""
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _words(error: Any) -> tuple[str, str, Place]:
    """What is wrong, what may stand there, and where, of one of jsonschema's errors."""
    place: Place = tuple(error.absolute_path)
    of = error.schema
    help_ = of.get("description", "")
    rule = error.validator_value
    if "propertyNames" in error.absolute_schema_path:
        return f"the key {_short(error.instance)} is not allowed", help_, (*place, error.instance)
    match error.validator:
        case "required":
            missing = next(key for key in rule if key not in error.instance)
            return f"{missing!r} is missing", of["properties"][missing].get("description", ""), place
        case "enum":
            allowed = [str(value) for value in rule if value is not None]
            return f"{_short(error.instance)} is not allowed", nearest(str(error.instance), allowed), place
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            low = of.get("minimum", of.get("exclusiveMinimum"))
            high = of.get("maximum", of.get("exclusiveMaximum"))
            above = "above" if "exclusiveMinimum" in of else "from"
            return f"{error.instance} is out of range", f"allowed: {above} {low} to {high}. {help_}", place
        case "pattern" | "minLength":
            what = f"{_short(error.instance)} is not allowed" if error.instance else "is empty"
            return what, help_, place
        case "minItems" | "maxItems" | "minProperties":
            return f"{len(error.instance)} entries stand here", f"{help_} ({error.validator}: {rule})", place
        case "uniqueItems":
            return "an entry stands twice", "delete one of them", place
        case _:
            return error.message, help_, place

"""The review page as files: nothing from outside, nothing that data could turn into markup."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser

import pytest

from understudy.errors import DeliverableError
from understudy.qc import page


class Reader(HTMLParser):
    """Elements, and the text of each script."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.scripts and self.elements[-1][0] == "script":
            self.scripts[-1] += data


def parsed(folder) -> Reader:
    reader = Reader()
    reader.feed((folder / "index.html").read_text("utf-8"))
    return reader


def data_of(text: str) -> list:
    """The arguments of a data file's one call."""
    inside = text.removeprefix("understudy.receive(").removesuffix(");\n")
    return json.loads(f"[{inside}]")


def test_hostile_names_stay_data(review, shots):
    reader = parsed(review)
    tags = [tag for tag, _ in reader.elements]
    assert "img" not in tags
    assert tags.count("script") == 2
    data = json.loads(reader.scripts[0])
    assert [row["id"] for row in data["shots"]] == [shot["id"] for shot in shots]
    for file in sorted((review / "data").iterdir()):
        text = file.read_text("utf-8")
        assert not set("<>&\u2028\u2029") & set(text)
    assert data_of((review / "data/0001.js").read_text("utf-8"))[0] == shots[1]["id"]


def test_separators_that_end_a_script_line_are_escaped():
    text = page.to_json({"a": "</script>\u2028\u2029<!--&"})
    assert text == '{"a":"\\u003c/script\\u003e\\u2028\\u2029\\u003c!--\\u0026"}'
    assert json.loads(text) == {"a": "</script>\u2028\u2029<!--&"}


def test_nothing_points_outside(review):
    for file in review.rglob("*"):
        if file.suffix in {".html", ".css", ".js"}:
            text = file.read_text("utf-8")
            assert not re.search(r"(https?:)?//[a-z0-9]", re.sub(r"/\*.*?\*/", "", text), re.IGNORECASE), file
            assert "innerHTML" not in text and "insertAdjacentHTML" not in text and "eval(" not in text
            assert "@import" not in text and "url(" not in text
    policy = next(a["content"] for t, a in parsed(review).elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "*" not in policy


def test_every_file_that_is_named_is_there(review):
    reader = parsed(review)
    named = [a.get("src") or a.get("href") for tag, a in reader.elements if tag in {"script", "link", "img"}]
    data = json.loads(reader.scripts[0])
    for row in data["shots"]:
        named += [row["data"], row["thumbnail"]]
        whole = data_of((review / row["data"]).read_text("utf-8"))[1]
        for pattern in whole["proxies"].values():
            named += [pattern.format(frame=frame) for frame in range(row["first"], row["last"] + 1)]
        named += [movie["path"] for movie in whole["movies"]]
    for name in filter(None, named):
        assert (review / name).is_file(), name


def test_numbers_are_short_and_unknown_ones_null(review):
    whole = data_of((review / "data/0000.js").read_text("utf-8"))[1]
    assert whole["tracks"][0]["numbers"]["colour_distance"][:3] == [None, 0.12346, 0.5]


def test_the_same_input_gives_the_same_bytes_and_stale_data_goes(review, shots):
    before = {file: file.read_bytes() for file in review.rglob("*") if file.is_file()}
    page.write(review, {"name": page_name(review), "made_by": "understudy 0.1"}, shots)
    assert {file: file.read_bytes() for file in review.rglob("*") if file.is_file()} == before
    page.write(review, {"name": "show"}, shots[:1])
    assert [file.name for file in (review / "data").iterdir()] == ["0000.js"]
    assert not list(review.rglob("*.part"))


def page_name(folder) -> str:
    return json.loads(parsed(folder).scripts[0])["show"]["name"]


@pytest.mark.parametrize(
    "path", ["/srv/x.jpg", "http://host/x.jpg", "file:///x.jpg", "C:/x.jpg", "shots\\x.jpg"]
)
def test_paths_that_would_not_open_elsewhere_are_refused(tmp_path, shots, path):
    bad = copy.deepcopy(shots[0])
    bad["proxies"]["plate"] = path
    with pytest.raises(DeliverableError) as caught:
        page.write(tmp_path, {"name": "show"}, [bad])
    assert str(caught.value) == (
        f"review page, shot sh010: the plate path {path!r} would not open on another machine\n"
        "  -> give it relative to the review folder, with forward slashes"
    )
    assert not (tmp_path / "index.html").exists()


def test_numbers_that_do_not_fit_are_refused(tmp_path, shots):
    short = copy.deepcopy(shots[0])
    short["tracks"][0]["numbers"]["seam"].pop()
    with pytest.raises(DeliverableError, match="seam of track t01 has 23 values for 24 frames"):
        page.write(tmp_path, {"name": "show"}, [short])
    endless = copy.deepcopy(shots[0])
    endless["tracks"][0]["numbers"]["seam"][3] = float("nan")
    with pytest.raises(DeliverableError, match="seam of track t01 has a value that is not finite"):
        page.write(tmp_path, {"name": "show"}, [endless])

"""Fetching models from servers that break, lie and stall: real ones, on the loopback address."""

from __future__ import annotations

import hashlib
import random
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from understudy.errors import ModelError
from understudy.runtime import download
from understudy.runtime.download import Patience
from understudy.runtime.fetch import fetch
from understudy.runtime.models import locate, recorded

WEIGHTS = random.Random(3).randbytes(300_000)
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
NAME = "/face.onnx"
HASTE = Patience(stall=0.5, tries=3, pause=0.01)

Answer = Callable[["Asked"], None]


class Asked(BaseHTTPRequestHandler):
    """Answers each request with the server's next scripted answer, then as a good server does."""

    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        answer = self.server.script.pop(0) if self.server.script else serve
        answer(self)

    def do_CONNECT(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def begin(self, code: int = 200, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.script: list[Answer] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.weights = WEIGHTS
        self.etag = '"first"'
        self.over = threading.Event()
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    @property
    def base(self) -> str:
        return f"{self.scheme}://localhost:{self.server_address[1]}"

    @property
    def ranges(self) -> list[str]:
        """The range that each request asked for."""
        return [headers.get("Range", "") for _, headers in self.seen]

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error here."""


def serve(asked: Asked) -> None:
    """As a good server: ranges, and the whole file if it is another version by now."""
    server = asked.server
    wanted = asked.headers.get("Range", "")
    if wanted and asked.headers.get("If-Range", server.etag) == server.etag:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        size = len(server.weights)
        if start >= size:
            asked.begin(416, Content_Range=f"bytes */{size}", Content_Length=0)
            return
        body = server.weights[start:]
        asked.begin(
            206, Content_Range=f"bytes {start}-{size - 1}/{size}", Content_Length=len(body), ETag=server.etag
        )
    else:
        body = server.weights
        asked.begin(Content_Length=len(body), ETag=server.etag)
    asked.wfile.write(body)


def cut(count: int, **headers: object) -> Answer:
    """Promise the whole file, send its beginning, hang up."""

    def answer(asked: Asked) -> None:
        asked.begin(**({"Content_Length": len(WEIGHTS), "ETag": '"first"'} | headers))
        asked.wfile.write(WEIGHTS[:count])

    return answer


def reset(count: int) -> Answer:
    """Send the beginning, then break the connection as a dying router does."""

    def answer(asked: Asked) -> None:
        cut(count)(asked)
        asked.wfile.flush()
        time.sleep(0.2)
        asked.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        asked.connection.close()

    return answer


def stall(asked: Asked) -> None:
    """Send a little, then keep silent without hanging up."""
    cut(1000)(asked)
    asked.wfile.flush()
    asked.server.over.wait(20)


def drip(asked: Asked) -> None:
    """Never silent for long, and never done."""
    asked.begin(Content_Length=len(WEIGHTS))
    for at in range(400):
        asked.wfile.write(WEIGHTS[at : at + 1])
        asked.wfile.flush()
        if asked.server.over.wait(0.05):
            return


def whole(asked: Asked) -> None:
    """The whole file, whatever range was asked for."""
    asked.begin(Content_Length=len(WEIGHTS))
    asked.wfile.write(WEIGHTS)


def status(code: int) -> Answer:
    return lambda asked: asked.begin(code, Content_Length=0)


def redirect(to: str) -> Answer:
    return lambda asked: asked.begin(302, Location=to, Content_Length=0)


def run(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def plain() -> Iterator[Server]:
    yield from run(Server())


@pytest.fixture
def other() -> Iterator[Server]:
    yield from run(Server())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost with its key, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = (
        "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {file} -out {file}.crt"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server by https whose certificate this process trusts."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    yield from run(Server(tls))


def card_of(*sources: dict[str, str], sha256: str | None = SHA256) -> dict:
    return {"file": "face.onnx", "sources": list(sources)} | ({"sha256": sha256} if sha256 else {})


def get(
    tmp_path: Path, server: Server, card: dict | None = None, patience: Patience = HASTE, lock: bool = False
) -> Path:
    """Fetch from a server as a mirror."""
    return fetch(
        "net",
        card or card_of(),
        tmp_path / "store",
        mirror=server.base,
        patience=patience,
        lock=tmp_path / "models.lock" if lock else None,
    )


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "store").iterdir())


def test_a_good_server_is_asked_once(tmp_path: Path, plain: Server) -> None:
    assert get(tmp_path, plain).read_bytes() == WEIGHTS
    get(tmp_path, plain)
    assert [path for path, _ in plain.seen] == [NAME]
    assert left(tmp_path) == ["face.onnx"]
    assert (tmp_path / "store" / "face.onnx").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("breaks", [cut, reset])
def test_a_broken_download_goes_on_where_it_broke(tmp_path: Path, plain: Server, breaks) -> None:
    plain.script = [breaks(100_000)]
    assert get(tmp_path, plain).read_bytes() == WEIGHTS
    assert plain.ranges == ["", "bytes=100000-"]
    assert plain.seen[1][1]["If-Range"] == '"first"'
    assert left(tmp_path) == ["face.onnx"]


def test_what_came_serves_the_next_call(tmp_path: Path, plain: Server) -> None:
    """As after a kill: the partial file is found by another process, and by the address it came from."""
    plain.script = [cut(100_000), *[status(503)] * 2]
    with pytest.raises(ModelError, match=r"the server answers 503 Service Unavailable \(3 tries\)"):
        get(tmp_path, plain)
    (part, tag) = left(tmp_path)
    assert part.startswith(".face.onnx.") and part.endswith(".part") and tag.endswith(".tag")
    assert (tmp_path / "store" / part).stat().st_size == 100_000
    plain.seen.clear()
    assert get(tmp_path, plain).read_bytes() == WEIGHTS
    assert plain.ranges == ["bytes=100000-"]
    assert left(tmp_path) == ["face.onnx"]


def test_another_server_does_not_go_on_with_it(tmp_path: Path, plain: Server, other: Server) -> None:
    plain.script = [cut(100_000), *[status(503)] * 2]
    with pytest.raises(ModelError):
        get(tmp_path, plain)
    assert get(tmp_path, other).read_bytes() == WEIGHTS
    assert other.ranges == [""]
    assert left(tmp_path) == ["face.onnx"]


def test_tries_begin_anew_when_something_came(tmp_path: Path, plain: Server) -> None:
    """Five breaks with three tries, each of them after another 50,000 bytes or more."""
    step = download.LEAST_GAIN

    def broken(asked: Asked) -> None:
        start = int(asked.headers.get("Range", "bytes=0-")[6:-1])
        code, where = (206, {"Content_Range": f"bytes {start}-299999/300000"}) if start else (200, {})
        asked.begin(code, Content_Length=len(WEIGHTS) - start, ETag='"first"', **where)
        asked.wfile.write(WEIGHTS[start : start + step])

    plain.script = [broken] * 4
    assert get(tmp_path, plain).read_bytes() == WEIGHTS
    assert plain.ranges == ["", *[f"bytes={step * n}-" for n in range(1, 5)]]


def test_tries_end_when_nothing_more_comes(tmp_path: Path, plain: Server) -> None:
    plain.script = [cut(100)] * 10
    with pytest.raises(ModelError) as refusal:
        get(tmp_path, plain)
    assert "the connection ended after 100 of 300000 bytes (3 tries)" in str(refusal.value)
    assert len(plain.seen) == 3


def test_a_server_without_ranges_starts_anew(tmp_path: Path, plain: Server) -> None:
    plain.script = [cut(100_000), whole]
    assert get(tmp_path, plain).read_bytes() == WEIGHTS
    assert plain.ranges == ["", "bytes=100000-"]


def test_another_version_meanwhile_starts_anew(tmp_path: Path, plain: Server) -> None:
    """The old beginning and the new end would make a file that nobody has."""
    plain.weights = bytes(reversed(WEIGHTS))
    plain.etag = '"second"'
    plain.script = [cut(100_000)]
    card = card_of(sha256=hashlib.sha256(plain.weights).hexdigest())
    assert get(tmp_path, plain, card).read_bytes() == plain.weights
    assert plain.ranges == ["", "bytes=100000-"]


def test_another_version_behind_no_tag_is_seen_by_its_hash(tmp_path: Path, plain: Server) -> None:
    """A server that names no versions goes on with the new file; the hash tells, and one fresh try mends it."""
    plain.weights = bytes(reversed(WEIGHTS))
    plain.etag = ""
    plain.script = [cut(100_000, ETag="")]
    card = card_of(sha256=hashlib.sha256(plain.weights).hexdigest())
    assert get(tmp_path, plain, card).read_bytes() == plain.weights
    assert plain.ranges == ["", "bytes=100000-", ""]
    shutil.rmtree(tmp_path / "store")
    plain.seen.clear()
    plain.script = [cut(100_000, ETag="") for _ in range(10)]
    plain.script[1::2] = [serve] * 5
    with pytest.raises(ModelError, match="its card says"):
        get(tmp_path, plain)
    assert plain.ranges == ["", "bytes=100000-"] * 2
    assert left(tmp_path) == []


def test_killed_between_the_last_byte_and_the_name(tmp_path: Path, plain: Server) -> None:
    plain.script = [cut(len(WEIGHTS), Content_Length=len(WEIGHTS) + 1), *[status(503)] * 2]
    with pytest.raises(ModelError):
        get(tmp_path, plain)
    plain.seen.clear()
    assert get(tmp_path, plain).read_bytes() == WEIGHTS
    assert plain.ranges == ["bytes=300000-"]


def test_wrong_bytes_get_no_name_and_are_not_kept(tmp_path: Path, plain: Server) -> None:
    plain.weights = WEIGHTS[:-1] + b"!"
    with pytest.raises(ModelError) as refusal:
        get(tmp_path, plain)
    wrong = hashlib.sha256(plain.weights).hexdigest()
    assert f"{plain.base}{NAME} has sha256 {wrong[:16]}..., its card says {SHA256[:16]}..." in str(
        refusal.value
    )
    assert len(plain.seen) == 1
    assert left(tmp_path) == []


@pytest.mark.parametrize("silent", [stall, drip])
def test_a_stalled_connection_ends(tmp_path: Path, plain: Server, silent: Answer) -> None:
    plain.script = [silent] * 3
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"the connection stalled \(.+\) \(2 tries\)"):
        get(tmp_path, plain, patience=Patience(stall=0.2, tries=2, pause=0.01))
    assert time.monotonic() - began < 5
    plain.script = [silent]
    assert get(tmp_path, plain, patience=Patience(stall=0.2, tries=2, pause=0.01)).read_bytes() == WEIGHTS


def test_a_slow_connection_is_let_finish(tmp_path: Path, plain: Server) -> None:
    """Longer than a stall may last in all, but never silent: that is a small office, not a fault."""

    def slow(asked: Asked) -> None:
        asked.begin(Content_Length=len(WEIGHTS))
        for at in range(0, len(WEIGHTS), 50_000):
            asked.wfile.write(WEIGHTS[at : at + 50_000])
            asked.wfile.flush()
            time.sleep(0.1)

    plain.script = [slow]
    assert get(tmp_path, plain, patience=Patience(stall=0.3, tries=1)).read_bytes() == WEIGHTS
    assert len(plain.seen) == 1


def test_tries_wait_longer_each_time(tmp_path: Path, plain: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(download.time, "sleep", slept.append)
    plain.script = [status(503)] * 5
    with pytest.raises(ModelError, match="5 tries"):
        get(tmp_path, plain, patience=Patience())
    assert slept == [1, 2, 4, 8]


@pytest.mark.parametrize(
    "code, words",
    [
        (404, "the server has no such file (404)"),
        (403, "the server does not allow it (403)"),
        (407, "the proxy wants a name and a password (407)"),
        (501, "the server answers Not Implemented (501)"),
    ],
)
def test_a_refusal_is_said_in_words_and_not_repeated(
    tmp_path: Path, plain: Server, code: int, words: str
) -> None:
    plain.script = [status(code)] * 2
    with pytest.raises(ModelError) as refusal:
        get(tmp_path, plain)
    assert f"{plain.base}{NAME} cannot be fetched: {words}" in str(refusal.value)
    assert len(plain.seen) == 1
    assert left(tmp_path) == []


def test_nobody_listens(tmp_path: Path, plain: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ModelError, match=r"Connection refused \(3 tries\)"):
        fetch("net", card_of(), tmp_path / "store", mirror=address, patience=HASTE)


def test_a_name_that_nobody_knows_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a network says so at once."""
    asked: list[str] = []

    def unknown(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ModelError) as refusal:
        fetch("net", card_of({"url": "https://models.studio.example/f"}), tmp_path / "store", patience=HASTE)
    assert "nobody here knows where that is (Temporary failure in name resolution)" in str(refusal.value)
    assert asked == ["models.studio.example"]


def test_the_next_source_is_asked(tmp_path: Path, plain: Server, secure: Server) -> None:
    """The mirror first, then the card's own addresses; all that failed is said if none is left."""
    plain.script = [status(404)]
    secure.script = [status(404)]
    card = card_of({"url": f"{secure.base}/gone.onnx"}, {"url": f"{secure.base}/there.onnx"})
    assert get(tmp_path, plain, card).read_bytes() == WEIGHTS
    assert [path for path, _ in plain.seen + secure.seen] == [NAME, "/gone.onnx", "/there.onnx"]
    shutil.rmtree(tmp_path / "store")
    plain.script, secure.script = [status(404)], [status(404)] * 2
    with pytest.raises(ModelError) as refusal:
        get(tmp_path, plain, card)
    words = str(refusal.value)
    assert words.startswith("model net: none of its 3 sources worked: ")
    assert words.count("the server has no such file (404)") == 3
    assert "mirror=" in words


def test_what_a_dropped_source_began_goes_with_success(tmp_path: Path, plain: Server, secure: Server) -> None:
    plain.script = [cut(100_000), *[status(503)] * 2]
    assert get(tmp_path, plain, card_of({"url": f"{secure.base}/f"})).read_bytes() == WEIGHTS
    assert left(tmp_path) == ["face.onnx"]


def test_a_card_takes_https_only(tmp_path: Path, plain: Server) -> None:
    with pytest.raises(ModelError, match=r"http://localhost:\d+/face.onnx is not an https address"):
        fetch("net", card_of({"url": plain.base + NAME}), tmp_path / "store", patience=HASTE)
    assert plain.seen == []


def test_redirects_are_followed(tmp_path: Path, plain: Server, secure: Server) -> None:
    """Also with a range: release pages send each request on to a store of files."""
    secure.script = [redirect(f"{secure.base}/store"), cut(100_000), redirect(f"{secure.base}/store")]
    card = card_of({"url": f"{secure.base}/release"})
    assert fetch("net", card, tmp_path / "store", patience=HASTE).read_bytes() == WEIGHTS
    assert [path for path, _ in secure.seen] == ["/release", "/store"] * 2
    assert secure.ranges == ["", "", "bytes=100000-", "bytes=100000-"]


def test_redirects_in_a_circle_end(tmp_path: Path, plain: Server) -> None:
    plain.script = [redirect(NAME)] * 50
    with pytest.raises(ModelError, match=r"\(302\)"):
        get(tmp_path, plain)
    assert len(plain.seen) < 20


def test_no_redirect_leaves_https(tmp_path: Path, plain: Server, secure: Server) -> None:
    secure.script = [redirect(plain.base + NAME)]
    with pytest.raises(
        ModelError, match=r"leads to http://localhost:\d+/face.onnx, which is not an https address"
    ):
        fetch("net", card_of({"url": f"{secure.base}/f"}), tmp_path / "store", patience=HASTE)
    assert plain.seen == []


def test_an_unknown_certificate_is_refused_at_once(
    tmp_path: Path, secure: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ModelError) as refusal:
        fetch("net", card_of({"url": f"{secure.base}/f"}), tmp_path / "store", patience=HASTE)
    assert "its certificate is not trusted (self-signed certificate)" in str(refusal.value)
    assert "SSL_CERT_FILE" in str(refusal.value)
    assert "tries" not in str(refusal.value)


def test_the_proxy_of_the_environment(
    tmp_path: Path, plain: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", other.base)
    card = card_of()
    fetch("net", card, tmp_path / "store", mirror="http://models.studio.example/nets/", patience=HASTE)
    assert [path for path, _ in other.seen] == ["http://models.studio.example/nets/face.onnx"]
    monkeypatch.setenv("no_proxy", "localhost")
    fetch("net", card, tmp_path / "direct", mirror=plain.base, patience=HASTE)
    assert len(plain.seen) == len(other.seen) == 1


def test_the_proxy_for_https(tmp_path: Path, other: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", other.base)
    with pytest.raises(ModelError, match="Tunnel connection failed: 403"):
        fetch("net", card_of({"url": "https://models.studio.example/f"}), tmp_path / "store", patience=HASTE)
    assert {path for path, _ in other.seen} == {"models.studio.example:443"}


def test_a_mirror_folder_needs_no_network(tmp_path: Path, plain: Server) -> None:
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "face.onnx").write_bytes(WEIGHTS)
    card = card_of({"url": "https://nowhere.example/f"})
    assert fetch("net", card, tmp_path / "store", mirror=str(folder), patience=HASTE).read_bytes() == WEIGHTS
    (folder / "face.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"mirror/face.onnx has sha256 .* its card says"):
        fetch("net", card_of(), tmp_path / "again", mirror=str(folder), patience=HASTE)
    with pytest.raises(ModelError, match="the mirror /nowhere is neither an address nor a folder"):
        fetch("net", card_of(), tmp_path / "again", mirror="/nowhere", patience=HASTE)


def test_two_at_once_fetch_once(tmp_path: Path, plain: Server) -> None:
    """Two shows that share a store: the second waits for the first, and finds the file."""
    held = threading.Event()

    def slow(asked: Asked) -> None:
        asked.begin(Content_Length=len(WEIGHTS))
        asked.wfile.write(WEIGHTS[:1000])
        asked.wfile.flush()
        held.wait(5)
        asked.wfile.write(WEIGHTS[1000:])

    plain.script = [slow]
    got: list[bytes] = []
    patient = Patience(stall=10, tries=1)
    threads = [
        threading.Thread(target=lambda: got.append(get(tmp_path, plain, patience=patient).read_bytes()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert len(plain.seen) == 1
    held.set()
    for thread in threads:
        thread.join(10)
    assert got == [WEIGHTS, WEIGHTS]
    assert len(plain.seen) == 1
    assert left(tmp_path) == ["face.onnx"]


# Cards without sha256.


def test_the_first_fetch_is_recorded_and_enforced(tmp_path: Path, secure: Server) -> None:
    card, lock, store = (
        card_of({"url": f"{secure.base}/f"}, sha256=None),
        tmp_path / "c" / "models.lock",
        tmp_path / "s",
    )
    fetch("net", card, store, lock=lock, patience=HASTE)
    assert recorded(lock) == {"face.onnx": SHA256}
    assert locate("net", card, store, lock) == store / "face.onnx"
    (store / "face.onnx").unlink()
    secure.weights = b"a new release under the old name"
    with pytest.raises(ModelError, match=rf"models.lock recorded {SHA256[:16]}"):
        fetch("net", card, store, lock=lock, patience=HASTE)
    assert list(store.iterdir()) == []
    secure.weights = WEIGHTS
    fetch("net", card, store, lock=lock, patience=HASTE)
    assert lock.read_text().splitlines()[1:] == [f"{SHA256}  face.onnx"]


def test_another_site_gets_the_same_bytes(tmp_path: Path, secure: Server) -> None:
    """The lock goes with the show: an empty store elsewhere is filled with what was recorded here, or not at all."""
    card, lock = card_of({"url": f"{secure.base}/f"}, sha256=None), tmp_path / "models.lock"
    fetch("net", card, tmp_path / "here", lock=lock, patience=HASTE)
    secure.weights = b"changed since"
    with pytest.raises(ModelError, match=r"recorded"):
        fetch("net", card, tmp_path / "there", lock=lock, patience=HASTE)


def test_a_file_that_lies_there_is_recorded(tmp_path: Path) -> None:
    """Who has a licensed file puts it into the store by hand."""
    card, lock, store = card_of(sha256=None), tmp_path / "models.lock", tmp_path / "store"
    with pytest.raises(
        ModelError, match=r"names no sources(.|\n)*puts it at .*store/face.onnx; then run: snakemake models"
    ):
        fetch("net", card, store, lock=lock)
    with pytest.raises(ModelError, match=r"no file (.|\n)*puts it at"):
        locate("net", card, store, lock)
    (store / "face.onnx").write_bytes(WEIGHTS)
    with pytest.raises(ModelError, match=r"models.lock has none yet(.|\n)*run: snakemake models"):
        locate("net", card, store, lock)
    fetch("net", card, store, lock=lock)
    assert locate("net", card, store, lock).read_bytes() == WEIGHTS
    (store / "face.onnx").write_bytes(WEIGHTS[:-1])
    with pytest.raises(ModelError, match=r"models.lock recorded"):
        locate("net", card, store, lock)


def test_sha256sum_reads_the_lock(tmp_path: Path, secure: Server) -> None:
    lock, store = tmp_path / "models.lock", tmp_path / "store"
    for file in ("b.onnx", "a.onnx"):
        fetch(file, card_of({"url": f"{secure.base}/f"}, sha256=None) | {"file": file}, store, lock=lock)
    command = ["sha256sum", "--strict", "--check", str(lock)]
    done = subprocess.run(command, cwd=store, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "b.onnx: OK\na.onnx: OK\n")


def test_without_a_lock_a_card_needs_its_sha256(tmp_path: Path, secure: Server) -> None:
    card = card_of({"url": f"{secure.base}/f"}, sha256=None)
    for call in (fetch, locate):
        (tmp_path / "face.onnx").write_bytes(WEIGHTS)
        with pytest.raises(ModelError, match="gives no sha256, and there is no lock file"):
            call("net", card, tmp_path)
    assert secure.seen == []


def test_nothing_unknown_comes_over_http(tmp_path: Path, plain: Server) -> None:
    with pytest.raises(ModelError, match="is not taken over http: nobody knows its sha256 yet"):
        get(tmp_path, plain, card_of(sha256=None), lock=True)
    assert plain.seen == []
    (tmp_path / "models.lock").write_text(f"{SHA256}  face.onnx\n")
    assert get(tmp_path, plain, card_of(sha256=None), lock=True).read_bytes() == WEIGHTS


def test_nothing_unknown_comes_without_an_end(tmp_path: Path, secure: Server) -> None:
    """Half a file from a server that gives no length would be recorded as the right one."""

    def endless(asked: Asked) -> None:
        asked.begin()
        asked.wfile.write(WEIGHTS[:1000])

    card, lock = card_of({"url": f"{secure.base}/f"}, sha256=None), tmp_path / "models.lock"
    secure.script = [endless]
    with pytest.raises(ModelError, match="does not say how long the file is"):
        fetch("net", card, tmp_path / "store", lock=lock, patience=HASTE)
    assert not lock.exists()
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "begins, etag",
    [(0, '"first"'), (100_001, '"first"'), (100_000, '"second"')],
    ids=["0", "late", "version"],
)
def test_what_does_not_fit_is_not_appended(tmp_path: Path, secure: Server, begins: int, etag: str) -> None:
    """A server that goes on elsewhere, or with another version: without a known sha256 nothing else would tell."""

    def elsewhere(asked: Asked) -> None:
        rest = WEIGHTS[begins:]
        asked.begin(206, Content_Range=f"bytes {begins}-299999/300000", Content_Length=len(rest), ETag=etag)
        asked.wfile.write(rest)

    card, lock = card_of({"url": f"{secure.base}/f"}, sha256=None), tmp_path / "models.lock"
    secure.script = [cut(100_000), elsewhere]
    fetch("net", card, tmp_path / "store", lock=lock, patience=HASTE)
    assert secure.ranges == ["", "bytes=100000-", ""]
    assert recorded(lock) == {"face.onnx": SHA256}


def test_an_unknown_file_goes_on_only_by_its_version(tmp_path: Path, secure: Server) -> None:
    card, lock = card_of({"url": f"{secure.base}/f"}, sha256=None), tmp_path / "models.lock"
    secure.script = [cut(100_000), cut(100_000, ETag="")]
    fetch("net", card, tmp_path / "store", lock=lock, patience=HASTE)
    assert secure.ranges == ["", "bytes=100000-", ""]
    assert recorded(lock) == {"face.onnx": SHA256}

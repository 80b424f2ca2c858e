"""The download path against a server that fails in every way we could think of."""

import hashlib
import io
import itertools
import os
import signal
import stat
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.errors import DataError
from datasets.sets import remote
from datasets.sets.remote import Patience, RemoteFile
from tests.datasets.local_server import LocalServer, data, in_turn, redirect, send, status

BODY = bytes(range(256)) * 40
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = Patience(silence=0.3, total=5.0, tries=3, pause=0.01)
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("METAZOO_OFFLINE", raising=False)
    with LocalServer() as server:
        yield server


def fetch(server, folder, answer, *, path="/file", patience=QUICK, **changes):
    """Fetch BODY from a server that gives this answer."""
    server.routes[path] = answer
    described = {"name": "file.bin", "url": server.url(path), "max_bytes": 20_000, "digest": SHA}
    return remote.fetch(RemoteFile(**described | changes), folder, patience=patience)


def kept(folder: Path) -> list[str]:
    """Files below a folder, lock files aside."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.name.endswith(".lock")
    )


def refused(server, folder, answer, match, **changes):
    """The fetch fails with this sentence and leaves nothing."""
    with pytest.raises(DataError, match=match):
        fetch(server, folder, answer, **changes)
    assert kept(folder) == []


def trickle(server):
    """An answer of one byte now and then, without end."""

    def answer(handler):
        send(handler, b"", len(BODY))
        for byte in itertools.cycle(BODY):
            if server.released.wait(0.02):
                return
            handler.wfile.write(bytes([byte]))

    return answer


# --- downloads that succeed -----------------------------------------------------------------------


def test_a_file_arrives_whole_and_alone(server, tmp_path):
    path = fetch(server, tmp_path / "new" / "folder", data(BODY))
    assert path.read_bytes() == BODY
    assert kept(tmp_path) == ["new", "new/folder", "new/folder/file.bin"]


def test_a_file_with_the_right_digest_is_not_fetched_again(server, tmp_path):
    fetch(server, tmp_path, data(BODY))
    fetch(server, tmp_path, data(BODY))
    assert server.requests == ["/file"]


@pytest.mark.parametrize("old", [b"old", b"PK\x05\x06" + bytes(18), BODY[:100]])
def test_a_file_with_another_digest_is_replaced(server, tmp_path, old):
    (tmp_path / "file.bin").write_bytes(old)
    assert fetch(server, tmp_path, data(BODY)).read_bytes() == BODY


def test_a_failed_download_leaves_the_file_that_was_there(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"old")
    with pytest.raises(DataError, match="expected data"):
        fetch(server, tmp_path, data(b"wrong"))
    assert (tmp_path / "file.bin").read_bytes() == b"old"


def test_a_length_need_not_be_announced(server, tmp_path):
    assert fetch(server, tmp_path, lambda h: send(h, BODY, None)).read_bytes() == BODY


def test_redirects_are_followed_to_http(server, tmp_path):
    server.routes["/moved"] = data(BODY)
    assert fetch(server, tmp_path, redirect("/moved")).read_bytes() == BODY
    assert server.requests == ["/file", "/moved"]


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_server_error_is_met_again(server, tmp_path, code):
    assert fetch(server, tmp_path, in_turn(status(code), data(BODY))).read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_cut_connection_is_met_again(server, tmp_path):
    cut = in_turn(lambda h: send(h, BODY[:5000], len(BODY)), data(BODY))
    assert fetch(server, tmp_path, cut).read_bytes() == BODY


def test_pauses_double_between_tries(server, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(remote.time, "sleep", pauses.append)
    refused(server, tmp_path, status(500), "500", patience=Patience(tries=4, pause=1.0))
    assert pauses == [1.0, 2.0, 4.0]


# --- downloads that fail --------------------------------------------------------------------------


def test_truncated_downloads_are_given_up_after_the_tries(server, tmp_path):
    answer = lambda h: send(h, BODY[:5000], len(BODY))  # noqa: E731
    refused(server, tmp_path, answer, rf"cut off after 5000 of {len(BODY)} bytes")
    assert len(server.requests) == QUICK.tries


def test_truncated_chunked_downloads_are_noticed(server, tmp_path):
    def answer(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"1000\r\n" + BODY[:0x800])  # half of the chunk it announces

    refused(server, tmp_path, answer, r"\(try 3\)")


def test_a_length_that_is_too_short_is_noticed(server, tmp_path):
    refused(server, tmp_path, lambda h: send(h, BODY, 5000), "does not hold the expected data")


def test_wrong_bytes_are_refused_without_another_try(server, tmp_path):
    refused(server, tmp_path, data(BODY[::-1]), f"expected {SHA[:16]}")
    assert len(server.requests) == 1


def test_an_empty_answer_is_refused(server, tmp_path):
    refused(server, tmp_path, data(b""), "expected data")


def test_a_silent_server_is_left(server, tmp_path):
    def answer(handler):
        send(handler, BODY[:5000], len(BODY))
        server.released.wait()

    start = time.monotonic()
    refused(server, tmp_path, answer, "silent for 0.3 s")
    assert time.monotonic() - start < 4


def test_a_server_that_never_answers_is_left(server, tmp_path):
    refused(server, tmp_path, lambda h: server.released.wait(), r"\(try 3\)")


def test_a_trickle_is_given_up_though_no_byte_is_late(server, tmp_path):
    start = time.monotonic()
    patience = Patience(silence=0.5, total=0.4)
    refused(server, tmp_path, trickle(server), "too slow", patience=patience)
    assert time.monotonic() - start < 3


def test_no_server_at_all(tmp_path):
    file = RemoteFile("file.bin", "http://127.0.0.1:1/file", 100, SHA)
    with pytest.raises(DataError, match="no connection"):
        remote.fetch(file, tmp_path, patience=QUICK)


def test_a_missing_page_is_not_asked_for_again(server, tmp_path):
    refused(server, tmp_path, status(404), "answered 404 Not Found")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html><p>Please log in", "application/zip"),
        (b"\n  <HTML><p>Please log in", "application/octet-stream"),
        (b"Please log in", "text/html; charset=utf-8"),
    ],
)
def test_a_web_page_is_named(server, tmp_path, body, kind):
    refused(server, tmp_path, data(body, kind), r"web page \(HTML\) instead of data")
    assert len(server.requests) == 1


def test_an_announced_length_over_the_cap_is_not_read(server, tmp_path):
    sent = []

    def answer(handler):
        send(handler, b"", 20_001)
        server.released.wait(0.3)
        sent.append(True)

    start = time.monotonic()
    refused(server, tmp_path, answer, "is 20001 bytes; at most 20000 are accepted")
    assert time.monotonic() - start < 0.3


def test_more_bytes_than_the_cap_are_not_kept(server, tmp_path):
    endless = lambda h: [send(h, BODY, None)] + [h.wfile.write(BODY) for _ in range(1000)]  # noqa: E731
    refused(server, tmp_path, endless, "sends more than the 20000 bytes accepted")


def test_a_redirect_loop_ends(server, tmp_path):
    refused(server, tmp_path, redirect("/file"), "infinite loop")


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/file", "data:,x"])
def test_redirects_to_anything_but_http_are_refused(server, tmp_path, address):
    refused(server, tmp_path, redirect(address), "not allowed|unknown url type")


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/file", "data:,x"])
def test_addresses_other_than_http_are_refused(tmp_path, address):
    file = RemoteFile("file.bin", address, 100, "")
    with pytest.raises(DataError, match="unknown url type"):
        remote.fetch(file, tmp_path, patience=QUICK)


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="Cannot write .*file.bin"):
        fetch(server, tmp_path / "file", data(BODY))
    assert server.requests == []


def test_a_full_disk(server, tmp_path):
    server.routes["/file"] = data(BODY)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    result = finish(child(server, tmp_path, before=limit))
    assert "Cannot write" in result and "File too large" in result
    assert kept(tmp_path) == []


# --- offline --------------------------------------------------------------------------------------


def test_the_offline_flag_forbids_the_network(server, tmp_path):
    file = RemoteFile("file.bin", server.url("/file"), 20_000, SHA)
    with pytest.raises(DataError, match="network is forbidden"):
        remote.fetch(file, tmp_path, offline=True)
    assert server.requests == []


def test_the_environment_variable_forbids_the_network(server, tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_OFFLINE", "1")
    refused(server, tmp_path, data(BODY), "network is forbidden")
    assert server.requests == []


def test_offline_a_file_that_is_there_is_found(server, tmp_path, monkeypatch):
    fetch(server, tmp_path, data(BODY))
    monkeypatch.setenv("METAZOO_OFFLINE", "1")
    assert fetch(server, tmp_path, data(BODY)).read_bytes() == BODY


# --- other processes, and sudden ends -------------------------------------------------------------


def child(server, folder, before: str = "", act: str = "") -> subprocess.Popen:
    """Another process that fetches the file, or does ``act``."""
    file = RemoteFile("file.bin", server.url("/file"), 20_000, SHA)
    act = act or f"print(remote.fetch(remote.{file!r}, {str(folder)!r}))"
    return subprocess.Popen(
        [sys.executable, "-c", f"{before}\nfrom datasets.sets import remote\n{act}"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    return process.communicate(timeout=30)[0]


def wait_until(condition, seconds: float = 30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.01)


def half_then_wait(server):
    """Sends half of the body, then waits until released."""

    def answer(handler):
        send(handler, BODY[:5000], len(BODY))
        if server.released.wait(30):
            handler.wfile.write(BODY[5000:])

    return answer


def test_two_processes_share_one_download(server, tmp_path):
    server.routes["/file"] = half_then_wait(server)
    first = child(server, tmp_path)
    wait_until(lambda: server.requests)
    second = child(server, tmp_path)
    assert "Waiting for another run" in second.stdout.readline()
    server.released.set()
    assert str(tmp_path / "file.bin") in finish(first)
    assert str(tmp_path / "file.bin") in finish(second)
    assert server.requests == ["/file"]
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_waiting_for_another_run_ends(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(remote, "LOCK_WAIT", 0.1)
    with remote.lock(tmp_path / "file.bin"), pytest.raises(DataError, match="Another run has been"):
        fetch(server, tmp_path, data(BODY))
    assert "Waiting" in capsys.readouterr().err


def test_a_killed_download_leaves_no_file_and_no_lock(server, tmp_path):
    server.routes["/file"] = half_then_wait(server)
    victim = child(server, tmp_path)
    part = tmp_path / "file.bin.part"
    wait_until(lambda: server.requests and part.exists())
    victim.send_signal(signal.SIGKILL)
    finish(victim)
    assert kept(tmp_path) == ["file.bin.part"]
    assert fetch(server, tmp_path, data(BODY)).read_bytes() == BODY
    assert kept(tmp_path) == ["file.bin"]


def test_an_interrupted_download_leaves_nothing(server, tmp_path):
    server.routes["/file"] = half_then_wait(server)
    # A shell's background job ignores SIGINT, and so would its children.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    victim = child(server, tmp_path, before=listen)
    wait_until(lambda: server.requests and (tmp_path / "file.bin.part").exists())
    victim.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in finish(victim)
    assert kept(tmp_path) == []


def test_a_killed_extraction_leaves_no_folder(server, tmp_path):
    archive = make_zip(tmp_path / "a.zip", {f"s1/{i}.pgm": b"x" for i in range(5)})
    sleepy = (
        "import time, zipfile\n"
        "read = zipfile.ZipFile.read\n"
        "zipfile.ZipFile.read = lambda *a: '4.pgm' in a[1] and time.sleep(60) or read(*a)\n"
    )
    folder = tmp_path / "faces"
    act = f"remote.extract({str(archive)!r}, {str(folder)!r}, '.pgm', 1000)"
    victim = child(server, tmp_path, before=sleepy, act=act)
    wait_until(lambda: (tmp_path / "faces.part" / "3.pgm").exists())
    victim.send_signal(signal.SIGKILL)
    finish(victim)
    assert not folder.exists()
    (tmp_path / "faces.part" / "stray.pgm").write_bytes(b"of another archive")
    remote.extract(archive, folder, ".pgm", 1000)
    assert kept(folder) == [f"{i}.pgm" for i in range(5)]
    assert not (tmp_path / "faces.part").exists()


# --- archives -------------------------------------------------------------------------------------

MEMBERS = {"s1/1.pgm": b"one", "s1/2.pgm": b"two", "s2/1.pgm": b"three"}


def make_zip(path: Path, members: dict[str, bytes], compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_folder(path: Path, members: dict[str, bytes]) -> Path:
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_the_digest_of_contents_is_what_its_docstring_says(tmp_path):
    folder = make_folder(tmp_path / "faces", MEMBERS)
    expected = hashlib.sha256(b"s1/1.pgm\x003\x00ones1/2.pgm\x003\x00twos2/1.pgm\x005\x00three")
    assert remote.digest(folder, ".pgm") == expected.hexdigest()


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    assert remote.digest(tmp_path / "file") == SHA


def test_folder_and_archives_of_the_same_files_have_the_same_digest(tmp_path):
    expected = remote.digest(make_folder(tmp_path / "folder", MEMBERS), ".pgm")
    deeper = {f"some/orl_faces/{name}": content for name, content in reversed(MEMBERS.items())}
    clutter = {
        "README": b"read me",
        "some/": b"",
        "some/orl_faces/": b"",
        "some/orl_faces/s1/.hidden.pgm": b"hidden",
        "__MACOSX/some/orl_faces/s1/._1.pgm": b"attributes",
    }
    for archive in (
        make_zip(tmp_path / "plain.zip", MEMBERS),
        make_zip(tmp_path / "stored.zip", MEMBERS, zipfile.ZIP_STORED),
        make_zip(tmp_path / "deeper.zip", deeper),
        make_zip(tmp_path / "clutter.zip", deeper | clutter),
    ):
        assert remote.digest(archive, ".pgm") == expected, archive.name
    for path in (make_folder(tmp_path / "deep", deeper), make_folder(tmp_path / "x" / "y", deeper)):
        assert remote.digest(path, ".pgm") == expected


@pytest.mark.parametrize(
    "changed",
    [
        MEMBERS | {"s2/1.pgm": b"thref"},
        MEMBERS | {"s2/2.pgm": b""},
        {"s1/1.pgm": b"one", "s1/2.pgm": b"two"},
        {"s1/1.pgm": b"two", "s1/2.pgm": b"one", "s2/1.pgm": b"three"},
        {"s1/1.pgm": b"one", "s1/2.pgm": b"two", "s3/1.pgm": b"three"},
        {"s1/1.pgm": b"onetwo", "s1/2.pgm": b"", "s2/1.pgm": b"three"},
    ],
    ids=["a byte", "one more", "one less", "exchanged", "renamed", "moved between files"],
)
def test_any_change_changes_the_digest(tmp_path, changed):
    before = remote.digest(make_folder(tmp_path / "before", MEMBERS), ".pgm")
    assert remote.digest(make_folder(tmp_path / "after", changed), ".pgm") != before


def test_a_repacked_archive_passes_and_a_changed_one_does_not(server, tmp_path):
    packed = make_zip(tmp_path / "a.zip", MEMBERS)
    digest = remote.digest(packed, ".pgm")
    repacked = make_zip(tmp_path / "b.zip", {"top/" + n: c for n, c in MEMBERS.items()})
    changed = make_zip(tmp_path / "c.zip", MEMBERS | {"s1/1.pgm": b"two"})
    described = {"name": "x.zip", "digest": digest, "suffix": ".pgm"}
    fetch(server, tmp_path / "kept", data(repacked.read_bytes()), **described)
    refused(server, tmp_path / "new", data(changed.read_bytes()), "expected data", **described)


def test_extraction_takes_the_wanted_members_only(tmp_path):
    archive = make_zip(
        tmp_path / "a.zip", {"t/" + n: c for n, c in MEMBERS.items()} | {"x.py": b""}
    )
    folder = remote.extract(archive, tmp_path / "faces", ".pgm", 1000)
    assert {n: (folder / n).read_bytes() for n in MEMBERS} == MEMBERS
    assert kept(folder) == ["s1", "s1/1.pgm", "s1/2.pgm", "s2", "s2/1.pgm"]
    assert remote.digest(folder, ".pgm") == remote.digest(archive, ".pgm")


def member(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("info", "fault"),
    [
        (member("/tmp/evil.pgm"), "outside the folder"),
        (member("s1/../../evil.pgm"), "outside the folder"),
        (member("..\\evil.pgm"), "outside the folder"),
        (member("C:/evil.pgm"), "outside the folder"),
        (member("s1/evil.pgm", stat.S_IFLNK | 0o777), "link or a device"),
        (member("s1/evil.pgm", stat.S_IFCHR | 0o666), "link or a device"),
        (member("../evil.txt"), "outside the folder"),
    ],
)
def test_unsafe_archives_are_refused_whole(tmp_path, info, fault):
    archive = make_zip(tmp_path / "a.zip", MEMBERS)
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(info, "/etc/passwd")
    for act in (
        lambda: remote.extract(archive, tmp_path / "faces", ".pgm", 1000),
        lambda: remote.digest(archive, ".pgm"),
    ):
        with pytest.raises(DataError, match=fault):
            act()
    assert kept(tmp_path) == ["a.zip"]


def test_an_encrypted_archive_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"1.pgm": b"one"})
    raw = bytearray(archive.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    archive.write_bytes(raw)
    with pytest.raises(DataError, match="encrypted"):
        remote.extract(archive, tmp_path / "faces", ".pgm", 1000)


def test_an_archive_that_unpacks_to_too_much_is_refused(server, tmp_path):
    bomb = make_zip(tmp_path / "bomb.zip", {"1.pgm": bytes(10_000_000)})
    with pytest.raises(DataError, match="unpacks to 10000000 bytes; at most 20000"):
        remote.extract(bomb, tmp_path / "faces", ".pgm", 20_000)
    assert kept(tmp_path) == ["bomb.zip"]
    described = {"name": "x.zip", "suffix": ".pgm"}
    refused(server, tmp_path / "new", data(bomb.read_bytes()), "unpacks to", **described)


def test_a_member_never_unpacks_to_more_than_it_declares(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"1.pgm": bytes(10_000)})
    raw = bytearray(archive.read_bytes())
    size = raw.index(b"PK\x01\x02") + 24
    assert int.from_bytes(raw[size : size + 4], "little") == 10_000
    raw[size : size + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(raw)
    with pytest.raises(DataError, match="cannot be unpacked"):
        remote.extract(archive, tmp_path / "faces", ".pgm", 1000)
    assert kept(tmp_path) == ["a.zip"]


def test_an_archive_without_wanted_members_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"README": b""})
    with pytest.raises(DataError, match=r"no file that ends in '.pgm'"):
        remote.extract(archive, tmp_path / "faces", ".pgm", 1000)


def test_extraction_does_not_mix_with_files_that_are_there(tmp_path):
    archive = make_zip(tmp_path / "a.zip", MEMBERS)
    make_folder(tmp_path / "faces", {"mine.pgm": b"mine"})
    with pytest.raises(DataError, match="not empty; move it away"):
        remote.extract(archive, tmp_path / "faces", ".pgm", 1000)
    assert kept(tmp_path / "faces") == ["mine.pgm"]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_archives_end_in_a_digest_or_in_our_error(tmp_path, edits):
    raw = bytearray(make_zip(tmp_path / "a.zip", MEMBERS).read_bytes())
    for position, value in edits:
        raw[position % len(raw)] = value
    (tmp_path / "b.zip").write_bytes(raw)
    folder = tmp_path / "faces"
    try:
        assert len(remote.digest(tmp_path / "b.zip", ".pgm", 10_000)) == 64
        remote.extract(tmp_path / "b.zip", folder, ".pgm", 10_000)
    except DataError:
        assert not folder.exists()
    else:
        assert sum(path.is_file() for path in folder.rglob("*")) >= 1
        remote._remove(folder)


USUAL = st.sampled_from(["s1/1.pgm", "s1/2.pgm", "s2/1.pgm", "s2/2.pgm"])
ODD = st.sampled_from(["./1.pgm", "a//b.pgm", "../1.pgm", "/1.pgm", "C:1.pgm", "x/.1.pgm", ".pgm"])
LETTERS = st.characters(codec="utf-8", exclude_characters="\0")  # where zipfile ends a name
NAMES = USUAL | ODD | st.text(LETTERS, max_size=9).map(lambda name: name + ".pgm")
SIZES = st.integers(0, 60) | st.just(151)  # one byte more than the cap of the test


def damaged(archive: bytes, edits) -> bytes:
    """Bytes overwritten, then cut at the end."""
    positions, cut = edits
    raw = bytearray(archive)
    for position, value in positions:
        raw[position % len(raw)] = value
    return bytes(raw[: len(raw) - cut])


@st.composite
def archives(draw) -> bytes:
    """A small archive with odd names, whole or damaged, or bytes that are none."""
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w") as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, size in draw(st.lists(st.tuples(NAMES, SIZES), max_size=4)):
            archive.writestr(name, bytes(size), draw(st.sampled_from([0, 8, 12, 14])))
    whole = content.getvalue()
    bytewise = st.tuples(st.integers(0, 600), st.integers(0, 255))
    edits = st.tuples(st.lists(bytewise, max_size=5), st.just(0) | st.integers(0, 40))
    some = edits.map(lambda edits: damaged(whole, edits))
    return draw(st.just(whole) | some | st.binary(max_size=100))


@settings(
    max_examples=600, deadline=5_000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=archives(), whole_names=st.booleans())
def test_any_bytes_give_members_within_the_cap_or_our_error(tmp_path, content, whole_names):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    try:
        members = list(remote.zip_members(path, ".pgm", 150, whole_names))
    except DataError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert sum(len(content) for _, content in members) <= 150
        assert members and all(name.endswith("pgm") for name, _ in members)
        assert all(".." not in Path(name).parts for name, _ in members)
        assert all(name[0] != "/" and ":" not in name for name, _ in members)


def test_a_part_keeps_nobody_from_reading(server, tmp_path):
    path = fetch(server, tmp_path, data(BODY))
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_headers_that_trickle_in_are_given_up(server, tmp_path):
    """No byte is late, but the header never ends."""

    def answer(handler):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
        number = 0
        while not server.released.wait(0.02):
            number += 1
            handler.wfile.write(f"X-{number}: x\r\n".encode())

    start = time.monotonic()
    patience = Patience(silence=0.1, total=5.0, tries=1)
    refused(server, tmp_path, answer, "no complete header in 0.3 s", patience=patience)
    assert time.monotonic() - start < 3


def test_continue_for_ever_is_given_up(server, tmp_path):
    def answer(handler):
        while not server.released.wait(0.01):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    patience = Patience(silence=0.1, total=5.0, tries=1)
    refused(server, tmp_path, answer, "no complete header", patience=patience)


def test_a_rate_below_the_floor_is_given_up_before_the_time_is(server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PROBATION", 0.1)
    start = time.monotonic()
    patience = Patience(silence=1, total=60)
    refused(server, tmp_path, trickle(server), "too slow", patience=patience)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://[::1", "leads to an invalid address"),
        ("http://127.0.0.1:port/x", "leads to an invalid address"),
        ("http:///", "the server answered 404"),  # taken as the top of the same server
        ("//", "the server answered 302 .*infinite loop"),  # taken as the same address
    ],
)
def test_a_redirect_to_a_malformed_address_is_one_sentence(server, tmp_path, address, words):
    refused(server, tmp_path, redirect(address), words, patience=QUICK)


def test_a_download_is_on_the_disk_before_it_has_its_name(server, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append((tmp_path / "file.bin").exists()))
    server.routes["/file.bin"] = data(BODY)
    remote.fetch(RemoteFile("file.bin", server.url("/file.bin"), 10**6, SHA), tmp_path)
    assert synced == [False]
    assert (tmp_path / "file.bin").read_bytes() == BODY


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(server, tmp_path):
    os.mkfifo(tmp_path / "file.bin")
    with pytest.raises(DataError, match=r"file\.bin is a folder or device, not a file"):
        remote.digest(tmp_path / "file.bin")
    assert fetch(server, tmp_path, data(BODY)).read_bytes() == BODY

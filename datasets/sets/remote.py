"""The one download path: part file, size cap, SHA-256, and only then the final name.

``pooch`` (which librosa brings along) was considered. It hashes, retries and renames, but it has no
size cap, no lock between processes, no limit on a download that trickles for ever, and its hash is
that of the container, which differs between two archives of the same pictures. With those four
written anyway, ``urllib`` is the smaller part; the lock is the ``filelock`` library's.
"""

import contextlib
import hashlib
import http.client
import os
import posixpath
import queue
import shutil
import stat
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from datasets import home
from datasets.errors import DataError
from datasets.readers.files import regular_file

CHUNK = 1 << 16  # bytes read at a time


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, and what must be true of it.

    Attributes:
        name: path below the folder it is kept in.
        url: http or https address.
        max_bytes: more than this is refused, as downloaded and, for an archive, as unpacked.
        digest: what ``digest(file, suffix)`` must give; empty for a file that is checked together
            with the folder it belongs to.
        suffix: which members of an archive count, such as ``.png``; empty for all.
    """

    name: str
    url: str
    max_bytes: int
    digest: str
    suffix: str = ""


@dataclass(frozen=True)
class Patience:
    """How long a download may take.

    Attributes:
        silence: seconds to connect, and seconds without a byte, before a try is given up.
        total: seconds for all tries together, however steadily the bytes trickle.
        tries: how often a passing fault (no connection, cut off, server error) is met.
        pause: seconds before the second try; doubled before each later one.
    """

    silence: float = 20.0
    total: float = 600.0
    tries: int = 3
    pause: float = 1.0


PATIENCE = Patience()
HEADERS = 3.0  # times the silence that a server may take for its headers
PROBATION, SLOWEST = 60.0, 1000.0  # seconds after which a rate counts, and bytes per second
LOCK_WAIT = 900.0  # seconds to wait for another run that is fetching the same thing


class _PassingFault(Exception):
    """A fault that another try may mend."""


def fetch(
    file: RemoteFile, folder: str | Path, offline: bool = False, patience: Patience = PATIENCE
) -> Path:
    """Path of the file below ``folder``, downloaded unless it is there with the right digest.

    Runs that fetch the same file at the same time wait for the first one and share its result.

    Raises:
        DataError: network forbidden, server or disk failing, or contents that are not the expected.
    """
    target = Path(folder) / file.name
    with lock(target):
        if target.exists():
            with contextlib.suppress(DataError):  # it is damaged or another: fetched again
                check(target, file.digest, file.suffix, file.max_bytes)
                return target
        return download(file, folder, offline, patience)


def download(
    file: RemoteFile, folder: str | Path, offline: bool = False, patience: Patience = PATIENCE
) -> Path:
    """As ``fetch``, but without a look at what is there; the caller holds the lock."""
    if home.offline(offline):
        raise DataError(
            f"The network is forbidden (--offline or METAZOO_OFFLINE): {file.url} was not fetched."
        )
    target = Path(folder) / file.name
    with part_of(target) as part:
        _stream_with_retries(file, part, patience)
        if file.digest:
            check(part, file.digest, file.suffix, file.max_bytes, name=file.url)
    return target


# --- files and folders that appear whole or not at all --------------------------------------------


@contextlib.contextmanager
def part_of(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write a file or folder at; it takes the target's name at the end.

    On any error or interruption the part is removed. A part that a killed process left behind is
    removed by the next run, which holds the lock and so is the only one to write there.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and any(target.iterdir()):
            raise DataError(f"{target} is there and not empty; move it away and start again.")
        _remove(part)
        try:
            yield part
            part.replace(target)
        finally:
            _remove(part)
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror or error}.") from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(target: Path) -> Iterator[None]:
    """Keep other processes from writing ``target`` meanwhile; they wait, and say so.

    The lock is the operating system's on a hidden file beside the target, so a process that dies
    frees it; the file itself stays and means nothing.
    """
    from filelock import FileLock, Timeout  # here, because listing the sets does not need it

    guard = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            guard.acquire(timeout=0)
        except Timeout:
            print(f"Waiting for another run that is fetching {target} ...", file=sys.stderr)
            guard.acquire(timeout=LOCK_WAIT)
    except Timeout:
        raise DataError(
            f"Another run has been fetching {target} for {LOCK_WAIT / 60:.0f} minutes; end it and "
            "start again."
        ) from None
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        guard.release()


# --- the network ----------------------------------------------------------------------------------


def _opener() -> urllib.request.OpenerDirector:
    """urllib without file:, ftp: and data: addresses, so redirects to these fail too."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPRedirectHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _stream_with_retries(file: RemoteFile, part: Path, patience: Patience) -> None:
    deadline = time.monotonic() + patience.total
    for attempt in range(patience.tries):
        try:
            with part.open("wb") as out:
                for chunk in _chunks(file, patience.silence, deadline):
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            return
        except _PassingFault as fault:
            pause = patience.pause * 2**attempt
            if attempt + 1 == patience.tries or time.monotonic() + pause > deadline:
                raise DataError(
                    f"Could not download {file.url} (try {attempt + 1}): {fault}."
                ) from fault
            time.sleep(pause)


def _chunks(file: RemoteFile, silence: float, deadline: float) -> Iterator[bytes]:
    """The bytes of the body. Every network error leaves as a passing fault or a DataError."""
    request = urllib.request.Request(file.url, headers={"User-Agent": "metazoo"})
    try:
        with _answer(request, silence, deadline) as response:
            yield from _body(file, response, deadline)
    except urllib.error.HTTPError as error:
        reason = f"the server answered {error.code} {error.reason}".replace("\n", " ")
        if error.code >= 500 or error.code in (408, 425, 429):
            raise _PassingFault(reason) from error
        raise DataError(f"Could not download {file.url}: {reason}.") from error
    except urllib.error.URLError as error:
        raise _PassingFault(f"no connection ({error.reason})") from error
    except TimeoutError as error:
        raise _PassingFault(f"the server was silent for {silence:g} s") from error
    except (ValueError, http.client.InvalidURL) as error:  # of a redirect
        raise DataError(f"{file.url} leads to an invalid address ({error}).") from error
    except (http.client.HTTPException, OSError) as error:
        raise _PassingFault(f"the connection broke ({error!r})") from error


def _answer(request, silence: float, deadline: float):
    """The response with its headers, which may not trickle in for ever.

    The limit of a socket is for each read: a byte now and then, or "100 Continue" again and again,
    would never reach it. So a thread waits for the headers, and is left behind when it is too late.
    """
    answers = queue.SimpleQueue()

    def ask():
        try:
            answers.put((_opener().open(request, timeout=silence), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=ask, daemon=True).start()
    limit = max(min(HEADERS * silence, deadline - time.monotonic()), 0.0)
    try:
        response, error = answers.get(timeout=limit)
    except queue.Empty:
        raise _PassingFault(f"no complete header in {limit:.3g} s") from None
    if error is not None:
        raise error
    return response


def _body(file: RemoteFile, response, deadline: float) -> Iterator[bytes]:
    began = time.monotonic()
    length = response.length or 0  # 0 where the server does not say
    if length > file.max_bytes:
        raise DataError(f"{file.url} is {length} bytes; at most {file.max_bytes} are accepted.")
    received = 0
    # read1 returns what has arrived; read would wait for a full chunk while bytes trickle in.
    while chunk := response.read1(CHUNK):
        if received == 0 and _is_html(chunk, response.headers.get_content_type()):
            raise DataError(
                f"{file.url} answered with a web page (HTML) instead of data: a login page, a "
                "proxy's notice, or the file has moved; open the address in a browser to see."
            )
        received += len(chunk)
        if received > file.max_bytes:
            raise DataError(f"{file.url} sends more than the {file.max_bytes} bytes accepted.")
        yield chunk
        now = time.monotonic()
        slow = now - began > PROBATION and received / (now - began) < SLOWEST
        if slow or now > deadline:
            raise DataError(f"{file.url} is too slow: {received} bytes so far, given up.")
    if received < length:  # with chunked transfer the library itself notices the cut
        raise _PassingFault(f"cut off after {received} of {length} bytes")


def _is_html(start: bytes, content_type: str) -> bool:
    return content_type == "text/html" or start.lstrip()[:14].lower().startswith(
        (b"<!doctype html", b"<html")
    )


# --- contents -------------------------------------------------------------------------------------


def digest(path: str | Path, suffix: str = "", max_bytes: int = 1 << 30) -> str:
    """SHA-256 of a file or, for a folder or a zip archive, of what it contains.

    The contents are every file whose name ends in ``suffix``, in order of the names: name, length,
    bytes. Names count from the deepest folder that holds all of them, and directory entries, hidden
    files and ``__MACOSX`` do not count: a folder, its archive, and an archive packed by somebody
    else give the same digest.

    Raises:
        DataError: unsafe or damaged archive, no such member, or more than ``max_bytes`` unpacked.
    """
    path = Path(path)
    sha = hashlib.sha256()
    try:
        if not path.is_dir() and not zipfile.is_zipfile(regular_file(path, sys.maxsize)):
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        if path.is_dir():
            members = _in_folder(path, suffix)
        else:
            members = zip_members(path, suffix, max_bytes, whole_names=False)
        for name, content in members:
            sha.update(f"{name}\0{len(content)}\0".encode())
            sha.update(content)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    return sha.hexdigest()


def check(
    path: Path, expected: str, suffix: str = "", max_bytes: int = 1 << 30, name: str = ""
) -> None:
    """DataError, in which the data go by ``name``, unless their digest is the expected one."""
    found = digest(path, suffix, max_bytes)
    if found != expected:
        raise DataError(
            f"{name or path} does not hold the expected data: SHA-256 {found[:16]}..., expected "
            f"{expected[:16]}..."
        )


def extract(archive: str | Path, folder: str | Path, suffix: str, max_bytes: int) -> Path:
    """Unpack the members that end in ``suffix`` into the new folder ``folder``, all or none.

    Names count from the deepest folder that holds all members, as for ``digest``. The caller holds
    the lock of the folder.

    Raises:
        DataError: unsafe or damaged archive, no such member, more than ``max_bytes`` unpacked, or
            a folder that cannot be written or is not empty.
    """
    folder = Path(folder)
    with part_of(folder) as part:
        for name, content in zip_members(Path(archive), suffix, max_bytes, whole_names=False):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(content)
    return folder


def _in_folder(path: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the wanted files, in order of the names."""
    files = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    for name, member in _wanted(files, suffix, path):
        yield name, (path / member).read_bytes()


def zip_members(
    path: Path, suffix: str, max_bytes: int, whole_names: bool = True
) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the wanted members, in order of the names.

    An unsafe or too large archive, or one that holds a name twice, gives nothing at all.

    Args:
        path: a zip archive.
        suffix: ending of the members that count.
        max_bytes: of all members unpacked.
        whole_names: names as the archive has them, otherwise from the deepest folder that holds
            all wanted members.

    Raises:
        DataError: unsafe, damaged or encrypted archive, or no such member.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            for info in infos:
                if fault := _unsafe(info):
                    raise DataError(f"{path} is refused: {fault} ({info.filename!r}).")
            # zipfile never hands out more than the declared size of a member.
            unpacked = sum(info.file_size for info in infos)
            if unpacked > max_bytes:
                raise DataError(
                    f"{path} unpacks to {unpacked} bytes; at most {max_bytes} are accepted."
                )
            names = Counter(info.filename for info in infos)
            twice = [name for name, count in names.items() if count > 1]
            if twice:
                raise DataError(f"{path} holds {twice[0]!r} twice; it is not the published file.")
            for name, member in _wanted(names, suffix, path):
                yield member if whole_names else name, archive.read(member)
    except DataError:
        raise
    except Exception as error:  # zipfile meets damage with a dozen different exceptions
        raise DataError(f"{path} cannot be unpacked ({error!r}).") from error


def _unsafe(info: zipfile.ZipInfo) -> str:
    """What is wrong with an archive member, or the empty string."""
    name = PurePosixPath(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)  # the Unix file type; 0 where none was stored
    if name.is_absolute() or ".." in name.parts or "\\" in info.filename or ":" in info.filename:
        return "a member is named outside the folder"
    if kind not in (0, stat.S_IFREG):
        return "a member is a link or a device"
    return ""


def _wanted(names: Iterable[str], suffix: str, path: Path) -> list[tuple[str, str]]:
    """Sorted (name from the deepest folder that holds all wanted files, name)."""
    wanted = [name for name in names if name.endswith(suffix) and not _is_clutter(name)]
    if not wanted:
        raise DataError(f"{path} holds no file that ends in {suffix!r}.")
    top = posixpath.commonpath([posixpath.dirname(name) for name in wanted])
    return sorted((posixpath.normpath(name).removeprefix(top).lstrip("/"), name) for name in wanted)


def _is_clutter(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)

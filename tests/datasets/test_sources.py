"""Look-up order, downloads of whole sets, and the digests shipped for the real ones."""

import dataclasses
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datasets.errors import DataError
from datasets.sets import remote, sources
from tests.datasets.local_server import LocalServer, data, status

NAMES = ("omniglot", "orl_faces", "cats_dogs", "spoken_digits", "emoji")
EMOJI_FILES = [part.layouts[0] for part in sources.EMOJI_PARTS]
SAID = sources.DIGIT_NAMES[::1199]  # the first and the last recording
REQUESTS = {
    "cats_dogs": 42,
    "omniglot": 2,
    "emoji": 9,
    "spoken_digits": 2,
}  # of a whole download, if not one
REAL = Path(os.environ.get("METAZOO_DATA", ""))  # where unset, real_data tests are skipped

# Small sets in the layout of the real ones: folder of the set -> file -> content.
PAINTED = {
    "omniglot": {
        f"images_{alphabet}/character{c:02d}/{c:04d}_{d:02d}.png": f"{alphabet}{c}{d}".encode()
        for alphabet in ("background/Greek", "background/Latin", "evaluation/Tengwar")
        for c in (1, 2)
        for d in (1, 2)
    },
    "orl_faces": {f"s{s}/{i}.pgm": f"P5 {s} {i}".encode() for s in range(1, 41) for i in (1, 2)},
    "audio_cats_dogs": {name: f"RIFF {name}".encode() for name in sources.CLIP_NAMES},
    "spoken_digits": {name: f"RIFF {name}".encode() for name in SAID},
    "emoji": {name: f'{{"prefix": "{name}"}}'.encode() for name in EMOJI_FILES},
}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server, an empty cache folder, and no other data folder."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("METAZOO_OFFLINE", raising=False)
    monkeypatch.delenv("METAZOO_DATA", raising=False)
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    with LocalServer() as server:
        point_to(server, monkeypatch)
        yield server


def point_to(server, monkeypatch):
    """The real names at the addresses of the local server."""
    faces = dataclasses.replace(sources.FACES_ARCHIVE, url=server.url("/att_faces.zip"))
    monkeypatch.setattr(sources, "OMNIGLOT_URL", server.url("/omniglot/"))
    monkeypatch.setattr(sources, "FACES_ARCHIVE", faces)
    monkeypatch.setattr(sources, "CLIPS_URL", server.url("/audio/"))
    monkeypatch.setattr(sources, "DIGITS_URL", server.url("/recordings/"))
    monkeypatch.setattr(sources, "EMOJI_URL", server.url("/json/"))


@pytest.fixture
def painted(server, tmp_path, monkeypatch):
    """The small sets are published: on the server, and with their digests in ``sources``."""
    write(tmp_path / "original", PAINTED)
    for name, source in sources.SOURCES.items():
        folder = tmp_path / "original" / source.folder
        parts = tuple(
            dataclasses.replace(part, digest=remote.digest(part.find(folder), part.suffix))
            for part in source.parts
        )
        monkeypatch.setitem(sources.SOURCES, name, dataclasses.replace(source, parts=parts))
    monkeypatch.setattr(sources, "OMNIGLOT_PARTS", sources.SOURCES["omniglot"].parts)
    monkeypatch.setattr(sources, "CLIPS_PART", sources.SOURCES["cats_dogs"].parts[0])
    monkeypatch.setattr(sources, "DIGITS_PART", sources.SOURCES["spoken_digits"].parts[0])
    monkeypatch.setattr(sources, "DIGIT_NAMES", SAID)
    monkeypatch.setattr(sources, "EMOJI_PARTS", sources.SOURCES["emoji"].parts)
    faces_digest = sources.SOURCES["orl_faces"].parts[0].digest
    archive = dataclasses.replace(sources.FACES_ARCHIVE, digest=faces_digest)
    monkeypatch.setattr(sources, "FACES_ARCHIVE", archive)
    for part in ("images_background", "images_evaluation"):
        members = {n: c for n, c in PAINTED["omniglot"].items() if n.startswith(part)}
        server.routes[f"/omniglot/{part}.zip"] = data(packed(members))
    faces = {f"orl_faces/{name}": content for name, content in PAINTED["orl_faces"].items()}
    server.routes["/att_faces.zip"] = data(packed({"README": b"credit", "orl_faces/": b""} | faces))
    for name, content in PAINTED["audio_cats_dogs"].items():
        server.routes[f"/audio/{name}"] = data(content)
    for name, content in PAINTED["spoken_digits"].items():
        server.routes[f"/recordings/{name}"] = data(content)
    for name, content in PAINTED["emoji"].items():
        server.routes[f"/json/{name}"] = data(content)
    return server


def write(data_folder: Path, sets: dict) -> Path:
    for folder, files in sets.items():
        for name, content in files.items():
            path = data_folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return data_folder


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# --- look-up --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_argument_before_environment_before_cache(server, tmp_path, monkeypatch, name):
    argument, environment, cache = (
        write(tmp_path / place, PAINTED) for place in ("argument", "environment", "cache")
    )
    folder = sources.SOURCES[name].folder
    assert sources.locate(name, offline=True) == cache / folder
    monkeypatch.setenv("METAZOO_DATA", str(environment))
    assert sources.locate(name, offline=True) == environment / folder
    assert sources.locate(name, argument, offline=True) == argument / folder
    assert sources.locate(name, tmp_path / "empty", offline=True) == environment / folder


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("omniglot", ["images_background.zip", "images_evaluation.zip"]),
        ("omniglot", ["images_background/Greek/x", "images_evaluation.zip"]),
        ("orl_faces", ["att_faces.zip"]),
        ("emoji", EMOJI_FILES),
    ],
)
def test_all_layouts_are_accepted(server, tmp_path, name, files):
    folder = sources.SOURCES[name].folder
    write(tmp_path / "data", {folder: dict.fromkeys(files, b"x")})
    assert sources.locate(name, tmp_path / "data", offline=True) == tmp_path / "data" / folder


@pytest.mark.parametrize(
    ("name", "files", "lacking"),
    [
        ("omniglot", ["images_background.zip"], "images_evaluation or images_evaluation.zip"),
        ("orl_faces", ["s1/1.pgm", "s2/1.pgm"], "att_faces.zip or s1 ... s40"),
        ("cats_dogs", ["Cats/cat_1.wav"], "Cats ... Sub_dogs"),
        ("spoken_digits", [SAID[0]], f"{SAID[0]} ... {SAID[1]}"),
        ("emoji", EMOJI_FILES[:-2], "emojione-monotone.json, emojione-v1.json"),
    ],
)
def test_an_incomplete_folder_is_passed_over_and_named(server, tmp_path, name, files, lacking):
    folder = sources.SOURCES[name].folder
    write(tmp_path / "data", {folder: dict.fromkeys(files, b"x")})
    with pytest.raises(DataError) as error:
        sources.locate(name, tmp_path / "data", offline=True)
    assert f"{tmp_path / 'data' / folder} (without {lacking})" in str(error.value)


def test_empty_folders_are_no_set(server, tmp_path):
    for part in ("images_background", "images_evaluation"):
        (tmp_path / "cache" / "omniglot" / part).mkdir(parents=True)
    assert sources.find("omniglot") is None


@pytest.mark.parametrize("name", NAMES)
def test_offline_names_folders_and_ways_out_and_asks_no_server(
    painted, tmp_path, monkeypatch, name
):
    monkeypatch.setenv("METAZOO_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError) as by_flag:
        sources.locate(name, tmp_path / "argument", offline=True)
    monkeypatch.setenv("METAZOO_OFFLINE", "1")
    with pytest.raises(DataError) as by_environment:
        sources.locate(name, tmp_path / "argument")
    assert str(by_flag.value) == str(by_environment.value)
    folder = sources.SOURCES[name].folder
    for place in ("argument", "data", "cache"):
        assert str(tmp_path / place / folder) in str(by_flag.value)
    for way_out in ("copy", "METAZOO_DATA", "--offline", f"`python -m datasets get {name}`"):
        assert way_out in str(by_flag.value)
    assert painted.requests == []
    assert not (tmp_path / "cache").exists()


# --- downloads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_set_is_downloaded_once_and_verified(painted, tmp_path, name):
    folder = sources.locate(name)
    assert folder == tmp_path / "cache" / sources.SOURCES[name].folder
    assert sources.verify(name) == folder
    requests = len(painted.requests)
    assert sources.locate(name) == sources.fetch(name, tmp_path / "cache") == folder
    assert len(painted.requests) == requests == REQUESTS.get(name, 1)
    left = [
        path.name for path in (tmp_path / "cache").rglob("*") if not path.name.endswith(".lock")
    ]
    assert not [path for path in left if path.endswith(".part") or path == "att_faces.zip"]


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_share_one_download(painted, tmp_path, name):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(sources.locate, [name, name])
    assert first == second == sources.verify(name)
    assert len(painted.requests) == len(set(painted.requests))


def test_faces_and_sounds_arrive_as_folders(painted, tmp_path):
    for name in ("orl_faces", "cats_dogs", "spoken_digits"):
        folder = sources.locate(name)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        assert files == PAINTED[folder.name]


def test_only_the_missing_half_of_omniglot_is_fetched(painted, tmp_path):
    background = {n: c for n, c in PAINTED["omniglot"].items() if "background" in n}
    write(tmp_path / "cache", {"omniglot": background})
    sources.locate("omniglot")
    assert painted.requests == ["/omniglot/images_evaluation.zip"]


def test_only_the_missing_files_of_the_emoji_are_fetched(painted, tmp_path):
    kept = {name: PAINTED["emoji"][name] for name in EMOJI_FILES[2:]}
    write(tmp_path / "cache", {"emoji": kept})
    sources.locate("emoji")
    assert painted.requests == [f"/json/{name}" for name in EMOJI_FILES[:2]]


def test_an_emoji_file_that_is_missing_is_named_and_the_rest_is_kept(painted, tmp_path):
    painted.routes[f"/json/{EMOJI_FILES[3]}"] = status(404)
    with pytest.raises(DataError, match=f"{EMOJI_FILES[3]}: the server answered 404.*Ways out"):
        sources.locate("emoji")
    kept = [path.name for path in (tmp_path / "cache" / "emoji").glob("*.json")]
    assert sorted(kept) == sorted(EMOJI_FILES[:3])


@pytest.mark.parametrize("name", NAMES)
def test_wrong_contents_leave_no_set(painted, tmp_path, name):
    wrong = packed({"images_x/A/1.png": b"x"} | {f"s{i}/1.pgm": b"x" for i in range(1, 41)})
    single = "/att_faces.zip", "/audio/Cats/cat_3.wav", f"/recordings/{SAID[1]}"
    for path in ("/omniglot/images_evaluation.zip", *single):
        painted.routes[path] = data(wrong)
    painted.routes["/json/twemoji.json"] = data(b"{}")
    with pytest.raises(DataError, match="expected data: SHA-256"):
        sources.locate(name)
    assert sources.find(name) is None
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_clip_that_is_missing_leaves_no_folder(painted, tmp_path):
    painted.routes["/audio/Sub_dogs/dog_barking_83.wav"] = status(404)
    with pytest.raises(DataError, match=r"dog_barking_83.wav: the server answered 404.*Ways out"):
        sources.locate("cats_dogs")
    assert not (tmp_path / "cache" / "audio_cats_dogs").exists()


def test_a_folder_in_the_way_is_not_touched(painted, tmp_path):
    write(tmp_path / "cache", {"audio_cats_dogs": {"Cats/mine.wav": b"mine"}})
    with pytest.raises(DataError, match="not empty; move it away"):
        sources.locate("cats_dogs")
    assert (tmp_path / "cache" / "audio_cats_dogs" / "Cats" / "mine.wav").read_bytes() == b"mine"
    assert painted.requests == []


@pytest.mark.parametrize("name", NAMES)
def test_verify_notices_one_changed_file(painted, tmp_path, name):
    folder = sources.SOURCES[name].folder
    root = write(tmp_path / "data", PAINTED)
    assert sources.verify(name, root) == root / folder
    (root / folder / list(PAINTED[folder])[-1]).write_bytes(b"changed")
    with pytest.raises(DataError, match=f"Move it away and run `python -m datasets get {name}`"):
        sources.verify(name, root)


def test_verify_says_when_there_is_nothing(server, tmp_path):
    with pytest.raises(DataError, match=f"missing. Searched: {tmp_path}/cache/orl_faces."):
        sources.verify("orl_faces")


def test_a_path_that_cannot_be_read_is_named(server):
    with pytest.raises(DataError, match="Cannot read xxx.*: File name too long"):
        sources.locate("omniglot", "x" * 300, offline=True)


# --- the published sets ---------------------------------------------------------------------------


def test_the_catalogue_matches_the_file_names():
    assert len(set(sources.CLIP_NAMES)) == sources.CLIPS_PART.files
    assert len(set(sources.DIGIT_NAMES)) == sources.DIGITS_PART.files == 1200
    assert sum(part.files for part in sources.OMNIGLOT_PARTS) == 1623 * 20
    assert len(set(EMOJI_FILES)) == 9
    for source in sources.SOURCES.values():
        assert all(len(bytes.fromhex(part.digest)) == 32 for part in source.parts)


@pytest.mark.real_data
@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_digests_are_those_of_the_published_sets(server, name):
    folder = REAL / sources.SOURCES[name].folder
    if sources.SOURCES[name].missing(folder):
        pytest.skip(f"METAZOO_DATA holds no {name}")
    assert sources.verify(name, REAL) == folder
    for part in sources.SOURCES[name].parts:
        path = part.find(folder)
        if path.is_dir():
            found = len(list(path.rglob(f"*{part.suffix}")))
        elif path.suffix == part.suffix:
            found = 1
        else:
            found = sum(n.endswith(part.suffix) for n in zipfile.ZipFile(path).namelist())
        assert found == part.files


@pytest.mark.real_data
@pytest.mark.parametrize("name", NAMES)
def test_the_published_sets_pass_through_a_download(server, tmp_path, name):
    """Served as their owners serve them, they end up verified in the cache."""
    folder = REAL / sources.SOURCES[name].folder
    archives = [*folder.glob("*.zip")]
    if name in ("omniglot", "orl_faces") and len(archives) != len(sources.SOURCES[name].parts):
        pytest.skip(f"METAZOO_DATA holds no archives of {name}")
    for path in archives:
        prefix = "/omniglot/" if name == "omniglot" else "/"
        server.routes[prefix + path.name] = data(path.read_bytes())
    for clip in folder.glob("*/*.wav"):
        server.routes[f"/audio/{clip.relative_to(folder).as_posix()}"] = data(clip.read_bytes())
    for path in folder.glob("*.wav"):
        server.routes[f"/recordings/{path.name}"] = data(path.read_bytes())
    for path in folder.glob("*.json"):
        server.routes[f"/json/{path.name}"] = data(path.read_bytes())
    assert sources.locate(name) == tmp_path / "cache" / sources.SOURCES[name].folder
    sources.verify(name)

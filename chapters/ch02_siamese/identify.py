"""One-shot use: one picture of each of several people, then name a new picture.

python -m chapters.ch02_siamese.identify --run RUN --support FOLDER --query FILE [FILE ...]

FOLDER holds one picture of each person, named after them (``ada.png``, ``ben.jpg``), or a folder of
pictures for each person. With a run of ``train_audio`` the files are sounds instead.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from chapters.ch02_siamese import faces, plots, sounds
from chapters.ch02_siamese.models import NearestNeighbour
from chapters.ch02_siamese.presets import AudioConfig, FacesConfig, SiameseConfig
from chapters.engine import files, script
from chapters.engine.configuration import Parser
from chapters.engine.errors import RunError
from datasets.errors import DataError
from datasets.readers.folder import SUFFIXES


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    options = parse(argv)
    learner, threshold, config = load_run(Path(options.run))
    kind = "image" if isinstance(config, FacesConfig) else "sound"
    names, paths, labels = support_set(Path(options.support), kind)
    support, support_x = read(paths, config)
    queries, query_x = read([Path(path) for path in options.query], config)

    found = learner.serving()(support_x, np.array(labels, np.int32), query_x)
    distance, probability = (found[key].numpy() for key in ("distance", "probabilities"))
    answers = []
    for path, row, chances in zip(options.query, distance, probability, strict=True):
        order = np.argsort(row, kind="stable").tolist()
        answers.append(
            {
                "query": path,
                "name": names[order[0]],
                "known": bool(row[order[0]] < threshold),
                "distances": {names[k]: round(float(row[k]), 4) for k in order},
                "probabilities": {names[k]: round(float(chances[k]), 4) for k in order},
            }
        )
    if options.json:
        print(json.dumps({"threshold": threshold, "answers": answers}, indent=2))
    else:
        print("\n".join(sentence(answer, threshold) for answer in answers))
    if options.picture:
        first_of = [labels.index(k) for k in range(len(names))]
        compared = support[first_of]  # [name, ...]
        figure = plots.identification(queries, compared, names, distance, probability, threshold)
        files.write_figure(Path(options.picture), figure)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Command line to options; ConfigError when it does not fit."""
    summary, *_, usage = (__doc__ or "").split("\n\n")
    parser = Parser(description=summary, epilog=usage, allow_abbrev=False)
    parser.add_argument("--run", required=True, help="run folder of train_faces or train_audio")
    parser.add_argument(
        "--support", required=True, help="folder with a picture of each person, named after them"
    )
    parser.add_argument("--query", required=True, nargs="+", help="pictures to be named")
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    parser.add_argument("--picture", default="", help="draw queries and answers into this file")
    return parser.parse_args(argv)


def load_run(folder: Path) -> tuple[NearestNeighbour, float, SiameseConfig]:
    """The trained learner of a run, its threshold and its options.

    Raises:
        RunError: the folder holds no finished run of this chapter.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        decision = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
        kind = {
            "chapters.ch02_siamese.train_faces": "image",
            "chapters.ch02_siamese.train_audio": "sound",
        }[config.pop("script")]
        module, options = (faces, FacesConfig) if kind == "image" else (sounds, AudioConfig)
        config = options(**config)
        learner = module.build_learner(config)
        learner.use_decision(decision)
        learner.load_weights(folder / "model.weights.h5")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder} holds no finished run of train_faces or train_audio ({error}); train one "
            "first."
        ) from error
    return learner, learner.threshold, config


def support_set(folder: Path, kind: str) -> tuple[list[str], list[Path], list[int]]:
    """Names, files, and each file's number among the names.

    Raises:
        DataError: no folder, or fewer than two names.
    """
    if not folder.is_dir():
        raise DataError(f"--support {folder} is not a folder; give one with a {kind} of each.")
    names, paths, labels = [], [], []
    for entry in sorted(entry for entry in folder.iterdir() if entry.name[0] != "."):
        files = sorted(entry.iterdir()) if entry.is_dir() else [entry]
        files = [file for file in files if file.suffix.lower() in SUFFIXES[kind]]
        if files:
            paths += files
            labels += [len(names)] * len(files)
            names.append(entry.name if entry.is_dir() else entry.stem)
    if len(names) < 2:
        raise DataError(
            f"{folder} holds {kind}s of {len(names)} name(s), but naming needs at least 2 "
            f"to choose from; add one {kind} of each."
        )
    return names, paths, labels


def read(paths: list[Path], config: SiameseConfig) -> tuple[np.ndarray, np.ndarray]:
    """Files as they are drawn [item, height, width], and as the network sees them."""
    if isinstance(config, AudioConfig):
        features = np.stack([sounds.audio2vector(path) for path in paths])
        return features, features  # [item, coefficient, frame]
    pictures = np.stack([faces.read_image(path) for path in paths])  # [item, 112, 92]
    return pictures, faces.fit_size(pictures, config)[..., None].astype(np.float32) * (1 / 255)


def sentence(answer: dict, threshold: float) -> str:
    """An answer in words."""
    name = answer["name"]
    others = ", ".join(f"{n} {d:.2f}" for n, d in answer["distances"].items())
    doubt = "" if answer["known"] else f" (further than {threshold:.2f}: perhaps none of them)"
    return (
        f"{answer['query']}: {name}{doubt}, probability {answer['probabilities'][name]:.2f}; "
        f"distances: {others}"
    )


if __name__ == "__main__":
    script.run(main)

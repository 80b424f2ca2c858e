"""Configuration: a frozen dataclass per script, named presets, and the command line made from both.

Order of precedence: defaults of the dataclass, then the preset, then the command line. Unknown
names are errors everywhere. Nothing here imports TensorFlow, so presets can be listed at once.
"""

import argparse
import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn

from chapters.engine.errors import ConfigError


class Script(NamedTuple):
    """What a chapter's ``presets.py`` declares about one of its scripts."""

    summary: str  # one line
    config: type  # frozen dataclass
    presets: dict[str, dict[str, Any]]  # the first one is the default


class Model(NamedTuple):
    """What a chapter's ``presets.py`` declares about one model of the zoo, as text: no imports."""

    script: str  # key of SCRIPTS whose run made it
    build: str  # "module:function", (options, decision or None) -> learner without trained weights
    items: str  # what it takes: "image", "face", "sound", "number" (curves), "sequence"
    evaluate: str = ""  # "module:function", (learner, options, Asked) -> rows as in metrics.json
    read: str = ""  # "module:function", (files, options) -> float32 [item, ...]; none for curves
    picture: str = ""  # "module:function", (learner, options, inches) -> figure; usually the zoo's


def option(default, help: str, choices: Iterable = (), minimum=None):
    """A field of a configuration: default, one line of help, and what is allowed."""
    metadata = {"help": help, "choices": tuple(choices), "minimum": minimum}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Options that every script has."""

    preset: str = option("", "named set of options")
    run: str = option("", "folder for the results (default: runs/<script>/<preset>)")
    resume: bool = option(False, "go on where the newest complete checkpoint of the run stopped")
    seed: int = option(0, "seed of weights and data; the same seed gives the same run", minimum=0)
    data_root: str = option("", "data folder searched before METAZOO_DATA and the cache")
    offline: bool = option(False, "never download (METAZOO_OFFLINE=1 does the same)")
    export: str = option("", "write the trained model as a SavedModel into this folder")
    strategy: str = option(
        "none",
        "distribution over devices; multiworker reads TF_CONFIG",
        choices=("none", "mirrored", "multiworker"),
    )


# Options that may change between a run and its continuation.
FREE_ON_RESUME = ("run", "resume", "data_root", "offline", "export")


def parse(script: Script, argv: list[str] | None = None):
    """Command line to configuration.

    Raises:
        ConfigError: unknown option or preset, value of the wrong type or out of range.
    """
    parser = _parser(script)
    given = vars(parser.parse_args(argv))
    preset = given.get("preset", next(iter(script.presets)))
    return build(script, preset, {**given, "preset": preset})


def build(script: Script, preset: str, changes: dict[str, Any]):
    """Configuration of a preset with some options changed."""
    if preset not in script.presets:
        raise ConfigError(
            f"Unknown preset {preset!r}{suggest(preset, script.presets)}; "
            f"the presets are {', '.join(script.presets)}."
        )
    values = {**script.presets[preset], **changes}
    known = {field.name: field for field in dataclasses.fields(script.config)}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"Unknown option {name!r}{suggest(name, known)}.")
        _check(known[name], value)
    return script.config(**values)


def suggest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean ...?)`` when something known is close, otherwise nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _check(field: dataclasses.Field, value) -> None:
    flag = "--" + field.name.replace("_", "-")
    choices, minimum = field.metadata["choices"], field.metadata["minimum"]
    if choices and value not in choices:
        raise ConfigError(
            f"{flag} is {value!r}{suggest(str(value), map(str, choices))}; "
            f"it must be one of {', '.join(map(str, choices))}."
        )
    if minimum is not None and not value >= minimum:
        raise ConfigError(f"{flag} is {value}; it must be at least {minimum}.")


class _Parser(argparse.ArgumentParser):
    """argparse that reports one sentence through ConfigError."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            first = unknown.split()[0].split("=")[0]
            flags = [flag for action in self._actions for flag in action.option_strings]
            message = f"Unknown option {first}{suggest(first, flags)}; see --help"
        raise ConfigError(message.rstrip(".") + ".")


def _parser(script: Script) -> _Parser:
    lines = [f"  {name}: {_shown(values)}" for name, values in script.presets.items()]
    parser = _Parser(
        description=script.summary,
        epilog="presets, whose values replace the defaults above (the first is used when none is "
        "named):\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,  # only what was typed, so that presets can show
    )
    for field in dataclasses.fields(script.config):
        flag = "--" + field.name.replace("_", "-")
        text = field.metadata["help"]
        if field.name == "preset":
            parser.add_argument(flag, help=f"{text}: {', '.join(script.presets)}")
        elif isinstance(field.default, bool):
            action = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=action, help=f"{text} (default: {field.default})")
        else:
            kind = type(field.default)
            choices = field.metadata["choices"]
            shown = "|".join(map(str, choices)) if choices else kind.__name__.upper()
            default = f" (default: {field.default})" if field.default != "" else ""
            parser.add_argument(flag, type=kind, metavar=shown, help=f"{text}{default}")
    return parser


def _shown(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "defaults"

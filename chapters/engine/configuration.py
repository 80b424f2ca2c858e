"""Configuration: a frozen dataclass per script, named presets, and the command line made from both.

Order of precedence: defaults of the dataclass, then the preset, then the command line. Unknown
names are errors everywhere. Nothing here imports TensorFlow, so presets can be listed at once.
"""

import argparse
import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn

from chapters.engine.errors import ConfigError

# Upper ends of options that name none: far above any use, far below what overflows.
LARGEST = {int: 10**9, float: 1e38}
LONGEST = 4096  # characters of a text, such as a path


class Script(NamedTuple):
    """What a chapter's ``presets.py`` declares about one of its scripts."""

    summary: str  # one line
    config: type  # frozen dataclass
    presets: dict[str, dict[str, Any]]  # the first one is the default
    without: dict[str, str] = {}  # options of every script that do not apply to this one: why


class System(NamedTuple):
    """What a chapter's ``presets.py`` declares about one system of the book, for the first page."""

    name: str
    what: str  # it does, in a line
    model: str  # of the zoo, whose figure stands for it


class Model(NamedTuple):
    """What a chapter's ``presets.py`` declares about one model of the zoo, as text: no imports."""

    script: str  # key of SCRIPTS whose run made it
    build: str  # "module:function", options -> learner without trained weights
    items: str  # what it takes, a file of ``zoo/kinds``: "image", "sound", "number" (of curves)
    evaluate: str = ""  # "module:function", (learner, options, Conditions) -> rows of metrics.json
    read: str = ""  # "module:function", (files, options) -> float32 [item, ...]; none for curves
    describe: str = ""  # "module:function", (texts, options) -> float32 [class, word]
    picture: str = ""  # "module:function", (learner, options, inches) -> figure; usually the zoo's


def option(
    default,
    help: str,
    choices: Iterable = (),
    minimum=None,
    maximum=None,
    check: Callable[[str, str], Any] | None = None,
    only: tuple | list[tuple] = (),
):
    """A field of a configuration.

    Args:
        default: its type is that of the option.
        help: one line.
        choices: the values that are allowed, if they can be counted.
        minimum, maximum: ends of a number; every number has an upper end, see ``LARGEST``.
        check: (text, flag) -> anything; raises ConfigError where a text does not fit.
        only: name of another option and the values of it without which this one has no effect,
            such as ``("method", "maml", "adml")``; or a list of these, all of which must hold.
    """
    metadata = {
        "help": help,
        "choices": tuple(choices),
        "minimum": minimum,
        "maximum": LARGEST.get(type(default)) if maximum is None else maximum,
        "check": check,
        "only": _conditions(only),
    }
    return dataclasses.field(default=default, metadata=metadata)


def _conditions(only) -> list[tuple]:
    return only if isinstance(only, list) else [only] * bool(only)


def changed(options: type, name: str, default, help: str = "", only=()):
    """A field of a base class with another default, and other words where they are needed.

    Args:
        options: the configuration that defines it.
        name: of the option.
        default: the new one.
        help: one line; as it was when empty.
        only: as for ``option``; as it was when empty.
    """
    metadata = dict(options.__dataclass_fields__[name].metadata)
    words = {"help": help or metadata["help"], "only": _conditions(only) or metadata["only"]}
    return dataclasses.field(default=default, metadata={**metadata, **words})


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Options that every script has."""

    preset: str = option("", "named set of options")
    run: str = option("", "folder for the results (default: runs/<script>/<preset>)")
    resume: bool = option(False, "go on where the newest complete checkpoint of the run stopped")
    seed: int = option(
        0,
        "seed of weights and data; the same seed gives the same run",
        minimum=0,
        maximum=2 * 10**9,  # what is added to it must stay a 32-bit number
    )
    data_root: str = option("", "data folder searched before METAZOO_DATA and the cache")
    offline: bool = option(False, "never download (METAZOO_OFFLINE=1 does the same)")
    export: str = option("", "write the trained model as a SavedModel into this folder")
    strategy: str = option(
        "none",
        "distribution over devices; multiworker reads TF_CONFIG",
        choices=("none", "mirrored", "multiworker"),
    )
    tensorboard: bool = option(False, "keep the log as TensorBoard reads it too")


# Options that may change between a run and its continuation.
FREE_ON_RESUME = ("run", "resume", "data_root", "offline", "export", "tensorboard")


def parse(script: Script, argv: list[str] | None = None):
    """Command line to configuration.

    Raises:
        ConfigError: unknown option or preset, value of the wrong type or out of range.
    """
    parser = _parser(script, _preset_of(script, argv))
    given = vars(parser.parse_args(argv))
    _check_applies(script, given)
    preset = given.get("preset", next(iter(script.presets)))
    config = build(script, preset, {**given, "preset": preset})
    _check_meaning(script, config, given)
    return config


def build(script: Script, preset: str, changes: dict[str, Any]):
    """Configuration of a preset with some options changed."""
    if preset not in script.presets:
        raise ConfigError(
            f"Unknown preset {shorten(preset)!r}{suggest(shorten(preset), script.presets)}; "
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


def flag_of(name: str) -> str:
    """The option as it is typed: ``inner_rate`` -> ``--inner-rate``."""
    return "--" + name.replace("_", "-")


def whole(text: str) -> int:
    """A whole number of ASCII digits, as every option and command reads it."""
    if not re.fullmatch(r"[+-]?[0-9]{1,4000}", text):
        raise argparse.ArgumentTypeError(f"invalid int value: {shorten(text)!r}")
    return int(text)


def number(text: str) -> float:
    """A number of ASCII characters, as every option and command reads it."""
    try:
        if not text.isascii() or "_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {shorten(text)!r}") from None


def within(kind: Callable[[str], Any], least, most) -> Callable[[str], Any]:
    """``whole`` or ``number`` with two ends, for commands that have no configuration."""

    def parse(text: str):
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{shorten(value)} is given; it must be at least {least} and at most {most:,}"
            )
        return value

    return parse


def shorten(value, length: int = 40) -> str:
    """A value in a message: as text, cut when it is long."""
    text = str(value)
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _check(field: dataclasses.Field, value) -> None:
    flag, allowed = flag_of(field.name), field.metadata
    choices, minimum, maximum = (allowed[name] for name in ("choices", "minimum", "maximum"))
    if choices and value not in choices:
        raise ConfigError(
            f"{flag} is {shorten(repr(value))}{suggest(shorten(value), map(str, choices))}; "
            f"it must be one of {', '.join(map(str, choices))}."
        )
    if minimum is not None and not value >= minimum:
        raise ConfigError(f"{flag} is {shorten(value)}; it must be at least {minimum}.")
    if maximum is not None and not value <= maximum:
        raise ConfigError(f"{flag} is {shorten(value)}; it must be at most {maximum:,}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{flag} is {value}; it must be a finite number.")
    if isinstance(value, str):
        _check_text(flag, value)
    if allowed["check"]:
        allowed["check"](value, flag)


def _check_text(flag: str, text: str) -> None:
    """Refuse what no file system and no JSON file can hold."""
    if len(text) > LONGEST:
        raise ConfigError(f"{flag} has {len(text):,} characters; at most {LONGEST:,} are read.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigError(f"{flag} is {text!r}, which is not valid UTF-8; rename it.") from None
    if "\0" in text:
        raise ConfigError(f"{flag} is {text!r}; a name cannot hold a zero byte.")


def _check_applies(script: Script, given: dict[str, Any]) -> None:
    """Refuse an option that was typed and that the script does without."""
    for name in given:
        if name in script.without:
            raise ConfigError(
                f"{flag_of(name)} does not apply to this script, {script.without[name]}; leave it "
                "out."
            )


def _check_meaning(script: Script, config, given: dict[str, Any]) -> None:
    """Refuse an option that was typed and that another one makes useless."""
    metadata = {field.name: field.metadata for field in dataclasses.fields(script.config)}
    for name, value in given.items():
        for other, *needed in [] if value is False else metadata[name]["only"]:
            found = getattr(config, other)
            if found not in needed:
                raise ConfigError(
                    f"{flag_of(name)} is for {_typed(other, *needed)} and has no effect with "
                    f"{_typed(other, found)}; leave one of them out."
                )


def _typed(name: str, *values) -> str:
    """An option with its values, as in a message: ``--no-augment``, ``--method maml or adml``."""
    if isinstance(values[0], bool):
        return flag_of(name) if values[0] else flag_of(f"no_{name}")
    if values == ("",):
        return f"no {flag_of(name)}"
    return f"{flag_of(name)} {' or '.join(map(str, values))}"


KINDS = {int: whole, float: number, str: str}


class Parser(argparse.ArgumentParser):
    """argparse that reports one sentence through ConfigError."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError instead of printing the usage."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            first = unknown.split()[0].split("=")[0]
            flags = [flag for action in self._actions for flag in action.option_strings]
            message = f"Unknown option {first}{suggest(first, flags)}; see --help"
        raise ConfigError(message.rstrip(".") + ".")


ON = {True: "on", False: "off"}


def _preset_of(script: Script, argv: list[str] | None) -> str:
    """The preset whose values help shows: the one that is named, or the first."""
    first = Parser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", nargs="?")
    named = first.parse_known_args(argv)[0].preset
    return named if named in script.presets else next(iter(script.presets))


def _parser(script: Script, preset: str) -> Parser:
    lines = [f"  {name}: {_shown(values)}" for name, values in script.presets.items()]
    parser = Parser(
        description=f"{script.summary}\n\nIn brackets: the values of preset {preset}; "
        "--preset NAME --help shows another's.",
        epilog="presets, and where they differ from the options' defaults (the first is used when "
        "none is named):\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,  # only what was typed, so that presets can show
    )
    for field in dataclasses.fields(script.config):
        flag, text = flag_of(field.name), field.metadata["help"]
        value = script.presets[preset].get(field.name, field.default)
        if field.name in script.without:
            parser.add_argument(flag, nargs="?", help=argparse.SUPPRESS)  # refused with a reason
        elif field.name == "preset":
            parser.add_argument(flag, help=f"{text}: {', '.join(script.presets)}")
        elif isinstance(field.default, bool):
            action = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=action, help=f"{text} ({ON[value]})")
        else:
            kind = type(field.default)
            choices = field.metadata["choices"]
            shown = "|".join(map(str, choices)) if choices else kind.__name__.upper()
            default = f" ({value})" if value != "" else ""
            parser.add_argument(flag, type=KINDS[kind], metavar=shown, help=f"{text}{default}")
    return parser


def _shown(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "defaults"

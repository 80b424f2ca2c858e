"""Command line, presets and defaults: precedence, refusals in one sentence, help for everything."""

import dataclasses
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from chapters.__main__ import scripts, tools
from chapters.engine import configuration
from chapters.engine.configuration import RunConfig, Script, build, changed, option, parse
from chapters.engine.errors import ConfigError


@dataclass(frozen=True)
class Example(RunConfig):
    """Options of a made-up script."""

    steps: int = option(10, "training steps", minimum=1)
    rate: float = option(0.5, "learning rate", minimum=0.0)
    distance: str = option("euclidean", "distance", choices=("euclidean", "cosine"))
    turned: bool = option(False, "turn the images")


EXAMPLE = Script("A script.", Example, {"quick": {"steps": 20}, "long": {"steps": 30, "rate": 0.1}})
ALL = [pytest.param(script, id=name) for name, script in scripts()]


def test_command_line_beats_preset_beats_default():
    assert parse(EXAMPLE, []) == Example(preset="quick", steps=20)
    assert parse(EXAMPLE, ["--preset", "long"]) == Example(preset="long", steps=30, rate=0.1)
    given = parse(EXAMPLE, ["--preset", "long", "--steps", "40", "--turned"])
    assert given == Example(preset="long", steps=40, rate=0.1, turned=True)


def test_an_option_given_with_its_default_value_still_beats_the_preset():
    assert parse(EXAMPLE, ["--preset=long", "--steps=10"]).steps == 10


def test_flags_can_be_switched_off_again():
    script = EXAMPLE._replace(presets={"turned": {"turned": True}})
    assert parse(script, []).turned is True
    assert parse(script, ["--no-turned"]).turned is False


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--stepz", "3"], r"Unknown option --stepz \(did you mean '--steps'\?\); see --help\."),
        (["--stepz=3"], r"Unknown option --stepz \(did you mean '--steps'\?\); see --help\."),
        (["--step", "3"], r"Unknown option --step \(did you mean '--steps'\?\)"),  # no abbreviation
        (["--xyzzy"], r"Unknown option --xyzzy; see --help\."),
        (
            ["--preset", "quik"],
            r"Unknown preset 'quik' \(did you mean 'quick'\?\); .*quick, long\.",
        ),
        (["--steps", "many"], r"--steps: invalid int value: 'many'\."),
        (["--steps", "1.5"], r"--steps: invalid int value: '1\.5'\."),
        (["--rate", "fast"], r"--rate: invalid float value: 'fast'\."),
        (["--steps", "0"], r"--steps is 0; it must be at least 1\."),
        (["--rate", "nan"], r"--rate is nan; it must be at least 0\.0\."),
        (["--seed", "-1"], r"--seed is -1; it must be at least 0\."),
        (["--steps"], r"--steps: expected one argument\."),
        (["--distance", "cosin"], r"--distance is 'cosin' \(did you mean 'cosine'\?\); .*cosine\."),
        (["--strategy", "tpu"], r"--strategy is 'tpu'; .*none, mirrored, multiworker\."),
        (["file.txt"], r"Unknown option file\.txt; see --help\."),
    ],
)
def test_a_mistake_is_one_sentence(argv, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        parse(EXAMPLE, argv)
    assert "\n" not in str(caught.value)


def test_a_preset_with_an_unknown_option_is_refused():
    with pytest.raises(ConfigError, match="Unknown option 'stops'.*did you mean 'steps'"):
        build(EXAMPLE._replace(presets={"quick": {"stops": 3}}), "quick", {})


@pytest.mark.parametrize("script", ALL)
def test_every_option_of_every_script_has_help_that_prints(script):
    for field in dataclasses.fields(script.config):
        assert field.metadata["help"].strip(), field.name
        assert "\n" not in field.metadata["help"], field.name
    first = next(iter(script.presets))
    text = configuration._parser(script, first).format_help()  # fails on a stray % in any of it
    for field in dataclasses.fields(script.config):
        assert (f"--{field.name.replace('_', '-')}" in text) == (field.name not in script.without)
    for name in script.presets:
        assert name in text


@pytest.mark.parametrize("script", ALL)
def test_every_preset_of_every_script_is_valid(script):
    assert "quick" in script.presets
    for name in script.presets:
        made = build(script, name, {"preset": name})
        for field in dataclasses.fields(made):
            assert type(getattr(made, field.name)) is type(field.default), (name, field.name)


def test_help_ends_well_and_names_the_presets(capsys):
    with pytest.raises(SystemExit) as left:
        parse(EXAMPLE, ["--help"])
    assert left.value.code == 0
    assert "  quick: steps=20\n  long: steps=30, rate=0.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "steps", "rate"), [([], 20, 0.5), (["--preset", "long"], 30, 0.1)]
)
def test_help_shows_the_values_that_will_run(asked, steps, rate, capsys):
    with pytest.raises(SystemExit):
        parse(EXAMPLE, [*asked, "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert f"of preset {asked[-1] if asked else 'quick'};" in out
    assert re.search(rf"--steps INT [^-]*\({steps}\)", out)
    assert re.search(rf"--rate FLOAT [^-]*\({rate}\)", out)


def test_listing_all_scripts_and_presets_imports_no_tensorflow():
    code = (
        "import sys; from chapters.__main__ import main; main(); "
        "print([m for m in ('tensorflow', 'keras', 'librosa', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    assert "chapters.ch02_siamese.identify" in dict(tools())
    assert sum(line.startswith("python -m chapters.ch") for line in lines) == len(ALL) + len(
        dict(tools())
    )


def test_an_option_of_a_base_class_changes_its_default_and_words_alone():
    @dataclass(frozen=True)
    class Longer(RunConfig):
        seed: int = changed(RunConfig, "seed", 7)
        export: str = changed(RunConfig, "export", "", "where to")

    field, before = (c.__dataclass_fields__["seed"] for c in (Longer, RunConfig))
    assert (field.default, before.default) == (7, 0)
    assert dict(field.metadata) == dict(before.metadata)
    assert Longer.__dataclass_fields__["export"].metadata["help"] == "where to"

"""The page that model hubs read: its front matter is YAML, and says what the card says."""

import pytest
import yaml

import zoo
from tests.test_pages import COMMAND, wrong_command
from zoo.__main__ import main
from zoo.records import hub

NAMES = ["prototypical-emoji", "maml-sine-5shot", "ntm-copy", "siamese-orl-faces", "maml-bandits"]


@pytest.mark.parametrize("name", NAMES)
def test_the_front_matter_is_that_of_the_card(name, capsys):
    assert main(["info", name, "--markdown"]) == 0
    _, front, body = capsys.readouterr().out.split("---\n", 2)
    card, found = zoo.info(name), yaml.safe_load(front)
    assert found == hub.front(card)
    assert found["license"] == "mit" and found["datasets"] == [card["data"]["name"]]
    (index,) = found["model-index"]
    own = [row for row in card["results"] if row["method"] == card["method"]]
    values = [metric["value"] for result in index["results"] for metric in result["metrics"]]
    assert index["name"] == name and values == [row["mean"] for row in own]
    assert body.lstrip().startswith(f"# {name}\n") and card["data"]["license"] in body
    assert all(doubt in body for doubt in card.get("doubts", []))
    assert not [command for command in COMMAND.findall(body) if wrong_command(command)]


def test_tasks_are_those_that_hubs_have_and_of_kinds_that_there_are():
    takes = {zoo.info(name)["takes"] for name in zoo.list_models()}
    assert set(hub.TASKS) <= takes
    for name in NAMES:
        front = hub.front(zoo.info(name))
        task = hub.TASKS.get(zoo.info(name)["takes"])
        assert front.get("pipeline_tag") == task

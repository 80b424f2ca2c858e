"""A card as the page that model hubs read: front matter of YAML, then Markdown.

Hubs show licence, library, data, task and figures of the front matter beside a model
(https://huggingface.co/docs/hub/model-cards has the fields).
"""

import json

from zoo.records import wording
from zoo.records.results import as_text
from zoo.records.tables import line

# What a model takes -> the task as hubs call it; others have no name there.
TASKS = {
    "pictures": "image-classification",
    "pictures, and descriptions of classes": "zero-shot-image-classification",
    "faces": "image-feature-extraction",
    "sounds": "audio-classification",
    "spoken words": "audio-classification",
    "trajectories": "reinforcement-learning",
    "demonstrations": "robotics",
}
LICENCE = "mit"  # of this project, weights included; that of the data stands on the page
TAGS = ["meta-learning", "few-shot-learning"]


def page(card: dict) -> str:
    """The page of a model: ``README.md`` of a folder that is given to others."""
    name, data = card["name"], card["data"]
    figures = [as_text(row) for row in card["results"]]
    lines = [
        "---",
        *(f"{key}: {json.dumps(value)}" for key, value in front(card).items()),
        "---",
        "",
        f"# {name}",
        "",
        card["task"],
        "",
        f"A {card['method']}, trained by `{card['command']}`.",
        "",
        f"- Takes: {card['takes']}. {card['preprocessing'][0].upper()}{card['preprocessing'][1:]}.",
        f"- Labels: {card['labels']}.",
        f"- Data: {data['name']}, trained on {data['train_split']}, tested on "
        f"{data['test_split']}; {data['source']}; licence: {data['license']}.",
        f"- Weights: {card['parameters']:,} parameters, SHA-256 `{card['sha256']}`.",
        *(f"- Doubt: {doubt}." for doubt in card.get("doubts", [])),
        "",
        f"Mean ± 95 % interval; {card['protocol']}:",
        "",
        line(["Method", "Measure", "Figure"]),
        line(["---"] * 3),
        *(line([row["method"], wording.column(row), wording.cell(row)]) for row in figures),
        "",
        "```python",
        "import zoo",
        "",
        f'learner = zoo.load("{name}").learner',
        "```",
    ]
    return "\n".join(lines)


def front(card: dict) -> dict:
    """The front matter: key -> value, of which JSON is YAML too."""
    task = TASKS.get(card["takes"])
    own = [row for row in card["results"] if row["method"] == card["method"]]
    results = [
        {
            "task": {"type": task or "other"},
            "dataset": {"name": row["data"], "type": row["data"], "split": row["split"]},
            "metrics": [{"type": row["measure"], "name": row["label"], "value": row["mean"]}],
        }
        for row in own
    ]
    return {
        "license": LICENCE,
        "library_name": "keras",
        "tags": [*TAGS, card["chapter"]],
        **({"pipeline_tag": task} if task else {}),
        "datasets": [card["data"]["name"]],
        "metrics": list(dict.fromkeys(row["measure"] for row in own)),
        "model-index": [{"name": card["name"], "results": results}],
    }

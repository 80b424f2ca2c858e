"""From the book to the code: each section has a row, each name of the book is found by search."""

import re

import pytest

from tests.test_architecture import CHAPTERS

# Names that the book's listings have, and words of chapter 9, which has no listing.
NAMES = {
    1: "n_way k_shot n_query",
    2: "read_image get_data build_base_network euclidean_distance eucl_dist_output_shape "
    "contrastive_loss compute_accuracy imposite audio2vector get_training_data",
    3: "train_dataset convolution_block get_embeddings class_prototype query_set_embeddings "
    "euclidean_distance predicted_probability episodic_classes num_way num_shot num_query "
    "X_encoded raw_covariance_matrix inv_covariance_matrix inverse_transform_type sigmoid_2",
    4: "embedding_function relation_function relation_scores classA ClassB Matching_network "
    "image_encoder cosine_similarity g_embedding processing_steps",
    5: "NTMCell addressing zero_state generate_random_strings NTMCopyModel shift_range MANNCell "
    "read_head_addressing write_head_addressing least_used",
    6: "sample_points MAML theta theta_ sigmoid FGSM ADML theta_clean theta_adv CAML",
    7: "MetaSGD sample_points alpha Reptile old_w1 updated_w1",
    8: "GradientAgreement_MAML sample_points",
    9: "entropy gini theil generator discriminator meta-learner",
}
SECTIONS = {1: 5, 2: 5, 3: 6, 4: 9, 5: 7, 6: 8, 7: 7, 8: 4, 9: 7}  # of each chapter
TABLE = re.compile(r"^\| Section of the book \|.*?\n\n", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`(\w+)`")
LINK = re.compile(r"\]\(([\w./]+\.py)\)")


def each(folder):
    return folder.name


def rows(folder) -> list[list[str]]:
    """Cells of the chapter's table."""
    (table,) = TABLE.findall((folder / "README.md").read_text(encoding="utf-8"))
    return [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]


def sections(cell: str) -> set[int]:
    """``4.1 to 4.3, 4.5`` at the head of a cell -> 1, 2, 3, 5."""
    found = set()
    for first, last in re.findall(r"\b\d\.(\d)(?: to \d\.(\d))?", cell):
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize("folder", CHAPTERS, ids=each)
def test_every_section_has_a_row_and_a_command(folder):
    table = rows(folder)
    assert all(len(cells) == 4 and all(cells) for cells in table)
    number = int(folder.name[2:4])
    covered = set().union(*(sections(cells[0].partition(":")[0]) for cells in table))
    assert covered == set(range(1, SECTIONS[number] + 1))
    previous = ""
    for *_, command, _ in table:
        assert "python -m chapters." in command or (command.startswith("the same") and previous)
        previous = command


@pytest.mark.parametrize("folder", CHAPTERS, ids=each)
def test_what_a_row_names_is_in_the_files_that_it_links(folder):
    for _, here, *_ in rows(folder):
        files = [(folder / name).read_text(encoding="utf-8") for name in LINK.findall(here)]
        assert files
        for name in CODE.findall(here):
            defined = re.compile(rf"^(?:def|class) {name}\b", re.MULTILINE)
            assert any(defined.search(text) for text in files), name


@pytest.mark.parametrize("folder", CHAPTERS, ids=each)
def test_names_of_the_book_are_found_by_search(folder):
    paths = [path for kind in ("*.py", "*.md") for path in folder.glob(kind)]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    names = NAMES[int(folder.name[2:4])].split()
    assert not [name for name in names if not re.search(rf"\b{name}\b", text)]


@pytest.mark.parametrize("folder", CHAPTERS, ids=each)
def test_the_page_shows_a_picture_and_leads_to_the_lesson(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "](lesson.ipynb)" in text
    (picture, *_) = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", text)
    assert (folder / picture).exists()

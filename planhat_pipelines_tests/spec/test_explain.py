from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from planhat_pipelines.spec.kinds import KINDS
from planhat_pipelines_tests.spec.files import LOGINS, SEATS, load_text, only_problem


@pytest.mark.parametrize(
    ("old", "new", "place", "where", "what", "cure"),
    [
        # unknown keys
        (
            "column: SEATS",
            "colunm: SEATS",
            (16, 9),
            "metrics.values[1].colunm",
            "unknown key 'colunm'",
            "did you mean 'column'?",
        ),
        (
            "  overlap: 500",
            "  OVERLAP: 500",
            (6, 3),
            "OVERLAP",
            "unknown key 'OVERLAP'",
            "did you mean 'overlap'?",
        ),
        (
            "path: idle",
            "wherever: idle",
            (17, 9),
            "metrics.values[1].wherever",
            "unknown key 'wherever'",
            "the keys here are column, path, metric",
        ),
        (
            "attributes:",
            "atributes:",
            (2, 1),
            "atributes",
            "unknown key 'atributes'",
            "did you mean 'attributes'?",
        ),
        # missing keys
        (
            "        column: SEATS\n",
            "",
            (15, 9),
            "metrics.values[1].column",
            "`column:` is missing",
            "add a line such as `column: COLUMN_NAME`",
        ),
        ("  name: seats\n", "", (2, 1), "name", "`name:` is missing", "add a line such as `name: seats`"),
        (
            "model: company, ",
            "",
            (9, 5),
            "metrics.target.model",
            "`model:` is missing",
            "add a line such as `model: company`",
        ),
        # kinds of values
        (
            "500",
            "ten",
            (6, 12),
            "overlap",
            "expected a whole number, found text",
            "write for instance `overlap: 10000`",
        ),
        ("500", "'10'", (6, 12), "overlap", "expected a whole number, found text", "write it without quotes"),
        (
            "500",
            "1.5",
            (6, 12),
            "overlap",
            "expected a whole number, found a number",
            "write for instance `overlap: 10000`",
        ),
        (
            "column: SEATS",
            "column: NO",
            (16, 17),
            "metrics.values[1].column",
            "expected text, found a yes/no value",
            'put it in quotes: "NO"',
        ),
        (
            "column: SEATS",
            "column: 12:30",
            (16, 17),
            "metrics.values[1].column",
            "expected text, found a whole number",
            'put it in quotes: "12:30"',
        ),
        (
            "column: SEATS",
            "column:",
            (16, 16),
            "metrics.values[1].column",
            "expected text, found nothing",
            "write for instance `column: COLUMN_NAME`",
        ),
        (
            "column: SEATS",
            "column: [SEATS]",
            (16, 17),
            "metrics.values[1].column",
            "expected text, found a list",
            "write for instance `column: COLUMN_NAME`",
        ),
        # values that do not fit
        (
            "id: external",
            "id: externl",
            (9, 54),
            "metrics.target.id",
            "'externl' is not one of planhat, external, source",
            "did you mean 'external'?",
        ),
        (
            "id: external",
            "id: salesforce",
            (9, 54),
            "metrics.target.id",
            "'salesforce' is not one of planhat, external, source",
            "write one of these words",
        ),
        (
            "500",
            "-1",
            (6, 12),
            "overlap",
            "'-1' does not fit: it must be at least 0",
            "write for instance `overlap: 10000`",
        ),
        (
            "ROW_ID",
            '""',
            (5, 21),
            "incrementing_key",
            "the text is empty",
            "write for instance `incrementing_key: ROW_ID`",
        ),
        (
            "metric: idle_seats",
            "metric: idle seats",
            (15, 17),
            "metrics.values[1].metric",
            "'idle seats' does not have the form it needs",
            "Planhat's dimension id: letters, digits and _, no spaces (Planhat developers, metrics); "
            "write for instance `metric: active_seats`",
        ),
        (
            "metric: idle_seats",
            "metric: active_seats",
            (14, 7),
            "metrics.values",
            "metric 'active_seats' is mapped 2 times",
            "map it once",
        ),
        (
            "PRODUCT.PUBLIC.",
            "",
            (4, 10),
            "table",
            "'DAILY_SEATS' is no full table name",
            'write DATABASE.SCHEMA.TABLE; a part with lower case or odd characters goes in "quotes"',
        ),
        (
            "Europe/Stockholm",
            "Stockholm",
            (7, 41),
            "every.timezone",
            "'Stockholm' is no time zone",
            "write one like 'Europe/Stockholm' or 'UTC'",
        ),
        (
            "planhat_pipelines.S",
            "planhat_pipeline.S",
            (1, 7),
            "type",
            "unknown type 'planhat_pipeline.SnowflakeUsage'",
            "did you mean 'planhat_pipelines.SnowflakeUsage'?",
        ),
    ],
)
def test_one_mistake_gives_one_sentence_at_its_place_with_its_cure(
    tmp_path: Path, old: str, new: str, place: tuple[int, int], where: str, what: str, cure: str
):
    assert SEATS.count(old) == 1
    problems = load_text(tmp_path, SEATS.replace(old, new)).problems
    problem = problems[0]
    assert (problem.line, problem.column) == place
    assert (problem.where, problem.what, problem.cure) == (where, what, cure)
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("action", "where", "what", "cure"),
    [
        ("{valeu: x}", "action.valeu", "unknown key 'valeu'", "did you mean 'value'?"),
        ("{column: A, path: [1]}", "action.path", "expected text, found a list", "plan.seats[0].used"),
        (
            "[a]",
            "action",
            "expected text or keys (column, path) or keys (value), found a list",
            "`action: {column: COLUMN_NAME}`",
        ),
        ("5", "action", "found a whole number", 'put it in quotes: "5"'),
        ("{}", "action.column", "`column:` is missing", "`column: COLUMN_NAME`"),
    ],
)
def test_where_several_forms_are_possible_only_the_meant_one_is_spoken_of(
    tmp_path: Path, action: str, where: str, what: str, cure: str
):
    problem = only_problem(tmp_path, LOGINS.replace("{value: signed in}", action))
    assert problem.where == f"activities.{where}"
    assert what in problem.what
    assert cure in problem.cure


def test_a_short_form_is_spoken_of_as_it_was_written(tmp_path: Path):
    problem = only_problem(tmp_path, LOGINS.replace("5m", "7m"))
    assert (problem.line, problem.column, problem.where) == (6, 10, "every")
    assert problem.what == "'7m' is no cadence"
    assert "30m, 1h, 6h, 'daily at 06:00'" in problem.cure


def test_a_sync_without_a_destination_is_told_both(tmp_path: Path):
    nowhere = LOGINS[: LOGINS.index("  activities")]
    problem = only_problem(tmp_path, nowhere)
    assert problem.what == "neither `metrics:` nor `activities:` stands here"


@pytest.mark.parametrize("rest", ["", "attributes:\n"])
def test_missing_attributes_are_one_problem_that_lists_what_goes_there(tmp_path: Path, rest: str):
    problem = only_problem(tmp_path, f"type: planhat_pipelines.SnowflakeUsage\n{rest}")
    assert problem.where == "attributes"
    assert problem.cure == (
        "write below it, indented by two spaces, at least name, table, incrementing_key, every"
    )


def test_a_key_of_the_sync_that_stands_too_far_left_is_told_where_it_belongs(tmp_path: Path):
    text = SEATS.replace("  overlap: 500\n", "") + "overlap: 5\n"
    problem = only_problem(tmp_path, text)
    assert (problem.line, problem.where) == (17, "overlap")
    assert problem.cure.startswith("indent it by two spaces, below `attributes:`")


@pytest.mark.parametrize("text", ["- type: x\n", "just words\n", "5\n"])
def test_a_document_that_is_no_mapping_is_told_what_to_begin_with(tmp_path: Path, text: str):
    problem = only_problem(tmp_path, text)
    assert problem.what == "expected `type:` and `attributes:`"


def test_what_a_terminal_would_obey_is_not_repeated(tmp_path: Path):
    for problem in load_text(tmp_path, 'type: "\\e[31m"\n"\\a\\e": 1\n').problems:
        assert (problem.where + problem.what + problem.cure).isprintable()


# What no message can know: where the rows go, and where the files land.
STARTS = {
    "S3Files": "{prefix: devices/, metrics: {}}",
    "SnowflakeRecords": "{}",
    "SnowflakeUsage": "{metrics: {}}",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_lines_of_missing_keys_make_a_sync_when_they_are_followed(tmp_path: Path, kind: str):
    """Start from the type alone and do what every message says."""
    text = f"type: {kind}\nattributes: {STARTS[kind.rpartition('.')[2]]}\n"
    for _ in range(3):
        problems = load_text(tmp_path, text).problems
        if not problems:
            break
        content = yaml.safe_load(text)
        for problem in problems:
            line = problem.cure.removeprefix("add a line such as `").removesuffix("`")
            parent = content["attributes"]
            for step in problem.where.split(".")[:-1]:
                parent = parent[step]
            parent.update(yaml.safe_load(line))
        text = yaml.safe_dump(content)
    assert load_text(tmp_path, text).problems == ()

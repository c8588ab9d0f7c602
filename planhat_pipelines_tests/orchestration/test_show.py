"""What people see of a sync in Dagster, whatever stands in its values."""

from __future__ import annotations

from planhat_pipelines.engine.lineage.lines import files_lines, lines_back, records_lines
from planhat_pipelines.orchestration.show import column_schema, mapping_table, table
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines.spec.records import RecordsSpec
from planhat_pipelines_tests.markdown import rows as rows_of

HOSTILE = (
    "a|b\n| x |\n`c` <img src=x onerror=alert(1)> ![](http://evil/x) [y](javascript:1) **z** \\| &lt; __q__"
)


def spec(**facts: object) -> RecordsSpec:
    fields = [{"column": "EMAIL", "field": "custom.Mail"}, {"column": "TITLE", "field": "phase"}]
    always = [{"value": "crm", "field": "custom.Source", "direction": "to_planhat"}]
    base = {"name": "people", "table": "A.B.C", "model": "company", "every": "1h"}
    key = {"column": "ID", "field": "externalId"}
    return RecordsSpec.model_validate({**base, "key": key, "fields": [*fields, *always], **facts})


def pii(mapped: RecordsSpec) -> dict[str, bool]:
    columns = column_schema(records_lines(mapped), "A.B.C").columns
    return {each.name: each.tags == {"pii": "yes"} for each in columns}


def test_a_hostile_value_stays_text_in_one_cell() -> None:
    shown = table([{"key": HOSTILE, "n": 1}, {"key": "next", "n": 12345}]).md_str or ""
    assert len(shown.splitlines()) == 4
    first, second = rows_of(shown)
    assert first["key"] == HOSTILE.replace("\n", "\\n")
    assert second == {"key": "next", "n": "12,345"}
    left = shown.replace("\\\\", "")
    for sign in "`<>[]*&":
        assert left.count(sign) == left.count(f"\\{sign}"), sign


def test_a_long_table_shows_what_fits_and_where_the_rest_is() -> None:
    rows = [{"key": f"k{at}", "reason": "is no number" * 5} for at in range(50)]
    shown = table(rows, "planhat-pipelines rejections").md_str or ""
    assert len(shown) < 1000
    left = 50 - len(rows_of(shown))
    assert 30 < left < 45
    assert shown.endswith(f"... and {left} more: `planhat-pipelines rejections`")
    assert len(rows_of(table(rows).md_str or "")) == 50


def test_an_expression_with_bars_stays_in_its_cell_of_the_mapping() -> None:
    joined = spec(fields=[{"expression": "FIRST || '|' || LAST", "field": "name"}])
    (_, name) = rows_of(str(mapping_table(records_lines(joined), "A.B.C").value))
    assert name == {
        "Planhat field": "name",
        "from A.B.C": "FIRST, LAST",
        "as": "text: FIRST || '|' || LAST",
    }


def test_columns_that_the_spec_calls_personal_are_tagged_so() -> None:
    every = {"externalId": True, "custom.Mail": True, "phase": True, "custom.Source": False}
    email = {**dict.fromkeys(every, False), "custom.Mail": True}
    assert pii(spec()) == dict.fromkeys(every, False)
    assert pii(spec(sensitive=["email"])) == email
    assert pii(spec(tags={"pii": "yes"})) == every
    assert pii(spec(tags={"pii": "yes"}, sensitive=["EMAIL"])) == email
    assert pii(spec(tags={"PII": "no"})) == dict.fromkeys(every, False)


def test_what_is_personal_stays_so_on_the_way_back_and_in_files() -> None:
    both = spec(sensitive=["EMAIL"], direction="both")
    back = {line.field: line.is_pii for line in lines_back(records_lines(both))}
    assert back["EMAIL"]
    assert not back["TITLE"]
    records = {
        "model": "company",
        "key": {"column": "Id", "field": "externalId"},
        "fields": [{"column": "Mail", "field": "custom.Mail"}],
    }
    facts = {
        "name": "f",
        "bucket": "drops",
        "prefix": "in/",
        "every": "1h",
        "records": records,
        "tags": {"pii": "yes"},
    }
    assert [line.is_pii for line in files_lines(FilesSpec.model_validate(facts))] == [True, True]

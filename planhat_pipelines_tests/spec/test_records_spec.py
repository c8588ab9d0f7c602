"""What a records sync may say, and what is told to whom says something else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from planhat_pipelines.planhat.catalogue import MODELS
from planhat_pipelines.spec.records import RecordsSpec

USUAL: dict[str, Any] = {
    "name": "accounts",
    "table": "CRM.PUBLIC.ACCOUNTS",
    "model": "company",
    "key": {"column": "ID"},
    "every": "1h",
    "fields": [{"column": "NAME", "field": "name"}],
}
ENDUSER = {"model": "enduser", "company": {"column": "ACC"}, "fields": [{"column": "E", "field": "email"}]}

NAMED = [{"column": "NAME", "field": "firstName"}]


def spec(**changes: Any) -> RecordsSpec:
    return RecordsSpec.model_validate(USUAL | changes)


def fields(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"fields": [{"column": "NAME", "field": "name"}, *fields]}


def both(*fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"direction": "both", "fields": [{"column": "NAME", "field": "name"}, *fields], **changes}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": "compny"}, "no model 'compny'.*company"),
    ({"model": "custom_field"}, "no bulk upserts of Custom Field"),
    ({"key": {"column": "ID", "field": "email"}}, "not known by email; use one of _id, sourceId, externalId"),
    ({"table": "ACCOUNTS"}, "no full table name"),
    (ENDUSER | {"company": None}, "belongs to a company.*add a line such as company:"),
    ({"company": {"column": "ACC"}}, "a Company has no company; remove company:"),
    ({"changes": "updated_at"}, "does not say which column; give updated_at"),
    ({"updated_at": "AT"}, "updated_at is used by nothing"),
    ({"on_delete": "archive"}, "a Company cannot be archived"),
    (
        ENDUSER | {"on_delete": "archive", "fields": [{"column": "A", "field": "archived"}]},
        "archived is set by `on_delete: archive`",
    ),
    (
        ENDUSER | {"on_delete": "archive", "key": {"column": "E", "field": "email"}, "fields": NAMED},
        "only a hash of the address is left",
    ),
    (
        ENDUSER | {"direction": "both", "key": {"column": "E", "field": "email"}, "fields": NAMED},
        "known by an e-mail address travel to Planhat only.*give key: an externalId",
    ),
    (fields({"column": "N", "field": "name"}), "name is mapped 2 times"),
    (fields({"column": "N", "field": "externalId"}), "externalId is set by `key:`"),
    (fields({"column": "N", "field": "nme"}), "a Company has no field nme; use one of name, "),
    (fields({"column": "N", "field": "arr"}), "arr is filled in by Planhat"),
    (fields({"column": "N", "field": "mrr"}), "mrr is filled in by Planhat"),
    (fields({"column": "N", "field": "status"}), "status is filled in by Planhat"),
    (fields({"field": "city"}), "nothing says where the value comes from"),
    (fields({"column": "N", "value": "x", "field": "city"}), "column and value says where"),
    (fields({"value": "x", "path": "a", "field": "city"}), "path without column"),
    (fields({"expression": "upper((", "field": "city"}), r"'upper\(\(' is no SQL expression.*after SELECT"),
    (fields({"column": "N", "field": "city", "timezone": "Europe/Nowhere"}), "Nowhere"),
    (fields({"column": "N", "field": "city", "nulls": "drop"}), "clear"),
    ({"brake": 0}, "greater than 0"),
    ({"brake": 1.5}, "less than or equal to 1"),
    ({"fields": []}, "at least 1"),
    (fields({"column": "N", "field": "city", "direction": "both"}), "goes to_planhat; write direction: both"),
    (both({"column": "P", "path": "a", "field": "city"}), "not the value of one whole column"),
    (both({"expression": "upper(N)", "field": "city"}), "city cannot come back"),
    (both({"column": "name", "field": "city"}), "city and name would both be written to name"),
    (both({"column": "ID", "field": "city"}), "city and the key would both be written to ID"),
    (both({"column": "N", "field": "city", "nulls": "leave"}), "clears it on either side"),
    (both({"column": "N", "field": "arr"}), "arr is filled in by Planhat.*direction: to_snowflake"),
    (both(on_conflict="newest"), "needs to know when a row changed; give updated_at"),
    ({"on_conflict": "planhat"}, "on_conflict is for direction: both"),
    (ENDUSER | {"direction": "both", "on_delete": "archive"}, "on_delete: archive is for"),
    (both(create_table=True), "create_table is for a mirror"),
    ({"insert_new": True}, "insert_new and gone_column are for syncs that write"),
    ({"gone_column": "GONE"}, "insert_new and gone_column are for syncs that write"),
    (
        {"direction": "both", "fields": [{"column": "N", "field": "name", "direction": "to_planhat"}]},
        "no field comes back to Snowflake",
    ),
]


def test_a_field_narrows_the_direction_of_its_sync() -> None:
    found = spec(
        **both(
            {"column": "C", "field": "city", "direction": "to_planhat"},
            {"column": "A", "field": "arr", "direction": "to_snowflake"},
        )
    )
    assert [each.field for each in found.sent] == ["name", "city"]
    assert [each.field for each in found.fetched] == ["name", "arr"]


def test_a_mirror_takes_any_model_and_any_field() -> None:
    key = {"column": "ID", "field": "_id"}
    found = spec(
        direction="to_snowflake", model="custom_field", key=key, fields=[{"column": "N", "field": "name"}]
    )
    assert found.sent == []
    end_users = {"model": "enduser", "key": key, "fields": [{"column": "N", "field": "nps"}]}
    assert [each.field for each in spec(direction="to_snowflake", **end_users).fetched] == ["nps"]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=[said[:30] for _, said in WRONG])
def test_what_cannot_be_is_refused_with_its_cure(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){said}"):
        spec(**changes)


def test_the_type_of_a_note_is_not_to_be_mapped() -> None:
    note = {"model": "note", "company": {"column": "ACC"}}
    assert spec(**note, fields=[{"column": "S", "field": "subject"}]).planhat_model.path == "conversations"
    with pytest.raises(ValidationError, match="always note"):
        spec(**note, fields=[{"value": "email", "field": "type"}])


def test_no_field_that_planhat_computes_can_be_mapped_in_any_model() -> None:
    for model in MODELS.values():
        for name, field in model.fields.items():
            if not field.read_only or not model.bulk or name == "_id":
                continue
            facts: dict[str, Any] = {"model": model.name, "fields": [{"column": "C", "field": name}]}
            facts |= {"key": {"column": "ID", "field": "_id"}}
            facts |= {"company": {"column": "ACC"}} if model.company_field else {}
            with pytest.raises(ValidationError, match="filled in by Planhat"):
                spec(**facts)


def test_what_is_left_out_has_careful_defaults() -> None:
    usual = spec()
    assert (usual.changes, usual.on_delete, usual.brake) == ("change_tracking", "ignore", 0.5)
    assert (usual.key.field, usual.fields[0].nulls, usual.fields[0].timezone) == (
        "externalId",
        "clear",
        "UTC",
    )

"""`direction: to_snowflake`: the table is a mirror of a Planhat model."""

from __future__ import annotations

from typing import Any

from planhat_pipelines_tests.twoway.pair import Pair, quiet

FIELDS = [
    {"column": "NAME", "field": "name"},
    {"column": "CITY", "field": "city"},
    {"column": "SCORE", "field": "csmScore"},
]


def facts(**changes: Any) -> dict[str, Any]:
    key = {"column": "ID", "field": "_id"}
    return {"direction": "to_snowflake", "key": key, "fields": FIELDS, "create_table": True, **changes}


def test_a_mirror_is_created_filled_and_kept_up_to_date(pair: Pair) -> None:
    pair.sql("DROP TABLE IF EXISTS {table}")
    spec = pair.spec(**facts(gone_column="GONE"))
    for name in ("Acme", "Bolt"):
        pair.call("POST", "companies", {"externalId": name, "name": name, "csmScore": 3})
    ids = {each["name"]: each["_id"] for each in pair.held().values()}
    assert pair.run(spec).back.verdicts["created"] == 2
    assert pair.rows("NAME, SCORE") == {ids["Acme"]: ("Acme", 3), ids["Bolt"]: ("Bolt", 3)}
    assert quiet(pair.run(spec))
    pair.edit("Acme", city="Lund", csmScore=None)
    assert pair.run(spec).back.verdicts["updated"] == 1
    assert pair.rows("NAME, CITY, SCORE")[ids["Acme"]] == ("Acme", "Lund", None)
    pair.call("DELETE", f"companies/{ids['Bolt']}")
    pair.sent()
    pair.run(spec, full=True)
    assert pair.rows("NAME, GONE")[ids["Bolt"]] == ("Bolt", True)
    assert pair.sent() == 0

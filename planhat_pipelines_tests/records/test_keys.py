"""Which rows can go at all: keys that are missing, repeated or odd, and columns with odd names."""

from __future__ import annotations

import pytest

from planhat_pipelines.engine.destinations import records
from planhat_pipelines.snowflake import records as source
from planhat_pipelines_tests.records.crm import USUAL, Crm, of


@pytest.fixture(params=["first", "change_tracking", "snapshot_diff"])
def later(request: pytest.FixtureRequest, crm: Crm) -> tuple[Crm, str]:
    """Before the first run, or after one that found the table without the rows to come."""
    crm.accounts()
    if request.param != "first":
        crm.run(crm.spec(changes=request.param))
    return crm, "change_tracking" if request.param == "first" else request.param


def test_rows_without_a_key_or_with_one_that_repeats_are_refused_by_key_and_the_others_go(
    later: tuple[Crm, str],
) -> None:
    crm, changes = later
    spec = crm.spec(changes=changes)
    crm.add(("a", "Ana"), (None, "Nobody"), ("", "Empty"), ("  ", "Blank"), ("d", "One"), ("d", "Two"))
    crm.add(("e", None), ("z", "Zoe"))
    report = crm.run(spec)
    assert of(report) == {"created": 2, "refused": 5}
    assert crm.names() == {"a": "Ana", "z": "Zoe"}
    found = {(each.row, each.field, each.reason.split(":")[0]) for each in crm.ledger.rejections("accounts")}
    assert found == {
        ("(no key)", "externalId", "is empty"),
        ("d", "externalId", "is not unique"),
        ("e", "name", "is empty, and a Company needs it"),
    }
    crm.sql("DELETE FROM {table} WHERE TRIM(ID) = '' OR ID IS NULL OR NAME = 'Two'")
    crm.sql("UPDATE {table} SET NAME = 'Eve' WHERE ID = 'e'")
    assert of(crm.run(crm.spec(changes=changes), full=True)) == {"created": 2, "unchanged": 2}
    assert crm.names() == {"a": "Ana", "d": "One", "e": "Eve", "z": "Zoe"}
    assert crm.ledger.rejections("accounts") == []


def test_a_row_that_fits_again_as_it_was_sent_is_no_rejection_any_more(crm: Crm) -> None:
    crm.accounts(("a", "Ana"), ("b", "Bo"))
    crm.run()
    crm.add(("a", "Copy"))
    crm.sql("UPDATE {table} SET NAME = NULL WHERE ID = 'b'")
    assert of(crm.run()) == {"refused": 2}
    crm.sql("DELETE FROM {table} WHERE NAME = 'Copy'")
    assert of(crm.run()) == {"unchanged": 1}
    assert [each.row for each in crm.ledger.rejections("accounts")] == ["b"]
    crm.sql("DELETE FROM {table} WHERE ID = 'b'")
    crm.run()
    assert crm.ledger.rejections("accounts") == []


@pytest.mark.parametrize(
    ("kind", "value", "external"),
    [
        ("VARCHAR", "'007'", "007"),
        ("VARCHAR", "' 7 '", "7"),
        ("VARCHAR", "'a\"b\\\\c/ä''日本'", "a\"b\\c/ä'日本"),
        ("NUMBER(38,0)", "1234567890123456789", "1234567890123456789"),
        ("NUMBER(38,0)", "7", "7"),
    ],
)
def test_a_key_arrives_as_it_is_written(crm: Crm, kind: str, value: str, external: str) -> None:
    crm.sql(
        f"CREATE OR REPLACE TABLE {{table}} (ID {kind}, NAME VARCHAR, CITY VARCHAR) CHANGE_TRACKING = TRUE"
    )
    crm.sql("INSERT INTO {table} SELECT " + value + ", 'One', NULL")
    assert of(crm.run()) == {"created": 1}
    crm.sql("UPDATE {table} SET NAME = 'Two'")
    assert of(crm.run()) == {"updated": 1}
    assert crm.names() == {external: "Two"}
    crm.sql("DELETE FROM {table}")
    assert of(crm.run()) == {"unchanged": 1}


def test_columns_may_have_any_name(crm: Crm) -> None:
    crm.sql(
        'CREATE OR REPLACE TABLE {table} ("my key" VARCHAR, "Discount %" VARCHAR, "a""b" VARCHAR, K VARCHAR, '
        '"%s" VARCHAR) CHANGE_TRACKING = TRUE'
    )
    spec = crm.spec(
        key={"column": "my key"},
        fields=[
            {"column": "Discount %", "field": "name"},
            {"column": 'a"b', "field": "city"},
            {"column": "k", "field": "zip"},
            {"column": "%s", "field": "country"},
        ],
    )
    crm.sql("INSERT INTO {table} VALUES ('1', '5 %', 'q', 'k', 's')")
    assert of(crm.run(spec)) == {"created": 1}
    crm.sql("INSERT INTO {table} VALUES ('2', '6 %', 'q', 'k', 's')")
    assert of(crm.run(spec)) == {"created": 1}
    assert crm.held()["2"]["name"] == "6 %"
    assert [crm.held()["2"][name] for name in ("city", "zip", "country")] == ["q", "k", "s"]


@pytest.mark.parametrize("changes", ["change_tracking", "snapshot_diff"])
def test_pieces_and_requests_of_any_size_bring_the_same(
    crm: Crm, monkeypatch: pytest.MonkeyPatch, changes: str
) -> None:
    monkeypatch.setattr(source, "PIECE_ROWS", 3)
    monkeypatch.setattr(records, "ITEMS_A_REQUEST", 2)
    spec = crm.spec(changes=changes)
    crm.accounts()
    crm.run(spec)
    crm.add(*((f"k{n:02}", f"N{n}") for n in range(10)), ("k02", "again"), (None, "x"))
    report = crm.run(spec)
    assert of(report) == {"created": 9, "refused": 2}
    assert report.requests == 6
    crm.sql("UPDATE {table} SET NAME = 'new' WHERE ID IN ('k03', 'k09')")
    assert {"updated": 2}.items() <= of(crm.run(spec)).items()
    assert crm.names() == {f"k{n:02}": "new" if n in (3, 9) else f"N{n}" for n in range(10) if n != 2}


def test_rows_without_a_key_are_read_in_pieces_too_and_without_their_values(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PIECE_ROWS", 3)
    columns = "ID VARCHAR, NAME VARCHAR, CITY VARCHAR, N NUMBER(10,2)"
    crm.table_of(columns, *((None, f"N{n}", "Oslo", n) for n in range(7)), ("a", "Ana", None, 1))
    with crm.place.client() as planhat:
        increment = crm.sync(crm.spec(), planhat).source.next(None)
        assert increment is not None
        pieces = [piece for piece in increment.pieces() if not piece["__row"].count()]
    assert [(piece.height, piece["NAME"].count()) for piece in pieces] == [(3, 0), (3, 0), (1, 0)]
    crm.custom("Twice", "number")
    crm.sql("INSERT INTO {table} SELECT 'd', 'Di', NULL, 1 UNION ALL SELECT 'd', 'Du', NULL, 1")
    spec = crm.spec(fields=[*USUAL, {"expression": "N * 2", "field": "custom.Twice"}])
    assert of(crm.run(spec)) == {"created": 1, "refused": 8}
    crm.sql("INSERT INTO {table} SELECT NULL, 'N', 'Oslo', 1")
    assert of(crm.run(spec)) == {"refused": 1}
    crm.sql("DELETE FROM {table} WHERE ID IS NULL OR ID = 'd'")
    crm.run(spec)
    assert [each.row for each in crm.ledger.rejections("accounts")] == ["(no key)"], "a window cannot tell"
    crm.run(spec, full=True)
    assert crm.ledger.rejections("accounts") == []


def test_a_refused_or_waiting_row_that_the_whole_table_does_not_have_is_open_no_longer(crm: Crm) -> None:
    crm.place.companies("c")
    crm.table_of("ID VARCHAR, ACC VARCHAR, EMAIL VARCHAR", ("u1", None, "a@x.io"), ("u2", "later", "b@x.io"))
    spec = crm.spec(
        model="enduser",
        company={"column": "ACC"},
        changes="snapshot_diff",
        fields=[{"column": "EMAIL", "field": "email"}],
    )
    assert of(crm.run(spec)) == {"refused": 1, "parked": 1}
    assert of(crm.run(spec, full=True)) == {"refused": 1, "parked": 1}
    assert (len(crm.ledger.rejections()), len(crm.ledger.parked())) == (1, 1)
    crm.sql("UPDATE {table} SET ID = ID || '0', ACC = 'c'")
    assert of(crm.run(spec)) == {"created": 2}
    assert (crm.ledger.rejections(), crm.ledger.parked()) == ([], [])


def test_a_body_of_many_bytes_is_cut_though_it_has_few_items(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "BYTES_A_REQUEST", 1_000)
    crm.accounts(*((f"k{n}", "N" * 300) for n in range(7)), ("big", "N" * 3_000))
    report = crm.run()
    assert of(report) == {"created": 8}
    assert report.requests > 3

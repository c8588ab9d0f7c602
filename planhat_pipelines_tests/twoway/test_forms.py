"""A value that has travelled is not an edit: there and back, for every pair of column and field that can be mapped."""

from __future__ import annotations

from typing import Any, NamedTuple

from planhat_pipelines_tests.twoway.pair import Pair, quiet

STOCKHOLM = "Europe/Stockholm"


class Way(NamedTuple):
    """A column, the custom field it is mapped to, two values as SQL, what they are in Planhat, two values that people
    give the field there."""

    column: str
    kind: str
    here: tuple[str, str]
    there: tuple[Any, Any]
    back: tuple[Any, Any]
    timezone: str = "UTC"


TIMES = ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ")
UTC_NOON, UTC_EVE = "2026-03-01T12:00:00.000Z", "2026-07-02T22:30:00.123Z"
NOON, EVE = "'2026-03-01 12:00:00.000 +0000'::TIMESTAMP_TZ", "'2026-07-02 22:30:00.123 +0000'::TIMESTAMP_TZ"
WAYS = [
    Way(
        "VARCHAR",
        "text",
        ("'Zoë \"Z\" O''Neil \\\\ 😀'", "' x '"),
        ('Zoë "Z" O\'Neil \\ 😀', " x "),
        ("ü\n1", "007"),
    ),
    Way("VARCHAR", "number", ("'0041.50'", "'+7'"), (41.5, 7), (0.1, -1e21)),
    Way("VARCHAR", "integer", ("'0041'", "'7.0'"), (41, 7), (12, -3)),
    Way("VARCHAR", "checkbox", ("'Yes'", "'off'"), (True, False), (False, True)),
    Way(
        "VARCHAR",
        "day",
        ("'20260301'", "'2026-03-02 23:30'"),
        ("2026-03-01", "2026-03-02"),
        ("2024-02-29", "1999-12-31"),
    ),
    Way(
        "VARCHAR",
        "date",
        ("'2026-03-01'", "'2026-03-01T23:30:00+02:00'"),
        ("2026-03-01T00:00:00.000Z", "2026-03-01T21:30:00.000Z"),
        (UTC_NOON, UTC_EVE),
    ),
    Way(
        "VARCHAR",
        "date",
        ("'2026-03-01'", "'2026-07-01 12:00'"),
        ("2026-02-28T23:00:00.000Z", "2026-07-01T10:00:00.000Z"),
        (UTC_NOON, UTC_EVE),
        STOCKHOLM,
    ),
    Way("VARCHAR", "multipicklist", ("'one'", '\'["b", "a"]\''), (["one"], ["b", "a"]), (["x", "y"], ["z"])),
    Way("NUMBER(12,2)", "text", ("5", "-0.5"), ("5", "-0.50"), ("12.5", "-3")),
    Way("NUMBER(12,2)", "number", ("5", "-0.01"), (5, -0.01), (12.5, 1.005)),
    Way("NUMBER(38,0)", "number", ("1234567890123456789", "0"), (1234567890123456789, 0), (12, -3)),
    Way("NUMBER(38,0)", "integer", ("41", "0"), (41, 0), (12, -3)),
    Way("NUMBER(38,0)", "text", ("1234567890123456789", "0"), ("1234567890123456789", "0"), ("12", "-3")),
    Way("NUMBER(1,0)", "checkbox", ("1", "0"), (True, False), (False, True)),
    Way("FLOAT", "text", ("5", "0.1"), ("5", "0.1"), ("12.5", "-3")),
    Way("FLOAT", "number", ("5", "0.1"), (5, 0.1), (1e-7, -3)),
    Way("FLOAT", "integer", ("5", "-1"), (5, -1), (12, -3)),
    Way("BOOLEAN", "checkbox", ("TRUE", "FALSE"), (True, False), (False, True)),
    Way("BOOLEAN", "text", ("TRUE", "FALSE"), ("true", "false"), ("false", "true")),
    Way(
        "DATE",
        "day",
        ("'2026-03-01'", "'1969-12-31'"),
        ("2026-03-01", "1969-12-31"),
        ("2024-02-29", "2026-01-01"),
    ),
    Way(
        "DATE",
        "date",
        ("'2026-03-01'", "'1969-12-31'"),
        ("2026-03-01T00:00:00.000Z", "1969-12-31T00:00:00.000Z"),
        ("2024-02-29T00:00:00.000Z", "2026-01-01T00:00:00.000Z"),
    ),
    Way(
        "DATE",
        "date",
        ("'2026-03-01'", "'2026-07-01'"),
        ("2026-02-28T23:00:00.000Z", "2026-06-30T22:00:00.000Z"),
        ("2024-02-28T23:00:00.000Z", "2026-06-01T22:00:00.000Z"),
        STOCKHOLM,
    ),
    Way(
        "DATE",
        "text",
        ("'2026-03-01'", "'1969-12-31'"),
        ("2026-03-01", "1969-12-31"),
        ("2024-02-29", "2026-01-01"),
    ),
    *(
        Way(
            kind,
            "date",
            (NOON, EVE),
            (UTC_NOON, UTC_EVE),
            ("2026-10-25T00:15:00.001Z", "1999-12-31T23:59:59.999Z"),
        )
        for kind in TIMES
    ),
    Way(
        "TIMESTAMP_NTZ",
        "date",
        ("'2026-03-01 12:00'", "'2026-07-01 12:00'"),
        ("2026-03-01T11:00:00.000Z", "2026-07-01T10:00:00.000Z"),
        (UTC_NOON, UTC_EVE),
        STOCKHOLM,
    ),
    Way(
        "TIMESTAMP_TZ",
        "date",
        ("'2026-03-01 12:00:00 +0500'::TIMESTAMP_TZ", EVE),
        ("2026-03-01T07:00:00.000Z", UTC_EVE),
        (UTC_NOON, UTC_EVE),
        STOCKHOLM,
    ),
    *(
        Way(kind, "day", (NOON, EVE), ("2026-03-01", "2026-07-02"), ("2024-02-29", "2026-01-01"))
        for kind in TIMES
    ),
    *(
        Way(
            kind,
            "day",
            (NOON, EVE),
            ("2026-03-01", "2026-07-02" if "NTZ" in kind else "2026-07-03"),
            ("2024-02-29", "2026-01-01"),
            STOCKHOLM,
        )
        for kind in TIMES
    ),
    *(Way(kind, "text", (NOON, EVE), (UTC_NOON, UTC_EVE), (UTC_EVE, UTC_NOON)) for kind in TIMES),
    *(
        Way(
            kind,
            "multipicklist",
            ('PARSE_JSON(\'["b", "a"]\')', "PARSE_JSON('[]')"),
            (["b", "a"], []),
            (["x"], ["y", "ü"]),
        )
        for kind in ("VARIANT", "ARRAY")
    ),
    Way(
        "VARIANT",
        "text",
        ("PARSE_JSON('{\"a\":[1]}')", "PARSE_JSON('1.5')"),
        ('{"a":[1]}', "1.5"),
        ('{ "z": [1], "b": 2 }', "true"),
    ),
]


def held(pair: Pair) -> dict[str, Any]:
    return pair.held()["a"]["custom"]


def shown(kind: str, value: Any) -> Any:
    return f"{value}T00:00:00.000Z" if kind == "day" else value


def both_are_quiet(pair: Pair, spec: Any, *, full: bool = True) -> None:
    pair.sent()
    commit = pair.sql(f"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{pair.table}')")
    report = pair.run(spec, full=full)
    assert (quiet(report), report.conflicts, pair.sent()) == (True, [], 0)
    assert pair.sql(f"SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{pair.table}')") == commit


def test_a_value_of_any_type_travels_there_and_back_and_is_no_edit(pair: Pair, every_case: bool) -> None:
    ways = WAYS if every_case else WAYS[::3]
    types = {"integer": "number"}
    for at, way in enumerate(ways):
        pair.custom(f"F{at}", types.get(way.kind, way.kind))
    fields: list[dict[str, Any]] = [{"column": "NAME", "field": "name"}]
    for at, way in enumerate(ways):
        typed = {"type": "integer"} if way.kind == "integer" else {}
        fields.append({"column": f"C{at}", "field": f"custom.F{at}", "timezone": way.timezone, **typed})
    pair.table_of(
        "ID VARCHAR, NAME VARCHAR, " + ", ".join(f"C{at} {way.column}" for at, way in enumerate(ways))
    )
    pair.sql("INSERT INTO {table} (ID, NAME) SELECT 'a', 'Acme'")
    spec = pair.spec(fields=fields)
    for which in (0, 1):
        pair.sql(
            "UPDATE {table} SET " + ", ".join(f"C{at} = {way.here[which]}" for at, way in enumerate(ways))
        )
        assert pair.run(spec).conflicts == []
        found = held(pair)
        wrong = {
            (at, way.column, way.kind, way.timezone): (found.get(f"F{at}"), way.there[which])
            for at, way in enumerate(ways)
            if found.get(f"F{at}") != shown(way.kind, way.there[which])
        }
        assert not wrong
        both_are_quiet(pair, spec, full=which == 1)
    for which in (0, 1):
        values = {f"F{at}": way.back[which] for at, way in enumerate(ways)}
        pair.edit("a", custom=values)
        report = pair.run(spec)
        assert [(each.field, each.reason) for each in report.back.sample] == []
        assert report.conflicts == []
        both_are_quiet(pair, spec, full=which == 1)
        found = held(pair)
        assert {name: found.get(name) for name in values} == {
            f"F{at}": shown(way.kind, way.back[which]) for at, way in enumerate(ways)
        }
    # the table holds what was given there: another sync, which knows nothing of this one, finds nothing to do
    again = pair.run(pair.spec(name="other", fields=fields))
    assert (quiet(again), again.conflicts) == (True, [])
    pair.edit("a", custom={f"F{at}": None for at in range(len(ways))})
    pair.run(spec)
    assert pair.sql(f"SELECT {', '.join(f'C{at}' for at in range(len(ways)))} FROM {{table}}") == [
        (None,) * len(ways)
    ]
    both_are_quiet(pair, spec)

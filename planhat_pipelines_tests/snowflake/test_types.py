"""What fits a column of each type, and what is sent for it."""

from __future__ import annotations

import polars as pl
import pytest

from planhat_pipelines.snowflake.types import SnowflakeType

NUMBER, MONEY = SnowflakeType("NUMBER", precision=38, scale=0), SnowflakeType("NUMBER", precision=6, scale=2)
NTZ, TZ = SnowflakeType("TIMESTAMP_NTZ", precision=9), SnowflakeType("TIMESTAMP_TZ", precision=3)


def problems(holds: SnowflakeType, *texts: str | None, zone: str = "UTC") -> list[str | None]:
    """What is wrong with each text."""
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(holds.problem(pl.col("text"), zone)).to_series().to_list()


def sent(holds: SnowflakeType, text: str, zone: str = "UTC") -> str:
    """The staged text."""
    return pl.DataFrame({"text": [text]}).select(holds.staged(pl.col("text"), zone)).item()


@pytest.mark.parametrize(
    ("holds", "texts"),
    [
        (SnowflakeType("TEXT", length=3), ["", "abc", "åß日", "🎈🎈🎈"]),
        (SnowflakeType("TEXT"), ["long" * 1000]),
        (NUMBER, ["0", "-7", "12345678901234567890123456789012345678", "3.00", "1e3", "-0.0"]),
        (MONEY, ["9999.99", "-9999.90", "0.5", "1.230", "125e-2", "0.001", "-9999.994", "1e-300"]),
        (SnowflakeType("FLOAT"), ["0.1", "-1e-300", "1E+308", "12"]),
        (SnowflakeType("BOOLEAN"), ["true", "false"]),
        (SnowflakeType("DATE"), ["2026-11-22", "2024-02-29", "2026-11-22T00:00:00.000Z"]),
        (NTZ, ["2026-11-22T10:00:00.123Z", "2026-11-22T10:00:00Z", "2026-11-22", "0001-01-01T00:00:00.000Z"]),
        (TZ, ["9999-12-31T23:59:59.999Z"]),
        (SnowflakeType("VARIANT"), ['{"a":[1,null]}', "[]", '"text"', "12.5", "true", "null"]),
        (SnowflakeType("ARRAY"), ['["a"]', " []"]),
        (SnowflakeType("OBJECT"), ['{"a":1}', "{}"]),
    ],
)
def test_a_value_that_its_column_holds_fits(holds: SnowflakeType, texts: list[str]) -> None:
    assert problems(holds, *texts, None) == [None] * (len(texts) + 1)


@pytest.mark.parametrize(
    ("holds", "texts", "reason"),
    [
        (SnowflakeType("TEXT", length=3), ["abcd", "日本日本"], "is longer than VARCHAR(3) holds"),
        (NUMBER, ["", "abc", "1,5", "NaN", "0x1", "1e99999", " 1", "--1", "01"], "is no number"),
        (NUMBER, ["1" * 39, "1e38"], "is larger than NUMBER(38, 0) holds"),
        (MONEY, ["10000", "-123456.7", "1e5", "9999.996"], "is larger than NUMBER(6, 2) holds"),
        (SnowflakeType("FLOAT"), ["1e999", "inf", "x"], "is no number that FLOAT holds"),
        (SnowflakeType("BOOLEAN"), ["yes", "1", "TRUE", ""], "is neither true nor false"),
        (SnowflakeType("DATE"), ["22.11.2026", "2026-02-30", "", "2026-11-22T10:00"], "is no date"),
        (SnowflakeType("DATE"), ["2026-11-22T10:00:00.000Z"], "has a time of day, which a DATE cannot hold"),
        (NTZ, ["yesterday", "2026-11-22T25:00:00.000Z", ""], "is no date and time"),
        (SnowflakeType("TIMESTAMP_LTZ", precision=0), ["2026-11-22T10:00:00.5Z"], "has a finer time than"),
        (SnowflakeType("VARIANT"), ["text", "{", "NaN", "", '{"a":1,"a":2}', "[" * 100_000], "is no JSON"),
        (SnowflakeType("ARRAY"), ["{}", "1"], "is no list"),
        (SnowflakeType("OBJECT"), ["[]", '"a"'], "is no object"),
    ],
)
def test_a_value_that_would_be_cut_or_refused_does_not_fit_and_is_not_repeated(
    holds: SnowflakeType, texts: list[str], reason: str
) -> None:
    for found in problems(holds, *texts):
        assert found is not None
        assert found.startswith(reason)


def test_days_and_times_without_a_zone_are_meant_in_that_of_the_mapping() -> None:
    zone = "Europe/Stockholm"
    assert sent(NTZ, "2026-07-01T10:00:00.123Z", zone) == "2026-07-01 12:00:00.123000"
    assert sent(NTZ, "2026-07-01", zone) == "2026-07-01 00:00:00.000000"
    assert sent(TZ, "2026-07-01", zone) == "2026-06-30 22:00:00.000000 +0000"
    assert sent(TZ, "2026-07-01T10:00:00.123Z", zone) == "2026-07-01 10:00:00.123000 +0000"
    assert sent(SnowflakeType("DATE"), "2026-06-30T22:00:00.000Z", zone) == "2026-07-01"
    assert problems(SnowflakeType("DATE"), "2026-07-01T00:00:00.000Z", zone=zone) != [None]


def test_a_time_that_would_be_read_back_as_another_does_not_fit() -> None:
    twice = ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]  # both are 02:30 in Stockholm
    first, second = problems(NTZ, *twice, zone="Europe/Stockholm")
    assert first is None
    assert second == "lies in an hour that comes twice in Europe/Stockholm"
    assert problems(NTZ, *twice) == problems(TZ, *twice, zone="Europe/Stockholm") == [None, None]


def test_numbers_are_sent_without_exponents_and_with_the_decimals_of_their_column() -> None:
    rounded = [sent(MONEY, text) for text in ("10.567", "-0.004", "1.005", "1e-300", "99.999")]
    assert [float(each) for each in rounded] == [10.57, 0, 1.0, 0, 100]
    assert [sent(NUMBER, text) for text in ("2.5", "3.5")] == ["2.0", "4.0"]
    assert sent(SnowflakeType("NUMBER", precision=38, scale=9), "1e-7") == "0.0000001"
    assert [sent(NUMBER, text) for text in ("1e3", "-2E+2", "7")] == ["1000", "-200", "7"]
    assert sent(MONEY, "125e-2") == "1.25"


def test_a_type_is_written_as_snowflake_writes_it() -> None:
    types = [
        SnowflakeType("TEXT"),
        SnowflakeType("TEXT", length=3),
        NUMBER,
        MONEY,
        NTZ,
        SnowflakeType("DATE"),
    ]
    written = ["VARCHAR", "VARCHAR(3)", "NUMBER(38, 0)", "NUMBER(6, 2)", "TIMESTAMP_NTZ(9)", "DATE"]
    assert [str(each) for each in types] == written
    assert str(SnowflakeType("NUMBER")) == "NUMBER(38, 0)"
    assert not any(SnowflakeType(name).writable for name in ("TIME", "BINARY", "GEOGRAPHY", "VECTOR", "MAP"))

from __future__ import annotations

import pytest

from planhat_pipelines.files import Layout
from planhat_pipelines.files.names import archived_as, is_finished, matches, shown


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("*.csv", ["a.csv", ".csv"], ["x/a.csv", "a.csv.gz", "a.CSV"]),
        ("**", ["a", "x/y/a.csv"], []),
        ("**/devices-*.csv", ["devices-1.csv", "x/y/devices-2.csv"], ["devices.csv", "x/devices-1/a.csv"]),
        ("in/**/*.csv", ["in/a.csv", "in/b/c.csv"], ["out/a.csv", "in.csv"]),
        ("day-[0-9]?.csv", ["day-12.csv"], ["day-x2.csv", "day-1/.csv"]),
        ("[!a]*.csv", ["b.csv"], ["a.csv", "/.csv"]),
        ("a+(b).csv", ["a+(b).csv"], ["ab.csv"]),
        ("line\n*", ["line\nbreak.csv"], ["line"]),
    ],
)
def test_a_pattern_takes_what_it_says(pattern: str, fits: list[str], does_not: list[str]) -> None:
    assert [name for name in fits if not matches(pattern, name)] == []
    assert [name for name in does_not if matches(pattern, name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "folder/",
        "",
        ".hidden.csv",
        "_SUCCESS",
        "~$book.xlsx",
        "a.csv.tmp",
        "a.PART",
        "a.crdownload",
        "_temporary/0/a.csv",
    ],
)
def test_folder_markers_hidden_names_and_unfinished_uploads_are_no_drops(name: str) -> None:
    assert not is_finished(name)


@pytest.mark.parametrize("name", ["a.csv", "x/y.csv", "part.csv", "~a.csv", " .csv", "a_b.csv"])
def test_ordinary_names_are_drops(name: str) -> None:
    assert is_finished(name)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("in/devices.csv", "devices.0a1b.csv"),
        ("devices.2026-11-22.csv.gz", "devices.2026-11-22.0a1b.csv.gz"),
        ("no ending", "no ending.0a1b"),
        ("in/Größe+%20 1.csv", "Größe+%20 1.0a1b.csv"),
        ("in/a\nb\x1b[31m.csv", "a_b_[31m.0a1b.csv"),
        ("in/.csv", "drop.0a1b.csv"),
    ],
)
def test_an_archived_name_keeps_the_name_and_carries_the_identity(key: str, expected: str) -> None:
    assert archived_as(key, "0a1b") == expected


@pytest.mark.parametrize("key", ["x" * 1000 + ".csv", "ä" * 500 + ".csv", "🦊" * 250, "a." + "x" * 900])
def test_an_archived_name_has_at_most_200_bytes_and_its_mark(key: str) -> None:
    name = archived_as(key, "0123456789ab")
    assert len(name.encode()) <= 200
    assert ".0123456789ab" in name


def test_a_key_is_shown_on_one_line_and_cut() -> None:
    text = shown("a\nFORGED LINE\x1b[31m" + "x" * 900)
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) == 200


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"prefix": ""}, "lies in the prefix"),
        ({"prefix": "drops/", "processed": "drops/done/"}, "processed: 'drops/done/' lies in the prefix"),
        ({"prefix": "processed/in/"}, "lies in processed"),
        ({"prefix": "in/", "failed": "failed"}, "failed: 'failed' must end with a slash"),
    ],
)
def test_a_layout_that_would_list_its_own_archive_is_refused(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Layout(**settings)


def test_a_pattern_of_one_folder_may_have_its_archive_below() -> None:
    layout = Layout(
        "drops/", "*.csv", processed="drops/done/", failed="drops/failed/", rejected="drops/rejected/"
    )
    assert layout.takes("drops/a.csv")
    assert not layout.takes("drops/done/a.csv")

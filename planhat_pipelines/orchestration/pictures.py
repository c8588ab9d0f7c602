"""Small pictures in metadata: how the rows of the last runs ended, and for which days a run brought points.

Dagster's pages draw an image of a data URI inside Markdown, but only in Markdown of less than 1,000 characters: longer
ones hide behind a link. So a picture is one path a colour, in units of one bar, and takes as many bars as fit. It is
made of counts alone, and its words stand below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from planhat_pipelines.ledger import RunRecord

RUNS = 12
DAYS = 92
_LONGEST = 999  # characters
_HEIGHT, _WIDTH = 60, 360
# in the order they are piled up; to be told apart on white and on black, and by those who see no red and green
_COLOURS = {
    "created": "294",
    "updated": "37d",
    "submitted": "66d",
    "unchanged": "aab",
    "duplicate": "ccd",
    "parked": "ea0",
    "held": "b4c",
    "refused": "d33",
}


def rows_by_verdict(runs: Sequence[RunRecord], prefix: str = "") -> dict[str, dg.MarkdownMetadataValue]:
    """How the rows of the last runs ended, the latest at the right, as metadata; nothing when there were none. `runs`:
    the latest first. `prefix`: of the counts."""
    counted = [{each: run.counts.get(prefix + each, 0) for each in _COLOURS} for run in runs[:RUNS]]
    counted = [each for each in counted if any(each.values())]
    while counted:
        shown = _rows(counted[::-1])
        if len(shown) <= _LONGEST:
            return {"last_runs": dg.MetadataValue.md(shown)}
        counted.pop()  # the oldest
    return {}


def points_by_day(days: Mapping[int, int]) -> dict[str, dg.MarkdownMetadataValue]:
    """How many points went for each day (days since 1970), as metadata; nothing without points. Of more than three
    months the last are drawn."""
    if not days:
        return {}
    last = max(days)
    first = max(min(days), last - DAYS + 1)
    highest = max(days[day] for day in days if day >= first)
    tops = (_HEIGHT - round(_HEIGHT * days.get(day, 0) / highest) for day in range(first, last + 1))
    area = f"M0,{_HEIGHT}{''.join(f'V{top}h1' for top in tops)}V{_HEIGHT}z"
    path = f"<path fill='#{_COLOURS['submitted']}' d='{area}'/>"
    span = (
        f"of {_day(min(days))} to {_day(last)}, {highest:,} on the busiest day"
        if len(days) > 1
        else f"of {_day(last)}"
    )
    points = sum(days.values())
    said = f"{points:,} point{'' if points == 1 else 's'} {span}"
    return {"points_by_day": dg.MetadataValue.md(_picture(path, max(last - first + 1, 12), said))}


def _rows(bars: Sequence[Mapping[str, int]]) -> str:
    highest = max(sum(bar.values()) for bar in bars)
    feet = [float(_HEIGHT)] * len(bars)
    drawn, legend, sums = "", "", list[str]()
    for verdict, colour in _COLOURS.items():
        total = sum(bar[verdict] for bar in bars)
        if not total:
            continue
        path = ""
        for at, bar in enumerate(bars):
            if bar[verdict]:
                top = feet[at] - max(1.0, _HEIGHT * bar[verdict] / highest)  # what is rare is seen, too
                path += f"M{at},{feet[at]:.0f}V{top:.0f}"
                feet[at] = top
        drawn += f"<path stroke='#{colour}' d='{path}'/>"
        legend += f"<tspan fill='#{colour}'>{verdict} </tspan>"
        sums.append(f"{total:,} {verdict}")
    words = f"<text y='76' font-size='12' font-family='sans-serif'>{legend}</text>"
    runs = "the last run" if len(bars) == 1 else f"the last {len(bars)} runs with rows"
    return _picture(f"<g transform='translate(.5)'>{drawn}</g>", RUNS, f"{runs}: {', '.join(sums)}", words)


def _picture(paths: str, bars: int, said: str, words: str = "") -> str:
    """Paths in units of one bar as an image in Markdown, with what it says in words."""
    drawn = f"<g transform='matrix({_WIDTH / bars:.3g},0,0,1,0,0)' stroke-width='.8'>{paths}</g>"
    height = _HEIGHT + (22 if words else 2)
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}'>{drawn}{words}</svg>"
    for plain, coded in (("%", "%25"), ("#", "%23"), ("<", "%3C"), (">", "%3E"), (" ", "%20")):
        svg = svg.replace(plain, coded)
    return f"![{said.split(':')[0]}](<data:image/svg+xml,{svg}>)\n\n{said}"


def _day(number: int) -> str:
    return f"{date(1970, 1, 1) + timedelta(days=number)}"

"""The process that parses: bounded in memory, time and output, and gone when its parent is."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any

from planhat_pipelines.files.formats.model import MB, FileOptions, Limits, Unreadable


def main(job: str) -> None:
    """Do the job that `read` describes, and print what was found or why it could not be read, as JSON."""
    given: dict[str, Any] = json.loads(job)
    options, limits = FileOptions(**given["options"]), Limits(**given["limits"])
    _bind(limits)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # of parsers, to nobody

    from planhat_pipelines.files.formats.convert import convert  # the parsers load within the bounds

    try:
        answer: dict[str, Any] = convert(Path(given["path"]), Path(given["folder"]), options, limits)
    except Unreadable as error:
        answer = {"unreadable": {"what": error.what, "where": error.where, "cure": error.cure}}
    except MemoryError:
        what = f"reading the file takes more than {limits.memory_bytes // MB:,} MB of memory"
        answer = {"unreadable": {"what": what, "cure": "Split it into smaller files, or send it as CSV"}}
    except OSError as error:
        if error.errno is not None:  # the disk or the folder, not the file
            raise
        answer = {"unreadable": {"what": _unexpected(error), "cure": "Save it again, or send it as CSV"}}
    except BaseException as error:  # parsers raise whatever they like, panics included
        answer = {"unreadable": {"what": _unexpected(error), "cure": "Save it again, or send it as CSV"}}
    print(json.dumps(answer))


def _bind(limits: Limits) -> None:
    for what, bound in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.unpacked_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard))


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)


def _unexpected(error: BaseException) -> str:
    """Kind and place of an error; its text may quote the file and stays here."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "planhat_pipelines" in frame.filename]
    place = f", {Path(ours[-1].filename).name} line {ours[-1].lineno}" if ours else ""
    return f"the file is damaged in a way the reader does not know ({type(error).__name__}{place})"


if __name__ == "__main__":
    main(sys.argv[1])

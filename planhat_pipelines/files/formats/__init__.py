"""Read a dropped file of any format the mapping takes: a spool file in, bounded columnar pieces out.

`read` looks at the content, never at the name, and parses in a process of its own, so that no file, however
broken or hostile, ends the run that reads it.
"""

from __future__ import annotations

from planhat_pipelines.files.formats.model import FileOptions, Limits, Reading, Unreadable
from planhat_pipelines.files.formats.read import read

__all__ = ["FileOptions", "Limits", "Reading", "Unreadable", "read"]

"""One run of a files sync in a process of its own, which prints how much memory it took."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from planhat_pipelines.engine.environment import open_ledger, planhat_account, s3_account
from planhat_pipelines.engine.syncs.files import files_sync
from planhat_pipelines.files.formats.parent import PARENT
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.spec.files import FilesSpec


def main() -> None:
    """The spec comes as JSON on standard input."""
    spec, spool = FilesSpec.model_validate(json.load(sys.stdin)), Path(os.environ["PLANHAT_SPOOL_FOLDER"])
    with open_ledger(os.environ) as ledger, Planhat(planhat_account(os.environ)) as planhat:
        sync = files_sync(spec, s3_account(os.environ), planhat, ledger, spool=spool, patience=0.0)
        report = sync.run("measured")
    PARENT.close()  # whose children count as ours when it has ended
    reader = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"submitted": report.verdicts["submitted"], "run": own, "reader": reader}))


if __name__ == "__main__":
    main()

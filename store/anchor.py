"""The newest entry of the audit log, kept outside the database: what shows that its end was cut off.

A chain of hashes shows what was changed or removed within it; of its last entries nothing bears witness. So after each
entry its `seq` and hash are written to a file. `verify` then finds any tail that was removed, and a database that was
put back to an earlier state. It cannot find: what was removed by somebody who writes this file as well (copy it to a
place of its own, or export the log regularly), and the last entry where the process was killed between the commit and
the file, nor entries of reported events until the next one of a policy. Who puts the database back to a backup on
purpose removes the file as well.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Head:
    """An entry that there was."""

    seq: int
    hash: str


class Anchor:
    """The file. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()

    def read(self) -> Head | None:
        """What was written last; None where nothing ever was. One that cannot be read is met by no entry."""
        try:
            found = json.loads(self._file.read_text())
            return Head(int(found["seq"]), str(found["hash"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return Head(0, "unreadable")

    def write(self, head: Head) -> Self:
        """In one step: there is always a whole file. An older head is not written over a newer one."""
        with self._lock:
            known = self.read()
            if known is not None and known.seq >= head.seq:
                return self
            fresh = self._file.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
                json.dump({"seq": head.seq, "hash": head.hash}, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._file)
        return self

"""What steps did to bots, as rows: written in bulk, in the transaction that moves the cursors."""

from bots.recorder.recording import StaleCursor, record
from bots.recorder.runs import begin_account, end_run, open_run

__all__ = ["StaleCursor", "begin_account", "end_run", "open_run", "record"]

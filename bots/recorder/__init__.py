"""What steps did to bots, as rows: written in bulk, in the transaction that moves the cursors."""

from bots.recorder.recording import StaleCursor, record
from bots.recorder.runs import Ending, begin_account, end_runs, open_run

__all__ = ["Ending", "StaleCursor", "begin_account", "end_runs", "open_run", "record"]

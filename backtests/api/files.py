"""Files that a finished backtest gives away, sent piece by piece."""

from __future__ import annotations

import tempfile
from typing import Final

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse

from backtests.api.results import NoResult
from backtests.exporting.archive import CannotExport, write_archive
from backtests.exporting.report import report_pieces
from backtests.loading import CandlesMoved
from backtests.models import Backtest
from backtests.storage.results import ResultGone

_IN_MEMORY: Final = 4 << 20
_HTML: Final = "text/html; charset=utf-8"


def report_response(backtest: Backtest) -> HttpResponseBase:
    """Return the report as an attachment: within the site its scripts would not be allowed."""
    try:
        pieces = report_pieces(backtest)
    except ResultGone as gone:
        raise NoResult(str(gone)) from gone
    named = {"Content-Disposition": f'attachment; filename="backtest-{backtest.pk}.html"'}
    return StreamingHttpResponse(pieces, content_type=_HTML, headers=named)


def archive_response(backtest: Backtest) -> HttpResponseBase:
    """Return the archive as an attachment, from a file that goes with the response."""
    if not backtest.result_hash:
        raise NoResult(f"backtest {backtest.pk} is {backtest.state}: it has no result")
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - as long as the response
    try:
        write_archive(backtest, file)
    except BaseException as error:
        file.close()
        if isinstance(error, CannotExport | CandlesMoved):
            raise NoResult(str(error)) from error
        raise
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"backtest-{backtest.pk}.zip")

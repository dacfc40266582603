"""Files that are made while they are sent: never whole in memory, under ASGI as under WSGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


def streamed(
    request: HttpRequest, blocks: Iterator[str], content_type: str, name: str
) -> StreamingHttpResponse:
    """Return `blocks` of text as the file `name`; each is made when the one before was sent."""
    # Django would gather a plain iterator whole before it sends anything under ASGI.
    content = _asynchronous(blocks) if isinstance(request, ASGIRequest) else blocks
    return StreamingHttpResponse(
        content,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _asynchronous(blocks: Iterator[str]) -> AsyncIterator[str]:
    step = sync_to_async(lambda: next(blocks, None))
    while (block := await step()) is not None:
        yield block

"""What a task waits for to the end, even when it is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any


async def settled(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Waits until a future is done, however often the task is cancelled meanwhile: some cancel at each step.

    Returns:
        What the task was cancelled by, for the caller to raise; None where it was not.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    return cancelled

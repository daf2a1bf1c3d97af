"""``/live`` and ``/ready``, for whoever starts workers anew and sends them work."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web


class Health(Protocol):
    """What is asked of a worker."""

    def stuck(self) -> str | None:
        """Why it should be started anew; ``None`` while it gets on with its work."""
        ...

    def not_ready(self) -> str | None:
        """Why it processes nothing yet; ``None`` once all its partitions are open."""
        ...


def health_application(health: Health) -> web.Application:
    """Answers with 200, or with 503 and the reason."""

    async def live(_: web.Request) -> web.Response:
        return _answer(health.stuck())

    async def ready(_: web.Request) -> web.Response:
        return _answer(health.stuck() or health.not_ready())

    application = web.Application()
    application.router.add_get("/live", live)
    application.router.add_get("/ready", ready)
    return application


def _answer(obstacle: str | None) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if obstacle is None:
        answer = web.json_response({"ok": True}, headers=headers)
    else:
        answer = web.json_response({"ok": False, "reason": obstacle}, status=503, headers=headers)
    # Connections have a deadline: a client must not send its next question into one that is about to end.
    answer.force_close()
    return answer

from __future__ import annotations

import asyncio

from asgiref.testing import ApplicationCommunicator

from leadsend.asgi import application


def talk(scope, sent, *, answers=1, ends=True):
    """Send messages to the application and return its first answers; ``ends``: it stops then."""

    async def run():
        communicator = ApplicationCommunicator(application, scope)
        for message in sent:
            await communicator.send_input(message)
        found = [await communicator.receive_output(10) for _ in range(answers)]
        if ends:
            await communicator.wait(10)
        communicator.stop(exceptions=False)
        return found

    return asyncio.run(run())


def test_the_servers_start_and_stop_are_answered():
    sent = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    answers = talk({"type": "lifespan"}, sent, answers=2)

    assert [answer["type"] for answer in answers] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_other_paths_are_djangos():
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/livez",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    start, _ = talk(scope, [{"type": "http.request", "body": b""}], answers=2)

    assert start["status"] == 200


def test_a_websocket_from_another_site_is_refused():
    scope = {
        "type": "websocket",
        "path": "/ws/home/",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"origin", b"https://evil.example")],
    }
    [answer] = talk(scope, [{"type": "websocket.connect"}], ends=False)

    assert answer["type"] == "websocket.close"

"""The programs that are shown run, and what they send is accepted."""

from __future__ import annotations

import base64
import io
import itertools
import os
import subprocess

import pytest

from triggers import endpoints, sender_samples
from triggers.models import AuthMode, TriggerEvent
from triggers.tests.serving import by_view

pytestmark = pytest.mark.django_db(transaction=True)

CFGS = {
    "hmac": {"header": "X-Sign", "algorithm": "sha512", "encoding": "base64", "prefix": "v1:"},
    "header": {"header": "X-Key"},
    "basic": {"user": "o'neil"},
}


@pytest.fixture
def sent(monkeypatch):
    """What a program sends, and the answer that it gets from the webhook."""
    requests = []

    class Answer(io.BytesIO):
        status = 0

    def urlopen(request):
        requests.append(request)
        reply = by_view(request.get_method(), dict(request.header_items()), request.data)
        answer = Answer(b"{}")
        answer.status = reply.status
        return answer

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return requests


@pytest.mark.parametrize("mode", AuthMode.values)
def test_the_python_program_is_accepted(make_endpoint, sent, monkeypatch, capsys, mode):
    endpoint = make_endpoint(mode=mode, cfg=CFGS.get(mode))
    monkeypatch.setenv(sender_samples.SECRET_VARIABLE, endpoint.secret)
    program = sender_samples.samples_of(endpoint)["python"]

    exec(compile(program, "sample.py", "exec"), {})  # noqa: S102 - that is the test

    assert capsys.readouterr().out.startswith("202 ")
    assert TriggerEvent.objects.get().data == sender_samples.EVENT
    assert sent[0].full_url.endswith("/hooks/token-1")
    assert not endpoint.secret or endpoint.secret not in program


@pytest.mark.parametrize("mode", ["header", "basic", "none"])
def test_the_curl_line_sends_what_is_accepted(make_endpoint, tmp_path, mode):
    endpoint = make_endpoint(mode=mode, cfg=CFGS.get(mode))
    line = sender_samples.samples_of(endpoint)["curl"]
    # In the place of curl a program that shows what it was called with.
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    curl.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WEBHOOK_SECRET": endpoint.secret}

    said = subprocess.run(  # noqa: S602 - the line is ours
        line, shell=True, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert said[-1].endswith("/hooks/token-1")
    headers = dict(one.split(": ", 1) for flag, one in itertools.pairwise(said) if flag == "-H")
    if mode == "basic":
        user = said[said.index("-u") + 1]
        headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    body = said[said.index("--data") + 1].encode()
    assert by_view("POST", headers, body).status == 202


def test_a_page_is_shown_only_for_a_webhook_without_proof(make_endpoint):
    endpoint = make_endpoint(mode="none")
    page = sender_samples.samples_of(endpoint)["html"]

    assert f'action="{endpoints.address(endpoint)}"' in page
    endpoint.auth_mode = "header"
    assert set(sender_samples.samples_of(endpoint)) == {"python", "curl"}
    endpoint.auth_mode = "github"
    assert set(sender_samples.samples_of(endpoint)) == {"python"}

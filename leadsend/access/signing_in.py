"""Signs people in, and locks who guesses: 5 wrong tries in 15 minutes per account and address."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.contrib.auth import authenticate, login
from django.http import HttpRequest

from leadsend.access.models import SignInTry, User
from leadsend.lib import clock
from leadsend.lib.errors import NotAllowed, TooManyRequests

MAX_TRIES = 5
WINDOW = timedelta(minutes=15)


def sign_in(request: HttpRequest, *, email: str, password: str) -> User:
    """Sign a person in on this browser, under a new session key, and return them.

    1. Write the try down, before the password is looked at: parallel guesses count each other.
    2. Refuse when the account or the address has too many.
    3. Check the password; forget the tries when it is right.

    Raises NotAllowed or TooManyRequests, both the same for accounts that do not exist.
    """
    subjects = [_of_account(email), _of_address(request)]
    tries = [SignInTry.objects.create(subject=subject) for subject in subjects]
    since = clock.now() - WINDOW
    SignInTry.objects.filter(at__lt=since).delete()
    if any(_count(subject) > MAX_TRIES for subject in subjects):
        # A try that was not looked at must not make the lock longer.
        SignInTry.objects.filter(pk__in=[row.pk for row in tries]).delete()
        raise TooManyRequests("Too many wrong tries. Wait 15 minutes, then try again.")
    user = authenticate(request, username=email, password=password)
    if not isinstance(user, User):
        raise NotAllowed("This e-mail and password do not fit together.")
    SignInTry.objects.filter(subject__in=subjects).delete()
    login(request, user)
    return user


def _count(subject: str) -> int:
    return SignInTry.objects.filter(subject=subject).count()


def _of_account(email: str) -> str:
    digest = hashlib.sha256(email.strip().lower().encode(errors="replace")).hexdigest()
    return f"account:{digest}"


def _of_address(request: HttpRequest) -> str:
    # Only what the server saw: a header of the sender's would make a new address for each guess.
    return f"address:{request.META.get('REMOTE_ADDR', '')}"[:80]

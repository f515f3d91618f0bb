"""What every admin page shares: it asks the policy, shows only what the user may see, and audits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db import DataError, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from leadsend.access import audit, policy
from leadsend.access.admin_lists import CappedPaginator, names_of
from leadsend.access.models import ProjectQuerySet, User
from leadsend.access.pages import refusal
from leadsend.lib.errors import LeadSendError

# Generic for the type checker only.
if TYPE_CHECKING:
    PlainAdmin = admin.ModelAdmin[Any]
else:
    PlainAdmin = admin.ModelAdmin

INSTALLATION: Final = "installation.manage"
MOST_AT_ONCE: Final = 500
# What PostgreSQL, psycopg or Django say to values in the address that no column can hold.
_UNUSABLE = (DataError, ValueError, ValidationError, OverflowError)


class ScopedAdmin(PlainAdmin):
    """Rows of projects in which the user has ``read_permission``; writing is for superusers.

    Tables without a project name ``installation.manage`` or a permission that everybody has who
    is signed in.
    """

    read_permission: ClassVar[str] = "project.read"
    show_full_result_count = False
    list_per_page = 50
    paginator = CappedPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Start from what the user may see."""
        queryset = super().get_queryset(request)
        if not isinstance(queryset, ProjectQuerySet):
            return queryset
        return policy.rows_where(queryset, user_of(request), self.read_permission)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the table on the front page to whom its list is open."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask the policy; which rows are seen is a matter of ``get_queryset``."""
        is_staff = bool(request.user.is_active and request.user.is_staff)
        return is_staff and policy.may_somewhere(user_of(request), self.read_permission)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let only who runs the installation write rows by hand."""
        return runs_installation(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let only who runs the installation write rows by hand."""
        return runs_installation(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let only who runs the installation write rows by hand."""
        return runs_installation(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a row by its id when one was typed in, else by ``search_fields``."""
        wanted = _as_id(search_term)
        if wanted is None:
            return super().get_search_results(request, queryset, search_term)
        return self.with_id(queryset, wanted), False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        """Return the row of a key; none has a NUL in it, which PostgreSQL refuses to compare."""
        if "\x00" in object_id:
            return None
        return super().get_object(request, object_id, from_field)

    def with_id(self, queryset: QuerySet[Any], wanted: UUID) -> QuerySet[Any]:
        """Keep the row that this id belongs to."""
        return queryset.filter(pk=wanted)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Answer values in the address that no column can hold as Django does unknown filters."""
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        try:
            with transaction.atomic():
                return super().changelist_view(request, extra_context)
        except _UNUSABLE:
            return HttpResponseRedirect(f"{request.path}?e=1")


class ReadOnlyAdmin(ScopedAdmin):
    """For rows that only the product writes: they can be looked at, and acted on by actions.

    Every column is shown but those in ``hidden``.
    """

    hidden: ClassVar[tuple[str, ...]] = ()
    actions_selection_counter = False

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Show all columns, those too that no form would hold."""
        return names_of(self.model, hidden=self.hidden)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Show all columns as text."""
        return names_of(self.model, hidden=self.hidden)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: such rows come about by use."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: their state changes by acts only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: retention deletes."""
        return False


class AuditedAdmin(ScopedAdmin):
    """For rows that superusers write by hand: whatever Django logs goes to the audit log too."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write down that a row was added."""
        self._record(request, obj, "add", message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write down which fields were changed, a password among them."""
        self._record(request, obj, "change", message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Write down what is about to be deleted."""
        for obj in queryset:
            self._record(request, obj, "delete", str(obj))
        return super().log_deletions(request, queryset)

    def _record(self, request: HttpRequest, obj: Model, act: str, message: Any) -> None:
        audit.record(
            f"{self.opts.model_name}.{act}",
            actor=user_of(request),
            project=getattr(obj, "project", None),
            obj=obj,
            detail={"admin": message},
            request=request,
        )


def act_on_each(
    request: HttpRequest,
    model_admin: PlainAdmin,
    rows: Iterable[Any],
    act: Callable[[Any], object],
    *,
    permission: str,
    done: str,
) -> None:
    """Call a use case for each row the user may do this with; say what worked and what was refused.

    Acts on 500 rows at most: the page waits for it.
    """
    chosen = list(rows[: MOST_AT_ONCE + 1]) if isinstance(rows, QuerySet) else list(rows)
    if len(chosen) > MOST_AT_ONCE:
        model_admin.message_user(
            request, f"Choose at most {MOST_AT_ONCE} rows: nothing was done.", messages.ERROR
        )
        return
    count = sum(_acted(request, model_admin, row, act, permission) for row in chosen)
    level = messages.SUCCESS if count else messages.INFO
    model_admin.message_user(request, f"{done}: {count}.", level)


def _acted(
    request: HttpRequest,
    model_admin: PlainAdmin,
    row: Any,
    act: Callable[[Any], object],
    permission: str,
) -> bool:
    try:
        policy.require(user_of(request), permission, row.project_id)
        act(row)
    except LeadSendError as error:
        model_admin.message_user(request, f"{row}: {error.message}", messages.WARNING)
        return False
    return True


def user_of(request: HttpRequest) -> User:
    """Return the signed-in user; admin pages have no other visitors."""
    assert isinstance(request.user, User)  # noqa: S101 - Django asked for staff before
    return request.user


def runs_installation(request: HttpRequest) -> bool:
    """Tell whether the user may write rows by hand."""
    user = request.user
    return bool(user.is_active and user.is_staff and policy.may(user_of(request), INSTALLATION))


def sign_in_first(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Send visitors to the one sign-in page, which counts wrong tries; tell others who may enter."""
    if request.user.is_authenticated:
        return refusal(request, "The admin pages are for staff. Ask an administrator for it.")
    return redirect_to_login(request.GET.get("next") or "/admin/")


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None

"""Admin pages of people and access."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from leadsend.access import people, tokens
from leadsend.access.admin_lists import own
from leadsend.access.admin_pages import (
    INSTALLATION,
    AuditedAdmin,
    ReadOnlyAdmin,
    ScopedAdmin,
    act_on_each,
    sign_in_first,
    user_of,
)
from leadsend.access.models import (
    ApiToken,
    AuditEntry,
    BusinessCalendar,
    Holiday,
    Membership,
    Organisation,
    Project,
    SignInTry,
    Team,
    User,
)
from leadsend.lib.errors import LeadSendError

# Generic for the type checker only.
if TYPE_CHECKING:
    _Creation = AdminUserCreationForm[User]
    _Change = UserChangeForm[User]
    _People = DjangoUserAdmin[User]
    _Inline = admin.TabularInline[Holiday, BusinessCalendar]
else:
    _Creation, _Change, _People = AdminUserCreationForm, UserChangeForm, DjangoUserAdmin
    _Inline = admin.TabularInline


class UserCreation(_Creation):
    """A new user is named by e-mail."""

    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("email",)


class UserChange(_Change):
    """All fields of a user."""

    class Meta(UserChangeForm.Meta):
        model = User


# One door: the sign-in page counts wrong tries, the one that comes with the admin does not.
admin.site.login = sign_in_first  # type: ignore[method-assign]


@admin.register(User)
class UserAdmin(AuditedAdmin, _People):
    """People; who leaves is switched off, for their name stands in the audit log."""

    read_permission = INSTALLATION

    form = UserChange
    add_form = UserCreation
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("name", "theme", "timezone")}),
        (
            "Rights",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login",)}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "usable_password", "password1", "password2"),
            },
        ),
    )
    readonly_fields = ("last_login",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what somebody did stays theirs."""
        return False


@admin.register(Organisation)
class OrganisationAdmin(AuditedAdmin):
    """The one organisation."""

    read_permission = INSTALLATION

    list_display = ("name", "timezone", "created_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: set-up makes the one row there is."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: an installation is always somebody's."""
        return False


class HolidayInline(_Inline):
    """The days on which a calendar's organisation is closed."""

    model = Holiday
    extra = 1


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(AuditedAdmin):
    """When the organisation is open; delays go by it, a minute after a change at the latest."""

    read_permission = INSTALLATION

    list_display = ("name", "key", "timezone", "is_usual")
    search_fields = ("name", "key")
    inlines = (HolidayInline,)


@admin.register(Holiday)
class HolidayAdmin(AuditedAdmin):
    """All days on which somebody is closed."""

    read_permission = INSTALLATION

    list_display = ("day", "name", "calendar")
    list_filter = ("calendar",)
    list_select_related = ("calendar",)
    search_fields = ("name",)


@admin.register(Project)
class ProjectAdmin(AuditedAdmin):
    """Projects."""

    list_display = ("name", "slug", "timezone", "created_at")
    search_fields = ("name", "slug")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Offer the failure workflow among those that the user sees."""
        field: Any = super().formfield_for_foreignkey(db_field, request, **options)
        if field is not None and db_field.name == "failure_workflow":
            field.queryset = field.queryset.visible_to(user_of(request)).not_deleted()
        return field

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Keep the user's projects; the model's own manager knows all."""
        shown: QuerySet[Any] = super().get_queryset(request)
        return shown.filter(pk__in=user_of(request).projects().order_by())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a project's history goes by retention."""
        return False


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    """Who has which role where; written by the use cases, which keep every project an admin."""

    read_permission = "member.read"
    list_display = ("user", "project", "role", "created_at")
    list_filter = ("role", own("project"))
    search_fields = ("user__email", "user__name")
    list_select_related = ("user", "project")
    autocomplete_fields = ("user", "project")
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep whose membership it is: another one is another row."""
        return ("user", "project") if obj is not None else ()

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show what the use case refused."""
        return self._or_refusal(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show what the use case refused."""
        return self._or_refusal(request, super().delete_view, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Add the member, or change the role."""
        actor = user_of(request)
        if change:
            role, obj.role = obj.role, form.initial["role"]
            people.change_role(obj, role=role, actor=actor)
            return
        made = people.add_member(project=obj.project, user=obj.user, role=obj.role, actor=actor)
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Take the member out."""
        key = obj.pk
        people.remove_member(obj, actor=user_of(request))
        obj.pk = key

    def _or_refusal(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except LeadSendError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)


@admin.register(Team)
class TeamAdmin(AuditedAdmin):
    """Teams that tasks are given to."""

    read_permission = "member.read"
    list_display = ("name", "key", "project")
    list_filter = (own("project"),)
    search_fields = ("name", "key")
    list_select_related = ("project",)
    filter_horizontal = ("members",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens; they are made by the API, where they are shown once."""

    read_permission = "token.read"
    hidden = ("token_hash",)
    list_display = ("name", "prefix", "user", "expires_at", "last_used_at", "revoked_at")
    list_filter = (own("project"),)
    search_fields = ("name", "prefix", "user__email")
    list_select_related = ("user",)
    actions = ("revoke",)

    @admin.action(description="Revoke", permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Make the tokens worthless."""
        act_on_each(
            request,
            self,
            queryset,
            lambda token: tokens.revoke(token, actor=user_of(request)),
            permission="token.manage",
            done="Revoked",
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """What was done; it only grows."""

    read_permission = "audit.read"
    list_display = ("at", "act", "actor_label", "object_type", "object_id", "project")
    list_filter = ("at", "act", "object_type", own("project"))
    search_fields = ("object_id__exact", "actor_label", "act")
    ordering = ("-number",)
    list_select_related = ("project",)


@admin.register(SignInTry)
class SignInTryAdmin(ReadOnlyAdmin):
    """Wrong tries to sign in, of the last 15 minutes."""

    read_permission = INSTALLATION
    list_display = ("subject", "at")
    search_fields = ("subject",)
    ordering = ("-at",)

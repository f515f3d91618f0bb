"""Who there is: organisation, users, projects, teams, roles, tokens, and what people did."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.db import models
from django.utils.functional import cached_property

from leadsend.access import calendars
from leadsend.lib import clock, ids
from leadsend.lib.errors import InvalidInput, Problem


class Role(models.TextChoices):
    """What a member may; each role may all that the ones before it may."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    BUILDER = "builder", "Builder"
    PUBLISHER = "publisher", "Publisher"
    ADMIN = "admin", "Admin"


class Organisation(models.Model):
    """The one installation; a row so that its settings can be edited."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(max_length=200)
    timezone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "organisation"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="organisation_is_one_row")
        ]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Creates users who sign in by e-mail."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user; without a password they cannot sign in until they set one."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user who may do everything, admin included."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a user by e-mail in any letter case."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May open the admin pages.")
    theme = models.CharField(
        max_length=8,
        default="system",
        choices=[("system", "System"), ("light", "Light"), ("dark", "Dark")],
    )
    timezone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    # Set when a token signed the user in, who then has no more than it lets through.
    token: ApiToken | None = None

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "access_user"

    def __str__(self) -> str:
        return self.name or self.email

    @cached_property
    def roles(self) -> dict[UUID, str]:
        """Return the user's role in each project: ``{project id: role}``; one query, kept."""
        return dict(self.memberships.values_list("project_id", "role"))

    @property
    def sees_all(self) -> bool:
        """Return whether the user sees every project; through a token nobody does."""
        return self.is_superuser and self.token is None

    def projects(self) -> models.QuerySet[Project]:
        """Return the projects that the user sees."""
        everything = Project.objects.all()
        return everything if self.sees_all else everything.filter(pk__in=list(self.roles))

    def project_named(self, wanted: str | None) -> Project:
        """Return the project with this id or slug, or the only one when none is named.

        Raises InvalidInput when there are several, or none that the user sees has this name.
        """
        projects = self.projects()
        if wanted is not None:
            projects = projects.filter(_named(wanted))
        found = list(projects[:2])
        if len(found) == 1:
            return found[0]
        message = "Name one of your projects: fill in “project” with its id or slug."
        problem = Problem(code="missing", message=message, path="/project")
        raise InvalidInput(message, problems=[problem])


class Project(models.Model):
    """The tenant: every row that a user can reach belongs to one."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    timezone = models.CharField(max_length=64, default="UTC")
    # By name: what is designed stands above who may.
    failure_workflow = models.ForeignKey(
        "workflows.Workflow",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Started when a run of this project fails whose workflow names no other handler.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "project"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def project_id(self) -> UUID:
        """Return its own id: the policy asks every row for its project."""
        return self.pk


class BusinessCalendar(models.Model):
    """When the organisation is open; delays in workflows go by it. One of them is the usual one."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    key = models.SlugField(max_length=80, unique=True, help_text="Its name in workflows.")
    name = models.CharField(max_length=200)
    timezone = models.CharField(max_length=64, default="UTC", validators=[calendars.check_timezone])
    hours = models.JSONField(
        default=calendars.nine_to_five,
        blank=True,
        validators=[calendars.check_hours],
        help_text='By weekday, from and to: {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}.',
    )
    is_usual = models.BooleanField(
        "usual", default=False, help_text="Delays that name no calendar go by this one."
    )

    class Meta:
        db_table = "business_calendar"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_usual"],
                condition=models.Q(is_usual=True),
                name="business_calendar_usual_once",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Holiday(models.Model):
    """A day on which a calendar's organisation is closed."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    calendar = models.ForeignKey(
        BusinessCalendar, on_delete=models.CASCADE, related_name="holidays"
    )
    day = models.DateField()
    name = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "holiday"
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["calendar", "day"], name="holiday_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.name}".strip()


class ProjectQuerySet(models.QuerySet[Any]):
    """Rows that belong to a project; every user-facing query starts from ``visible_to``."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Keep the rows of projects the user is a member of (superusers: all)."""
        if not user.is_authenticated:
            return self.none()
        if user.sees_all:
            return self
        return self.filter(project_id__in=list(user.roles))


class ProjectRow(models.Model):
    """Base of every table whose rows belong to a project."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")

    objects = ProjectQuerySet.as_manager()

    class Meta:
        abstract = True


class Membership(ProjectRow):
    """A user's role in a project."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "membership"
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()}"


class Team(ProjectRow):
    """A group of people that tasks can be given to, named in workflows by its key."""

    key = models.SlugField(max_length=80)
    name = models.CharField(max_length=200)
    members = models.ManyToManyField(User, related_name="teams", blank=True, db_table="team_member")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "team"
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="team_key_once")]

    def __str__(self) -> str:
        return self.name


class SignInTry(models.Model):
    """A try to sign in that was not right, counted for an account or an address; short-lived.

    ``subject`` is ``account:<SHA-256 of the e-mail>`` or ``address:<address>``.
    """

    subject = models.CharField(max_length=80)
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "sign_in_try"
        verbose_name_plural = "sign-in tries"
        indexes = [
            models.Index(fields=["subject"], name="sign_in_try_by_subject"),
            models.Index(fields=["at"], name="sign_in_try_age"),
        ]

    def __str__(self) -> str:
        return self.subject


class ApiToken(ProjectRow):
    """A key for programs; only its SHA-256 is stored, the token itself is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, help_text="The first letters, to tell tokens apart.")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "api_token"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEntry(models.Model):
    """What somebody did; a database trigger refuses UPDATE and DELETE.

    ``hash`` chains each entry to the one before it (SHA-256 over ``previous_hash`` and the entry),
    so a row changed behind the application's back shows.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    actor_label = models.CharField(max_length=254, help_text="E-mail, or the part that acted.")
    act = models.CharField(max_length=80, help_text="For example workflow.publish.")
    object_type = models.CharField(max_length=80)
    object_id = models.CharField(max_length=80)
    detail = models.JSONField(default=dict)
    address = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(default=clock.now)
    number = models.BigIntegerField(unique=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "audit_entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["project", "-number"], name="audit_by_project"),
            models.Index(fields=["object_type", "object_id"], name="audit_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.act} by {self.actor_label}"


def _named(wanted: str) -> models.Q:
    try:
        return models.Q(pk=UUID(wanted))
    except ValueError:
        return models.Q(slug=wanted)

"""What lists of the admin are made of: a count that ends, filters that tell nothing foreign."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin import (
    AllValuesFieldListFilter,
    FieldListFilter,
    RelatedFieldListFilter,
    SimpleListFilter,
)
from django.core.paginator import Paginator
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

# Generic for the type checker only.
if TYPE_CHECKING:
    _Pages = Paginator[Any]
else:
    _Pages = Paginator

Choices = Iterable[tuple[str, str]]
MOST_COUNTED: Final = 5_000


class CappedPaginator(_Pages):
    """Counts up to ``MOST_COUNTED`` rows: nobody pages further, and a whole count reads months."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, or the most that is counted."""
        return min(self._counted, MOST_COUNTED)

    @property
    def is_capped(self) -> bool:
        """Say whether there are more rows than ``count`` tells."""
        return self._counted > MOST_COUNTED

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: MOST_COUNTED + 1].count()
        return len(rows)


class OwnRelatedFilter(RelatedFieldListFilter):
    """Offers only projects and teams that the user sees; their names are nobody else's business."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        """Return ``(key, name)`` of the rows that the user's own admin list would show."""
        shown = model_admin.admin_site.get_model_admin(field.remote_field.model)
        return [(row.pk, str(row)) for row in shown.get_queryset(request).order_by()[:200]]


def own(name: str) -> tuple[str, type[FieldListFilter]]:
    """Return the filter by a project or team, for ``list_filter``."""
    return name, OwnRelatedFilter


def known(name: str, title: str, choices: Callable[[], Choices]) -> type[SimpleListFilter]:
    """Return a filter by values that the code knows, for columns of tables too large to ask."""

    class KnownValues(SimpleListFilter):
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return list(choices())

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            value = self.value()
            return queryset.filter(**{name: value}) if value else queryset

    KnownValues.title = title
    return KnownValues


class WordsFilter(AllValuesFieldListFilter):
    """Offers the values that are in use; an empty one has no name that a link could have."""

    def choices(self, changelist: Any) -> Any:
        """Yield the choices that have a word."""
        return (one for one in super().choices(changelist) if str(one["display"]).strip())


def names_of(model: Any, *, hidden: Iterable[str] = ()) -> list[str]:
    """Return the names of a model's columns as its page shows them."""
    fields: list[Field[Any, Any]] = model._meta.fields
    return [field.name for field in fields if field.name not in set(hidden)]

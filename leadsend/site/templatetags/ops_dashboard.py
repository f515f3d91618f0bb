"""The block of figures on the front page of the admin."""

from __future__ import annotations

from django import template

from leadsend.site.vitals import Vitals, read_vitals

register = template.Library()


@register.inclusion_tag("admin/ops_dashboard.html")
def ops_dashboard() -> dict[str, Vitals]:
    """Show queue depth, ages, workers, ticks and failures."""
    return {"vitals": read_vitals()}

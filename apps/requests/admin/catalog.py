"""The catalogue: items with their rules, and forms, versioned."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Exists, F, OuterRef, QuerySet
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.accounts.models.user import check_zone
from apps.core.admin import ConfigurationAdmin, KeyedVersionAdmin, VersionForm
from apps.core.admin_parts import table, verdict
from apps.core.models import KeyedVersion
from apps.requests.forms import check_form
from apps.requests.models import CatalogItem, FormVersion, SelectionRule, SlaRule
from apps.requests.services.reissuing import is_new_to_rules, require_fitting_form, rule_problems
from apps.requests.services.targets import sla_rule_problems
from apps.sla.models import SlaPolicyVersion
from apps.workflows.enums import VersionStatus
from apps.workflows.models import WorkflowVersion
from apps.workflows.services.publishing import lock_publishing

OUT_OF_THE_WAY = 10_000


def keys_of(versions: type[KeyedVersion], *, empty: str) -> list[tuple[str, str]]:
    """The keys of a kind of version as choices; `empty` names the choice of none."""
    keys = versions._default_manager.order_by("key").values_list("key", flat=True).distinct()
    return [("", empty), *((key, key) for key in keys)]


class ItemForm(forms.ModelForm):
    """An item names a form and an SLA policy that exist."""

    form_key = forms.ChoiceField(
        label="Form", choices=lambda: keys_of(FormVersion, empty="Select a form"), widget=UnfoldAdminSelectWidget
    )
    sla_key = forms.ChoiceField(
        label="SLA policy",
        choices=lambda: keys_of(SlaPolicyVersion, empty="None"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def clean_time_zone(self) -> str:
        zone = str(self.cleaned_data["time_zone"])
        check_zone(zone)
        return zone


class RuleForm(forms.ModelForm):
    """A rule; its guard, and those of the workflow it leads to, must fit the form of the item."""

    class Meta:
        widgets = {"guard": UnfoldAdminTextareaWidget(attrs={"rows": 2, "spellcheck": "false"})}

    def clean_order(self) -> int:
        order = int(self.cleaned_data["order"])
        if order >= OUT_OF_THE_WAY:
            raise ValidationError(f"This must be below {OUT_OF_THE_WAY:,}.")
        return order


class RuleFormSet(BaseInlineFormSet):
    """The rules of an item, whose form may be another one than is stored."""

    def clean(self) -> None:
        """A rule that did not change is asked again only where its item has another form, or is offered from now on."""
        super().clean()
        item_changed = is_new_to_rules(self.instance)
        kept = [form for form in self.forms if not form.errors and form not in self.deleted_forms]
        lock_publishing()
        for form in kept:
            if form.has_changed() or (item_changed and form.instance.pk):
                for problem in rule_problems(form.instance):
                    form.add_error("guard", ValidationError(problem.message, code=problem.code))


class RuleInline(TabularInline):
    """The first rule in order whose guard holds selects the workflow; an empty guard always holds."""

    model = SelectionRule
    form = RuleForm
    formset = RuleFormSet
    extra = 0
    fields = ("order", "name", "guard", "workflow")
    autocomplete_fields = ("workflow",)


class SlaRuleForm(RuleForm):
    """A rule that names an SLA policy which exists; its guard must fit the form of the item."""

    policy_key = forms.ChoiceField(
        label="SLA policy",
        choices=lambda: keys_of(SlaPolicyVersion, empty="Select a policy"),
        widget=UnfoldAdminSelectWidget,
    )


class SlaRuleFormSet(BaseInlineFormSet):
    """The SLA rules of an item, asked as its other rules are."""

    def clean(self) -> None:
        super().clean()
        item_changed = is_new_to_rules(self.instance)
        lock_publishing()
        for form in (form for form in self.forms if not form.errors and form not in self.deleted_forms):
            if form.has_changed() or (item_changed and form.instance.pk):
                for field, messages in sla_rule_problems(form.instance).items():
                    form.add_error(field, list(messages))


class SlaRuleInline(TabularInline):
    """The first rule in order whose guard holds names the SLA policy; where none does, the item's own applies."""

    model = SlaRule
    form = SlaRuleForm
    formset = SlaRuleFormSet
    extra = 0
    fields = ("order", "name", "guard", "policy_key")


@admin.register(CatalogItem)
class CatalogItemAdmin(ConfigurationAdmin):
    form = ItemForm
    inlines = (RuleInline, SlaRuleInline)
    list_display = ("name", "category", "slug", "form_key", "sla_key", "rule_count", "active")
    list_filter = ("active", "category")
    search_fields = ("name", "slug", "summary", "category")
    ordering = ("category", "position", "name")
    autocomplete_fields = ("audience",)
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("readiness",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "summary", "description", "active", "readiness")}),
        ("In the catalogue", {"fields": ("category", "icon", "position", "audience")}),
        ("How it is carried out", {"fields": ("form_key", "sla_key", "time_zone", "reopen_days", "archive_after")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogItem]:
        rows: QuerySet[CatalogItem] = super().get_queryset(request)
        return rows.prefetch_related("rules")

    @display(description="rules")
    def rule_count(self, item: CatalogItem) -> int:
        return len(item.rules.all())

    @display(description="can be asked for")
    def readiness(self, item: CatalogItem) -> str:
        """What stands in the way of a request for this item."""
        if item.pk is None:
            return "Save the item to see whether people can ask for it."
        lacks = [(what,) for what in lacking(item)]
        return table(("Still missing",), lacks, empty=verdict("Yes: a workflow is found for every request.", good=True))

    def save_formset(self, request: HttpRequest, form: ModelForm, formset: BaseInlineFormSet, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Rules are written one by one: those that move are put out of each other's way first."""
        moved = [row.instance.pk for row in formset.initial_forms if row.has_changed() and row.instance.pk]
        rules: Any = formset.model
        rules.objects.filter(pk__in=moved).update(order=F("order") + OUT_OF_THE_WAY)
        super().save_formset(request, form, formset, change)


def lacking(item: CatalogItem) -> list[str]:
    """What an item needs before every request for it finds its workflow."""
    published = WorkflowVersion.objects.filter(workflow=OuterRef("workflow"), status=VersionStatus.PUBLISHED)
    rules = list(item.rules.annotate(published=Exists(published)).select_related("workflow"))
    lacks = [
        f"The workflow {rule.workflow} of rule “{rule.name}” is not published." for rule in rules if not rule.published
    ]
    if all(rule.guard for rule in rules):
        lacks.append("No rule has an empty guard: a request that none of the guards fits is refused.")
    if not item.active:
        lacks.append("The item is not active.")
    return lacks


class FormVersionForm(VersionForm):
    check = staticmethod(check_form)
    require = staticmethod(require_fitting_form)


@admin.register(FormVersion)
class FormVersionAdmin(KeyedVersionAdmin):
    form = FormVersionForm

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        example = {"fields": [{"name": "reason", "type": "text", "label": "Reason", "required": True}]}
        return super().get_changeform_initial_data(request) or {"document": example}

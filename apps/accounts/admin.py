"""People, roles and teams. Nobody is deleted: a person who leaves is deactivated, an empty role harms nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminSelectWidget

from apps.accounts import services
from apps.accounts.models import Delegation, Team, User
from apps.calendars.selectors import current_version, known_calendars
from apps.core.admin import KeptAdmin, ReadOnlyAdmin
from apps.core.admin_parts import link_to, table

admin.site.unregister(Group)


def acting(request: HttpRequest) -> User:
    """The person at the page: the admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


def calendar_field(current: str, whose: str) -> forms.ChoiceField:
    """A choice of the calendars that are frozen; one that is stored and is not there any more stays to be seen."""
    keys = known_calendars()
    known = [("", "None: that of each SLA target"), *((key, key) for key in keys)]
    if current and current not in keys:
        known.append((current, f"{current} (there is no such calendar)"))
    return forms.ChoiceField(
        choices=known,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=f"The working hours of {whose}, where an SLA target follows them",
    )


class CalendarOfForm(forms.ModelForm):
    """Names a calendar that exists."""

    whose = "this person"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "calendar" in self.fields:
            self.fields["calendar"] = calendar_field(self.instance.calendar, self.whose)

    def clean_calendar(self) -> str:
        key = str(self.cleaned_data["calendar"])
        if key and "calendar" in self.changed_data and current_version(key) is None:
            raise ValidationError(f"There is no calendar {key!r}.")
        return key


class PersonForm(CalendarOfForm, UserChangeForm):
    pass


class NewPersonForm(CalendarOfForm, UserCreationForm):
    pass


@admin.register(User)
class PersonAdmin(KeptAdmin, UserAdmin):
    """Every person has a stream; who changes somebody's access says so in it, so open sockets check their rights."""

    form = PersonForm
    add_form = NewPersonForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "department", "manager", "is_active", "is_staff")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    list_select_related = ("manager",)
    search_fields = ("username", "first_name", "last_name", "email", "department")
    ordering = ("username",)
    autocomplete_fields = ("manager", "groups")
    filter_horizontal = ("user_permissions",)
    readonly_fields = ("stream_link", "teams", "last_login", "date_joined")
    person = ("first_name", "last_name", "email", "department", "manager", "time_zone", "calendar")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": person}),
        ("Roles and teams", {"fields": ("groups", "teams")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "user_permissions"), "classes": ("collapse",)}),
        ("Kept by the system", {"fields": ("last_login", "date_joined", "stream_link")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        ("Person", {"fields": (*person, "groups")}),
    )

    @display(description="name", ordering="last_name")
    def full_name(self, person: User) -> str:
        return person.get_full_name()

    @display(description="stream")
    def stream_link(self, person: User) -> str:
        return link_to(person.stream)

    @display(description="teams")
    def teams(self, person: User) -> str:
        rows = Team.objects.filter(Q(group__user=person) | Q(lead=person)).distinct().order_by("name")
        shown = [(link_to(team), "leads it" if team.lead_id == person.pk else "member") for team in rows]
        return table(("Team", "Place"), shown, empty="In no team.")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name == "groups":
            field.label, field.help_text = "Roles and teams", "A team's group is named “team: ” and its key."
        return field

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:  # noqa: FBT001 - Django's signature
        super().save_model(request, obj, form, change)
        if not change:
            services.ensure_stream(obj)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Sequence[Any], change: bool) -> None:  # noqa: FBT001 - Django's signature
        super().save_related(request, form, formsets, change)
        if change and {"groups", "is_active", "is_superuser", "user_permissions"} & set(form.changed_data):
            services.tell_access_changed(form.instance, actor=acting(request))


class RoleList(ChangeList):
    """Team groups are edited with their team; in the list of roles they would only be in the way."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Group]:
        rows: QuerySet[Group] = super().get_queryset(request, exclude_parameters)
        return rows.filter(team__isnull=True).annotate(people=Count("user"))


@admin.register(Group)
class RoleAdmin(KeptAdmin, GroupAdmin):
    list_display = ("name", "people")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "members", "permissions")
    readonly_fields = ("members",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RoleList

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        is_team = obj is not None and hasattr(obj, "team")
        return bool(super().has_change_permission(request, obj)) and not is_team

    @display(description="people", ordering="people")
    def people(self, group: Any) -> int:
        return int(group.people)

    @display(description="people")
    def members(self, group: Group) -> str:
        rows = [
            (link_to(person), person.username)
            for person in User.objects.filter(groups=group).order_by("username")[:200]
        ]
        return table(("Person", "User name"), rows, empty="Nobody has this role.")


class TeamForm(CalendarOfForm):
    """A team with its members. Who leads a team need not be one of them."""

    whose = "this team"

    members = forms.ModelMultipleChoiceField(
        queryset=User.objects.all(),
        required=False,
        widget=AutocompleteSelectMultiple(User._meta.get_field("manager"), admin.site),
    )

    class Meta:
        model = Team
        fields = ("key", "name", "lead", "calendar")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["members"].initial = list(User.objects.filter(groups=self.instance.group_id))


@admin.register(Team)
class TeamAdmin(KeptAdmin):
    form = TeamForm
    list_display = ("name", "key", "lead", "people")
    list_select_related = ("lead",)
    search_fields = ("name", "key")
    ordering = ("name",)
    autocomplete_fields = ("lead",)
    fields = ("key", "name", "lead", "calendar", "members")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        rows: QuerySet[Team] = super().get_queryset(request)
        return rows.annotate(people=Count("group__user"))

    def get_readonly_fields(self, request: HttpRequest, obj: Team | None = None) -> Sequence[str]:
        return ("key",) if obj else ()

    @display(description="members", ordering="people")
    def people(self, team: Any) -> int:
        return int(team.people)

    def save_model(self, request: HttpRequest, obj: Team, form: ModelForm, change: bool) -> None:  # noqa: FBT001 - Django's signature
        if change:
            services.set_lead(obj, lead=obj.lead, actor=acting(request))
            obj.save()
        else:
            made = services.create_team(obj.key, name=obj.name, lead=obj.lead, calendar=obj.calendar)
            obj.pk, obj.group = made.pk, made.group
        services.set_members(obj, members=form.cleaned_data["members"], actor=acting(request))


@admin.register(Delegation)
class DelegationAdmin(ReadOnlyAdmin):
    """Who answers approvals for whom, to read. People name their deputies themselves, on their page or over the API."""

    list_display = ("principal", "deputy", "starts_at", "ends_at", "scope", "ended_at")
    list_filter = ("starts_at", "ends_at")
    list_select_related = ("principal", "deputy")
    search_fields = ("=principal__username", "=deputy__username")
    search_help_text = "A user name"
    ordering = ("-id",)
    fields = ("principal", "deputy", "starts_at", "ends_at", "scope", "created_at", "ended_at")

    @display(description="may answer")
    def scope(self, delegation: Delegation) -> str:
        items = ", ".join(delegation.items) or "everything"
        return items if delegation.up_to is None else f"{items}, up to {delegation.up_to:,.2f} {delegation.currency}"

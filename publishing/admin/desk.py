"""Briefs as they were sent, and the articles that came of them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.brief_search import find_briefs
from publishing.admin.downloads import shown
from publishing.admin.marks import lane_mark, moment, shape_mark, status_mark
from publishing.admin.verb_forms import WhyForm
from publishing.models import Article, Brief
from publishing.withdrawal import put_back, withdraw


@admin.register(Brief)
class BriefAdmin(ReadOnlyAdmin[Brief]):
    """What routines posted; the first payload under an ID stands."""

    list_display = ("brief_link", "headline", "of_lane", "run", "routine", "duplicates", "posted")
    list_display_links = None
    list_filter = ("lane", "routine")
    ordering = ("-id",)
    search_fields = ("brief_id", "payload__title")
    search_help_text = "By brief_id or title."
    fields = ("brief_id", "headline", "of_lane", "routine", "run_link", "bundle", "duplicates",
              "posted", "payload_shown")  # fmt: skip
    readonly_fields = ("headline", "of_lane", "run_link", "posted", "payload_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Brief]:
        """Return briefs without their large columns."""
        rows = super().get_queryset(request)
        rows = rows.select_related("lane", "routine", "instance", "bundle__lane")
        return rows.defer("embedding", "payload").annotate(sent_title=KT("payload__title"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by the beginning of the ID, and by words of the title."""
        term = search_term.strip().replace("\x00", "")
        return (queryset.filter(pk__in=find_briefs(term)) if term else queryset), False

    @admin.display(description="brief", ordering="brief_id")
    def brief_link(self, obj: Brief) -> SafeString:
        """Return its ID, linked."""
        url = reverse("admin:publishing_brief_change", args=[obj.pk])
        return format_html('<a class="mono" href="{}">{}</a>', url, obj.brief_id)

    @admin.display(description="title")
    def headline(self, obj: Any) -> str:
        """Return the title that was proposed."""
        return obj.sent_title or "–"

    @admin.display(description="lane", ordering="lane__place")
    def of_lane(self, obj: Brief) -> SafeString:
        """Return its lane."""
        return lane_mark(obj.lane.title, obj.lane.hue)

    @admin.display(description="instance")
    def run(self, obj: Brief) -> SafeString:
        """Return its run's status, linked."""
        url = reverse("admin:workflows_instance_change", args=[obj.instance_id])
        return format_html('<a href="{}">{}</a>', url, status_mark(obj.instance))

    @admin.display(description="instance")
    def run_link(self, obj: Brief) -> SafeString:
        """Return its run's ID and status, linked."""
        url = reverse("admin:workflows_instance_change", args=[obj.instance_id])
        mark = status_mark(obj.instance)
        return format_html('<a class="mono" href="{}">{}</a> {}', url, obj.instance, mark)

    @admin.display(description="posted", ordering="-id")
    def posted(self, obj: Brief) -> SafeString:
        """Return when it came."""
        return moment(obj.created_at)

    @admin.display(description="payload, as it was sent")
    def payload_shown(self, obj: Brief) -> SafeString:
        """Return the payload as JSON."""
        json = shown(obj.payload)
        more = f"… {json['characters']:,} characters in all" if json["is_cut"] else ""
        return format_html('<pre class="json" tabindex="0">{}</pre>{}', json["text"], more)


@admin.register(Article)
class ArticleAdmin(ReadOnlyAdmin[Article]):
    """What readers see. The text is read here and changed by nobody: each version is a run's."""

    list_display = ("title", "state", "of_lane", "link", "revisions", "published")
    list_display_links = ("title",)
    list_filter = ("status", "lane")
    ordering = ("-id",)
    search_fields = ("slug", "revision__title")
    list_select_related = ("lane", "revision")
    change_form_template = "admin/publishing/article/page.html"
    fields = ("title", "state", "of_lane", "link", "brief_link", "published")
    readonly_fields = ("title", "state", "of_lane", "link", "brief_link", "published")
    actions = ("withdraw_selected", "put_back_selected")

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        """Whoever may change articles may take them off the site."""
        return bool(request.user.has_perm("publishing.change_article"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may withdraw may look."""
        return super().has_view_permission(request, obj) or self.has_withdraw_permission(request)

    @admin.action(description="Withdraw", permissions=["withdraw"])
    def withdraw_selected(
        self, request: HttpRequest, queryset: QuerySet[Article]
    ) -> TemplateResponse | None:
        """Confirm, then take them off the site."""
        form = _why_form(request)
        if not form.is_valid():
            return self._confirm(request, queryset, "withdraw_selected", "Withdraw", form)
        actor, why = request.user.get_username(), form.cleaned_data["why"]
        number = withdraw(_keys(queryset), actor=actor, why=why)
        self._report(request, "withdrawn: their pages answer 410", number)
        return None

    @admin.action(description="Put back", permissions=["withdraw"])
    def put_back_selected(
        self, request: HttpRequest, queryset: QuerySet[Article]
    ) -> TemplateResponse | None:
        """Confirm, then make them live again."""
        form = _why_form(request)
        if not form.is_valid():
            return self._confirm(request, queryset, "put_back_selected", "Put back", form)
        actor, why = request.user.get_username(), form.cleaned_data["why"]
        number, refused = put_back(_keys(queryset), actor=actor, why=why)
        self._report(request, "live again", number)
        for problem in refused:
            self.message_user(request, f"Left as it was: {problem}.", messages.ERROR)
        return None

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
                           ) -> HttpResponse:  # fmt: skip
        """Show the text with its sources and revisions."""
        article = kwargs["obj"]
        revisions = article.revisions.select_related("bundle__lane").order_by("-number")
        revisions = revisions.prefetch_related("approvals")
        sources = article.revision.sources.all() if article.revision else []
        context |= {
            "article": article,
            "revisions": revisions.defer("body"),
            "sources": sources,
            "may_withdraw": self.has_withdraw_permission(request),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="title")
    def title(self, obj: Article) -> str:
        """Return the title of the current revision."""
        return str(obj)

    @admin.display(description="status", ordering="status")
    def state(self, obj: Article) -> SafeString:
        """Return whether readers see it."""
        shape = {"live": "✓", "draft": "○", "withdrawn": "■"}[obj.status]
        return shape_mark(obj.status, kind=obj.status, shape=shape)

    @admin.display(description="lane", ordering="lane__place")
    def of_lane(self, obj: Article) -> SafeString:
        """Return its lane."""
        return lane_mark(obj.lane.title, obj.lane.hue)

    @admin.display(description="on the site")
    def link(self, obj: Article) -> SafeString:
        """Return its address, linked while it is live."""
        address = obj.get_absolute_url()
        if obj.status != Article.Status.LIVE:
            return format_html('<span class="mono">{}</span>', address)
        return format_html('<a class="mono" href="{}">{}</a>', address, address)

    @admin.display(description="brief")
    def brief_link(self, obj: Article) -> SafeString:
        """Return its brief, linked."""
        url = reverse("admin:publishing_brief_change", args=[obj.brief_id])
        return format_html('<a class="mono" href="{}">{}</a>', url, obj.brief)

    @admin.display(description="revision")
    def revisions(self, obj: Article) -> int | str:
        """Return the number of the current revision."""
        return obj.revision.number if obj.revision else "–"

    @admin.display(description="published", ordering="published_at")
    def published(self, obj: Article) -> SafeString:
        """Return when it went live."""
        return moment(obj.published_at)

    def _confirm(
        self,
        request: HttpRequest,
        queryset: QuerySet[Article],
        action: str,
        title: str,
        form: WhyForm,
    ) -> TemplateResponse:
        old = Article.Status.LIVE if title == "Withdraw" else Article.Status.WITHDRAWN
        chosen = list(queryset)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{title}?",
            "opts": self.opts,
            "action": action,
            "verb_title": title,
            "chosen": chosen,
            "applying": [article for article in chosen if article.status == old],
            "left": [article for article in chosen if article.status != old],
            "old": old,
            "form": form,
        }
        return TemplateResponse(request, "admin/publishing/article/confirm.html", context)

    def _report(self, request: HttpRequest, what: str, number: int) -> None:
        level = messages.SUCCESS if number else messages.WARNING
        noun = "article is" if number == 1 else "articles are"
        self.message_user(request, f"{number} {noun} {what}.", level)


def _why_form(request: HttpRequest) -> WhyForm:
    return WhyForm(request.POST if "confirmed" in request.POST else None)


def _keys(queryset: QuerySet[Article]) -> list[int]:
    return list(queryset.values_list("pk", flat=True))

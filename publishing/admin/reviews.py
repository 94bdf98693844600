"""The review desk: what waits for a person, the article as readers would see it, and the word."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from publishing.admin.base import ReadOnlyAdmin
from publishing.admin.marks import lane_mark, moment
from publishing.admin.reviewing import read_review
from publishing.models import Review
from publishing.reviews import approve, is_in_review, once, reject, waiting_reviews
from publishing.site.views import article_context
from workflows.errors import VerbRefusedError


class DecisionForm(forms.Form):
    """A decision on the revision that the reviewer has read; its note is kept."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text="Kept with your name. To reject, say why.",
    )


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin[Review]):
    """Articles whose runs wait for an approval; nobody edits their text."""

    list_display = ("headline", "of_lane", "flags", "written", "run")
    list_display_links = None
    list_filter = ("lane",)
    ordering = ("pk",)  # the oldest brief first

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may approve reads what waits for it."""
        return bool(request.user.has_perm("publishing.approve_article"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """A proxy has no permissions of its own to go by."""
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        """Return what waits now."""
        return waiting_reviews()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the desk."""
        titled = {"title": "Waiting for review"} | (extra_context or {})
        return super().changelist_view(request, titled)

    def get_urls(self) -> list[URLPattern]:
        """Add the page as readers would see it."""
        view = self.admin_site.admin_view(self.as_readers_view)
        name = "publishing_review_as_readers"
        return [path("<int:pk>/as-readers/", view, name=name), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one article with all that speaks for and against it; on POST, decide."""
        article = self._seen(request, object_id)
        instance = article.brief.instance
        form = DecisionForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            return self._decide(request, str(instance.instance_id), form)
        review = read_review(article) if is_in_review(instance) else None
        context = {
            **self.admin_site.each_context(request),
            "title": review.revision.title if review else str(article),
            "opts": self.opts,
            "article": article,
            "instance": instance,
            "review": review,
            "form": form,
            "listed": reverse("admin:publishing_review_changelist"),
        }
        return TemplateResponse(request, "admin/publishing/review/page.html", context)

    def as_readers_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the site's own page of the revision that would go live."""
        article = self._seen(request, str(pk))
        if not is_in_review(article.brief.instance):
            raise Http404("It waits for no review.")
        review = read_review(article)
        article.cover = review.cover  # in memory: what publish would store
        article.published_at = article.published_at or timezone.now()
        return render(request, "site/article.html", article_context(article, review.revision))

    @admin.display(description="title")
    def headline(self, obj: Any) -> SafeString:
        """Return the title, linked to its review."""
        url = reverse("admin:publishing_review_change", args=[obj.pk])
        return format_html('<a href="{}">{}</a>', url, obj.title or obj.slug)

    @admin.display(description="lane", ordering="lane__place")
    def of_lane(self, obj: Review) -> SafeString:
        """Return its lane."""
        return lane_mark(obj.lane.title, obj.lane.hue)

    @admin.display(description="why it waits")
    def flags(self, obj: Any) -> SafeString:
        """Return the first reasons."""
        found = once(obj.flag_lists)
        if not found:
            return SafeString("every article of its lane does")
        more = f"… and {len(found) - 2} more" if len(found) > 2 else ""
        told = format_html_join("", "<div>{}</div>", ((flag[:160],) for flag in found[:2]))
        return format_html("{}{}", told, more)

    @admin.display(description="written")
    def written(self, obj: Any) -> SafeString:
        """Return when its text was stored."""
        return moment(obj.written_at)

    @admin.display(description="instance")
    def run(self, obj: Review) -> SafeString:
        """Return its run's ID, linked."""
        instance = obj.brief.instance
        url = reverse("admin:workflows_instance_change", args=[instance.pk])
        return format_html('<a class="mono" href="{}">{}</a>', url, instance)

    def _seen(self, request: HttpRequest, object_id: str) -> Review:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not (object_id.isascii() and object_id.isdigit() and len(object_id) < 19):
            raise Http404("No such article.")
        rows = Review.objects.select_related("lane", "brief__instance__graph")
        return get_object_or_404(rows, pk=object_id)

    def _decide(
        self, request: HttpRequest, instance_id: str, form: DecisionForm
    ) -> HttpResponseRedirect:
        """Do what was asked for, and say what happened."""
        verb = reject if "reject" in request.POST else approve
        given, actor = form.cleaned_data, request.user.get_username()
        try:
            changed = verb(instance_id, given["revision"], actor=actor, note=given["note"])
        except VerbRefusedError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.path)
        said = "Rejected" if verb is reject else "Approved"
        then = "nothing of it is published" if verb is reject else "it goes on to publish"
        if changed:
            messages.success(request, f"{said}: {instance_id}; {then}.")
        else:
            messages.info(request, f"{said} already: {instance_id}; nothing changed.")
        return HttpResponseRedirect(reverse("admin:publishing_review_changelist"))

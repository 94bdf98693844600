"""Routines' keys in the admin: shown once, stored as a digest, revoked and kept."""

import re

import pytest
from django.test import Client

from publishing.keys import UnknownKeyError, make_key, verify_key
from publishing.models import Routine, RoutineKey
from tests.publishing.admin.conftest import person, signed_in

pytestmark = pytest.mark.django_db
KEY = re.compile(r"pw_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def routine() -> Routine:
    return Routine.objects.create(name="desk")


@pytest.fixture
def keeper() -> Client:
    return signed_in(
        person("kim", "publishing.change_routine", "publishing.add_routinekey",
               "publishing.change_routinekey", "publishing.view_routinekey")
    )  # fmt: skip


def make_page(routine: Routine) -> str:
    return f"/admin/publishing/routine/{routine.pk}/make-key/"


def form_of(client: Client, routine: Routine) -> dict[str, str]:
    """Return what the page's form would send."""
    page = client.get(make_page(routine)).content.decode()
    (form,) = re.findall(r'name="form" value="([^"]+)"', page)
    return {"form": form}


def test_a_key_is_made_by_a_post_and_shown_this_once(keeper: Client, routine: Routine) -> None:
    form = form_of(keeper, routine)
    assert RoutineKey.objects.count() == 0

    answer = keeper.post(make_page(routine), form)
    shown = KEY.findall(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    assert verify_key(shown[0]).routine == routine
    row = RoutineKey.objects.get()
    assert len(row.digest) == 64
    assert shown[0] not in str(row.__dict__)

    for later in (f"/admin/publishing/routine/{routine.pk}/change/",
                  f"/admin/publishing/routinekey/{row.pk}/change/",
                  "/admin/publishing/routinekey/"):  # fmt: skip
        page = keeper.get(later).content.decode()
        assert row.prefix in page
        assert not KEY.search(page)
        assert row.digest not in page


def test_a_form_that_is_sent_again_makes_no_second_key(keeper: Client, routine: Routine) -> None:
    form = form_of(keeper, routine)
    keeper.post(make_page(routine), form)
    made = RoutineKey.objects.get()

    again = keeper.post(make_page(routine), form, follow=True)
    assert "No key was made: that form was used before" in again.content.decode()
    assert not KEY.search(again.content.decode())
    assert RoutineKey.objects.get() == made


@pytest.mark.parametrize("form", [{}, {"form": "pw_aaaaaaaa"}])
def test_a_form_that_was_not_given_here_makes_no_key(
    keeper: Client, routine: Routine, form: dict[str, str]
) -> None:
    answer = keeper.post(make_page(routine), form, follow=True)
    assert "No key was made" in answer.content.decode()
    assert RoutineKey.objects.count() == 0


def test_a_form_of_another_routine_makes_no_key(keeper: Client, routine: Routine) -> None:
    form = form_of(keeper, Routine.objects.create(name="other"))
    keeper.post(make_page(routine), form)
    assert RoutineKey.objects.count() == 0


def test_a_key_is_revoked_after_a_page_that_says_so_and_its_row_stays(
    keeper: Client, routine: Routine
) -> None:
    key = make_key(routine)
    row = RoutineKey.objects.get()
    address = f"/admin/publishing/routinekey/{row.pk}/revoke/"

    assert "answered 401 from now on" in keeper.get(address).content.decode()
    assert verify_key(key) == row
    assert "is revoked: it opens nothing" in keeper.post(address, follow=True).content.decode()
    with pytest.raises(UnknownKeyError):
        verify_key(key)
    first = RoutineKey.objects.get().revoked_at
    assert "was revoked before" in keeper.post(address, follow=True).content.decode()
    assert RoutineKey.objects.get().revoked_at == first is not None


@pytest.mark.parametrize("permissions", [(), ("publishing.change_routine",)])
def test_without_the_permission_no_key_is_made_or_revoked(
    routine: Routine, permissions: tuple[str, ...]
) -> None:
    make_key(routine)
    row = RoutineKey.objects.get()
    client = signed_in(person("nora", *permissions))

    assert client.post(make_page(routine)).status_code == 403
    assert client.post(f"/admin/publishing/routinekey/{row.pk}/revoke/").status_code == 403
    assert RoutineKey.objects.get().revoked_at is None
    assert Client().post(make_page(routine)).status_code == 302
    assert RoutineKey.objects.count() == 1

"""The yardstick of `bench api`: a view that inserts one row and does nothing else.

It is served as the product is, by gunicorn with the same database settings, but without
middleware: less than this a Django view cannot do.
"""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

TABLE = "create table yard (id bigserial primary key, body jsonb not null)"
PATH = "/insert"


def insert(request: HttpRequest) -> HttpResponse:
    """Store the body as it came."""
    with connection.cursor() as cursor:
        cursor.execute("insert into yard (body) values (%s)", [request.body.decode()])
    return HttpResponse(status=202)


urlpatterns = [path(PATH.removeprefix("/"), insert)]

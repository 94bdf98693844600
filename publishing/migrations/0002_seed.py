"""The default caps and prices, as rows that the admin edits."""

from datetime import datetime, timezone

from django.db import migrations

# Micro-dollars.
CAPS = {
    "call": 750_000,
    "step": 1_000_000,
    "brief": 2_000_000,
    "lane-day": 20_000_000,
    "day": 60_000_000,
}


def seed_caps(apps, schema_editor):
    cap = apps.get_model("publishing", "Cap")
    for scope, cap_micros in CAPS.items():
        cap.objects.create(scope=scope, cap_micros=cap_micros)


def seed_prices(apps, schema_editor):
    from publishing.ledger.seed_prices import PRICES

    price = apps.get_model("publishing", "Price")
    since = datetime(2026, 11, 22, tzinfo=timezone.utc)
    for row in PRICES:
        price.objects.create(version=1, valid_from=since, **row)


class Migration(migrations.Migration):
    dependencies = [("publishing", "0001_initial")]
    operations = [
        migrations.RunPython(seed_caps, migrations.RunPython.noop),
        migrations.RunPython(seed_prices, migrations.RunPython.noop),
    ]

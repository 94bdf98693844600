"""The schedule that empties, every night, what has outlived its retention."""

from datetime import datetime, timedelta, timezone

from django.db import migrations


def add_schedule(apps, schema_editor):
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    apps.get_model("workflows", "Schedule").objects.get_or_create(
        name="nightly",
        defaults={
            "workflow": "prune",
            "cron": "15 3 * * *",
            "partition": "prune",
            "entries": [{"step": "prune_ended"}],
            "next_at": tomorrow.replace(hour=3, minute=15, second=0, microsecond=0),
        },
    )


class Migration(migrations.Migration):
    dependencies = [("workflows", "0002_hot_table")]
    operations = [migrations.RunPython(add_schedule, migrations.RunPython.noop)]

"""The default caps, as rows that the admin edits."""

from django.db import migrations

CAPS = {"brief": 2_000_000, "day": 60_000_000}  # micro-dollars


def seed(apps, schema_editor):
    cap = apps.get_model("publishing", "Cap")
    for scope, cap_micros in CAPS.items():
        cap.objects.create(scope=scope, cap_micros=cap_micros)


class Migration(migrations.Migration):
    dependencies = [("publishing", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]

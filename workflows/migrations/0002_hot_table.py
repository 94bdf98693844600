"""Storage settings of the hot table."""

from django.db import migrations

HOT = """
alter table workflows_instance set (
    fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02);
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunSQL(HOT, migrations.RunSQL.noop)]

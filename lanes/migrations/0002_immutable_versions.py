"""The database itself refuses to change a stored version; its author may be forgotten."""

from django.db import migrations

REFUSE = """
create function lanes_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'a stored version never changes; save a new one'
        using errcode = 'integrity_constraint_violation';
end $$;
create trigger lanes_bundle_immutable before update on lanes_bundle for each row
    when (row(old.lane_id, old.version, old.voice, old.audience, old.anti_patterns, old.brief_hints,
              old.note, old.created_at)
          is distinct from
          row(new.lane_id, new.version, new.voice, new.audience, new.anti_patterns, new.brief_hints,
              new.note, new.created_at))
    execute function lanes_refuse_change();
create trigger lanes_options_immutable before update on lanes_laneoptions for each row
    when (row(old.lane_id, old.version, old.entries, old.note, old.created_at)
          is distinct from row(new.lane_id, new.version, new.entries, new.note, new.created_at))
    execute function lanes_refuse_change();
"""
ALLOW = """
drop trigger lanes_bundle_immutable on lanes_bundle;
drop trigger lanes_options_immutable on lanes_laneoptions;
drop function lanes_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("lanes", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]

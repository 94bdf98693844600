"""The database itself refuses to change a stored version; its author may be forgotten.

A bundle's anti-patterns are part of it: none is changed, and none is added to those that it was
saved with.
"""

from django.db import migrations

REFUSE = """
create function lanes_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'a stored version never changes; save a new one'
        using errcode = 'integrity_constraint_violation';
end $$;
create function lanes_refuse_addition() returns trigger language plpgsql as $$
begin
    if new.place >= (select pattern_count from lanes_bundle where id = new.bundle_id) then
        raise exception 'a stored version never changes; save a new one'
            using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger lanes_bundle_immutable before update on lanes_bundle for each row
    when (row(old.lane_id, old.version, old.voice, old.audience, old.brief_hints,
              old.pattern_count, old.note, old.created_at)
          is distinct from
          row(new.lane_id, new.version, new.voice, new.audience, new.brief_hints,
              new.pattern_count, new.note, new.created_at))
    execute function lanes_refuse_change();
create trigger lanes_antipattern_immutable before update on lanes_antipattern for each row
    when (old.* is distinct from new.*)
    execute function lanes_refuse_change();
create trigger lanes_antipattern_complete before insert on lanes_antipattern for each row
    execute function lanes_refuse_addition();
create trigger lanes_options_immutable before update on lanes_laneoptions for each row
    when (row(old.lane_id, old.version, old.entries, old.note, old.created_at)
          is distinct from row(new.lane_id, new.version, new.entries, new.note, new.created_at))
    execute function lanes_refuse_change();
create trigger lanes_graph_immutable before update on lanes_lanegraph for each row
    when (row(old.lane_id, old.version, old.entries, old.reason, old.note, old.created_at)
          is distinct from
          row(new.lane_id, new.version, new.entries, new.reason, new.note, new.created_at))
    execute function lanes_refuse_change();
create trigger lanes_use_immutable before update on lanes_versionuse for each row
    when (row(old.lane_id, old.kind, old.bundle_id, old.options_id, old.graph_id, old.used_at)
          is distinct from
          row(new.lane_id, new.kind, new.bundle_id, new.options_id, new.graph_id, new.used_at))
    execute function lanes_refuse_change();
"""
ALLOW = """
drop trigger lanes_bundle_immutable on lanes_bundle;
drop trigger lanes_antipattern_immutable on lanes_antipattern;
drop trigger lanes_antipattern_complete on lanes_antipattern;
drop trigger lanes_options_immutable on lanes_laneoptions;
drop trigger lanes_graph_immutable on lanes_lanegraph;
drop trigger lanes_use_immutable on lanes_versionuse;
drop function lanes_refuse_addition();
drop function lanes_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("lanes", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]

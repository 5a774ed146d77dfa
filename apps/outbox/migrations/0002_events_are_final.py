"""Nothing changes in an event but its position, from NULL, and no event is deleted."""

from django.db import migrations

POSTGRESQL = """
CREATE FUNCTION outbox_event_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.position IS NULL AND NEW.position IS NOT NULL
       AND (to_jsonb(NEW) - 'position') = (to_jsonb(OLD) - 'position') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'event % is final: only its position may be set, once', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER outbox_event_is_final BEFORE UPDATE OR DELETE ON outbox_event
    FOR EACH ROW EXECUTE FUNCTION outbox_event_is_final();
"""
POSTGRESQL_BACK = """
DROP TRIGGER outbox_event_is_final ON outbox_event;
DROP FUNCTION outbox_event_is_final();
"""
COLUMNS = ("id", "stream_id", "seq", "type", "version", "actor", "role", "at", "data", "prev_hash", "hash", "key_id")
SQLITE = (
    f"""CREATE TRIGGER outbox_event_is_final BEFORE UPDATE ON outbox_event
    WHEN OLD.position IS NOT NULL OR NEW.position IS NULL OR {' OR '.join(f'NEW.{c} IS NOT OLD.{c}' for c in COLUMNS)}
    BEGIN SELECT RAISE(ABORT, 'an event is final: only its position may be set, once'); END""",
    """CREATE TRIGGER outbox_event_stays BEFORE DELETE ON outbox_event
    BEGIN SELECT RAISE(ABORT, 'an event is final and is not deleted'); END""",
)


def guard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)
    else:
        for statement in SQLITE:
            schema_editor.execute(statement)


def unguard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL_BACK)
    else:
        schema_editor.execute("DROP TRIGGER outbox_event_is_final")
        schema_editor.execute("DROP TRIGGER outbox_event_stays")


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_initial")]
    operations = [migrations.RunPython(guard, unguard)]

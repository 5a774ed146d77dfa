from django.db import migrations, models
from django.db.models import Exists, OuterRef, Q

GIVEN_UP = ('request.cancelled', 'sla.rebased')


def fill(apps, schema_editor):
    """What was met was reached, and so was what stopped after its breach, unless the event of that instant gave it up.

    A step's clock of which the last part was withdrawn is not told apart.
    """
    events = apps.get_model('outbox', 'Event').objects
    given_up = events.filter(stream=OuterRef('stream'), at=OuterRef('stopped_at'), type__in=GIVEN_UP)
    stopped = apps.get_model('sla', 'SlaClock').objects.exclude(stopped_at=None)
    stopped.filter(Q(status='met') | Q(status='breached') & ~Exists(given_up)).update(reached=True)


class Migration(migrations.Migration):

    dependencies = [
        ('outbox', '0003_quiet_streams'),
        ('sla', '0003_names'),
    ]

    operations = [
        migrations.AddField(
            model_name='slaclock',
            name='reached',
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]

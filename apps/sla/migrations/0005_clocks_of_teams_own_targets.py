from django.db import migrations, models


def fill(apps, schema_editor):
    """Whose own target a clock keeps, as the version of its policy says."""
    clocks = apps.get_model('sla', 'SlaClock').objects
    for version in apps.get_model('sla', 'SlaPolicyVersion').objects.iterator():
        for target in version.document['targets']:
            if target.get('team'):
                clocks.filter(policy=version, target=target['id']).update(team=target['team'])


class Migration(migrations.Migration):

    dependencies = [
        ('sla', '0004_clocks_say_what_was_reached'),
    ]

    operations = [
        migrations.AddField(
            model_name='slaclock',
            name='team',
            field=models.CharField(blank=True, default='', max_length=80),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]

import django.utils.timezone
from django.db import migrations, models

MANY = {"blank": True, "related_name": "user_set", "related_query_name": "user"}


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.CreateModel(
            name="Member",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("password", models.CharField(max_length=128)),
                ("last_login", models.DateTimeField(blank=True, null=True)),
                ("is_superuser", models.BooleanField(default=False)),
                ("username", models.CharField(max_length=150, unique=True)),
                ("first_name", models.CharField(blank=True, max_length=150)),
                ("last_name", models.CharField(blank=True, max_length=150)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("is_staff", models.BooleanField(default=False)),
                ("is_active", models.BooleanField(default=True)),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now)),
                ("company", models.CharField(default="Acme", max_length=50)),
                ("groups", models.ManyToManyField(to="auth.Group", **MANY)),
                ("user_permissions", models.ManyToManyField(to="auth.Permission", **MANY)),
            ],
            options={"db_table": "People", "abstract": False},
        ),
        # 2 ** 53 + 1 is the first whole number that a double does not hold.
        migrations.RunSQL(
            """SELECT setval(pg_get_serial_sequence('"People"', 'id'), 9007199254740992)""", migrations.RunSQL.noop
        ),
    ]

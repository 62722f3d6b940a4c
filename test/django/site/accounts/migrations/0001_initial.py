import uuid

from django.db import migrations, models

MANY = {"blank": True, "related_name": "user_set", "related_query_name": "user"}


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128)),
                ("last_login", models.DateTimeField(blank=True, null=True)),
                ("is_superuser", models.BooleanField(default=False)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("is_active", models.BooleanField(default=True)),
                ("groups", models.ManyToManyField(to="auth.Group", **MANY)),
                ("user_permissions", models.ManyToManyField(to="auth.Permission", **MANY)),
            ],
            options={"abstract": False},
        ),
    ]

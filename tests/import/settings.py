"""The least that django_messages_drf runs on, over the database that DJANGO_DATABASE names."""

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["DJANGO_DATABASE"])

SECRET_KEY = "not one: nothing here is signed"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "django_messages_drf",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _database.hostname,
        "PORT": _database.port,
        "USER": _database.username,
        "NAME": _database.path.lstrip("/"),
    }
    if _database.scheme.startswith("postgres")
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": _database.path}
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # what the package's migration was made with
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

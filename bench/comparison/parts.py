"""The parts of a run, in their order."""

from . import django, reading, watching, writing

PARTS = {
    "writes": writing.beside_pgbench,
    "sqlite-writes": writing.beside_raw_sqlite,
    "reads": reading.beside_echo,
    "django": django.beside_django,
    "growth": reading.growth,
    "fanout": watching.fanout,
    "delivery": watching.delivery,
    "idle": watching.idle,
    "replicas": writing.replicas,
    "tenants": writing.tenants,
    "many-tenants": writing.many_tenants,
    "snapshot": writing.snapshot,
    "concurrency": writing.concurrency,
}

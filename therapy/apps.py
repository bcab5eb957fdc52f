from django.apps import AppConfig


class TherapyConfig(AppConfig):
    name = "therapy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from therapy import checks  # noqa: F401  (registers itself)

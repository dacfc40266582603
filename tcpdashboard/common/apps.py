"""The code every app shares."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "tcpdashboard.common"
    label = "common"

    def ready(self) -> None:
        # Models, which it needs, are there only now.
        from django.contrib.auth.signals import user_logged_out

        from tcpdashboard.common.sessions import tell_ended

        user_logged_out.connect(tell_ended, dispatch_uid="tell-ended-sessions")

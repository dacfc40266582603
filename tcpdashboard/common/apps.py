"""The code every app shares."""

from django.apps import AppConfig

from tcpdashboard.garbage import collect_from_now_on


class CommonConfig(AppConfig):
    name = "tcpdashboard.common"
    label = "common"

    def ready(self) -> None:
        # Models, which it needs, are there only now.
        from django.contrib.auth.signals import user_logged_out
        from django.db.models.signals import post_migrate, pre_migrate

        from tcpdashboard.common.migrating import let_rest, let_rest_no_longer
        from tcpdashboard.common.sessions import tell_ended
        from tcpdashboard.common.vitals.database import measure_statements

        user_logged_out.connect(tell_ended, dispatch_uid="tell-ended-sessions")
        pre_migrate.connect(let_rest, sender=self, dispatch_uid="let-rest")
        post_migrate.connect(let_rest_no_longer, sender=self, dispatch_uid="let-rest-no-longer")
        post_migrate.connect(measure_statements, sender=self, dispatch_uid="measure-statements")

        collect_from_now_on()

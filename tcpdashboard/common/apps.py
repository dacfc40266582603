"""The code every app shares."""

import gc

from django.apps import AppConfig


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

        # What is there now stays: no collection looks at it again, and forks share its pages.
        gc.freeze()
        gc.enable()

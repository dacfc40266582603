"""The backend itself, found by Django under this name."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

from tcpdashboard.common.postgres.slots import slots


class DatabaseWrapper(base.DatabaseWrapper):
    """Makes no more connections than this process may have."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open a connection, once there is room for it."""
        with slots().one():
            connection = super().get_new_connection(conn_params)
            slots().fill(connection)
        return connection

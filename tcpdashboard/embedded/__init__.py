"""PostgreSQL and Valkey from wheels: started under the var folder when no address is given."""

from tcpdashboard.embedded.attaching import engines_for_this_process
from tcpdashboard.embedded.engines import Engines
from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.embedded.postgres import installed_bin

__all__ = ["CannotStartError", "Engines", "engines_for_this_process", "installed_bin"]

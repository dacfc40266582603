"""What may be asked of bots. Each takes who asks (`actor`, None: the system), and refuses by field.

Who may ask is for the caller to know: a bot's owner, or staff who may change bots.
"""

from bots.loading import BotDraft, InvalidBot, checked
from bots.services.killing import Killed, kill_bots
from bots.services.limits import lift_verdict, set_limits, too_many
from bots.services.making import clone_bot, create_bot, delete_bot, edit_bot, reset_bot
from bots.services.orders import flatten_bot, pause_bot, resume_bot, start_bot, stop_bot

__all__ = [
    "BotDraft",
    "InvalidBot",
    "Killed",
    "checked",
    "clone_bot",
    "create_bot",
    "delete_bot",
    "edit_bot",
    "flatten_bot",
    "kill_bots",
    "lift_verdict",
    "pause_bot",
    "reset_bot",
    "resume_bot",
    "set_limits",
    "start_bot",
    "stop_bot",
    "too_many",
]

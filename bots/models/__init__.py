"""The rows of the bots: what they are, what they did, and why."""

from bots.models.acts import BotCommand, BotEvent
from bots.models.bots import Bot, BotRun, GroupState, SeenMinute
from bots.models.ledger import BotPerformance, LedgerEntry
from bots.models.limits import OwnerLimits, OwnerVerdict
from bots.models.parity import ParityReport
from bots.models.trades import Fill, Order, Signal

__all__ = [
    "Bot",
    "BotCommand",
    "BotEvent",
    "BotPerformance",
    "BotRun",
    "Fill",
    "GroupState",
    "LedgerEntry",
    "Order",
    "OwnerLimits",
    "OwnerVerdict",
    "ParityReport",
    "SeenMinute",
    "Signal",
]

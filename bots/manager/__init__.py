"""The step of bots: everything that is due for the bots of one instrument."""

from bots.manager.manager import BotManager, Stepped

__all__ = ["BotManager", "Stepped"]

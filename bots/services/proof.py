"""Whether a configuration may decide for a bot: only what was proved does."""

from __future__ import annotations

from strategies.domain.errors import StrategyError
from strategies.models import StrategyConfig
from strategies.proving import has_standing_proof


def proof_errors(config: StrategyConfig) -> dict[str, str]:
    """Return what is wrong with the proof of a configuration, and how to prove it."""
    try:
        if has_standing_proof(config):
            return {}
    except StrategyError as error:
        return {"config": str(error)}
    return {"config": f"{config} {_why(config)}: {_how(config)}"}


def _why(config: StrategyConfig) -> str:
    if config.is_proven is None:
        return "was not proved yet"
    if not config.is_proven:
        failed = [proof["name"] for proof in config.proofs if not proof.get("is_passed", True)]
        return f"failed its proofs ({', '.join(failed)})" if failed else "failed its proofs"
    return f"was proved with other code than {config.strategy} has now"


def _how(config: StrategyConfig) -> str:
    return (
        "press Check on the Strategies page, or POST "
        f"/api/v1/strategy-configs/{config.pk}/check/, or `manage.py start_bot … --prove`"
    )

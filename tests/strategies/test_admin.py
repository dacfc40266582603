"""Configurations in the admin."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from strategies.models import StrategyConfig
from strategies.services import use_config
from tcpdashboard.common.models import Job

URL = "/admin/strategies/strategyconfig/"
FORM = {
    "name": "Quick",
    "strategy": "ema_crossover",
    "timeframe": "1h",
    "params": '{"fast": 5, "slow": 20}',
}


@pytest.fixture
def admin(db):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


def test_a_configuration_is_made_changed_and_versioned(admin):
    assert admin.post(f"{URL}add/", FORM).status_code == 302
    config = StrategyConfig.objects.get()
    assert (config.owner.username, config.params["sides"]) == ("root", "long")
    use_config(config)
    changed = FORM | {"params": '{"fast": 6, "slow": 20}'}
    assert admin.post(f"{URL}{config.pk}/change/", changed).status_code == 302
    assert [(each.version, each.params["fast"]) for each in StrategyConfig.objects.all()] == [
        (2, 6),
        (1, 5),
    ]


def test_a_wrong_parameter_is_told_beside_its_field(admin):
    page = admin.post(f"{URL}add/", FORM | {"params": '{"fats": 5}'})
    assert page.status_code == 200
    assert "did you mean &#x27;fast&#x27;?" in page.content.decode()
    page = admin.post(f"{URL}add/", FORM | {"strategy": "rsii"})
    assert "did you mean &#x27;rsi&#x27;?" in page.content.decode()
    assert not StrategyConfig.objects.exists()


def test_lists_pages_and_the_action_work(admin):
    admin.post(f"{URL}add/", FORM)
    config = StrategyConfig.objects.get()
    assert "Quick" in admin.get(URL).content.decode()
    assert admin.get(f"{URL}{config.pk}/change/").status_code == 200
    admin.post(URL, {"action": "prove", "_selected_action": [config.pk]})
    assert Job.objects.get().parameters == {"config": config.pk}


def test_deleting_keeps_what_was_used(admin):
    admin.post(f"{URL}add/", FORM)
    config = StrategyConfig.objects.get()
    use_config(config)
    admin.post(f"{URL}{config.pk}/delete/", {"post": "yes"})
    assert StrategyConfig.objects.get().deleted_at is not None

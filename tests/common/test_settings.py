"""The project starts."""

import pytest
from django.contrib.auth import get_user_model


@pytest.mark.django_db
def test_the_database_answers():
    assert get_user_model().objects.count() == 0

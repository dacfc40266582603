"""Tags and notes of a backtest."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django import forms

from backtests.models import Backtest
from tcpdashboard.common.forms import style

MOST_TAGS: Final = 20
LONGEST_TAG: Final = 32
LONGEST_TAGS: Final = MOST_TAGS * (LONGEST_TAG + 2)


def tags_of(text: str) -> tuple[str, ...]:
    """Return the tags of a text that separates them by commas, each once."""
    return tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))


def tags_error(tags: Collection[str]) -> str:
    """Return what is wrong with tags; nothing when they are right."""
    if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in tags):
        return f"Expected at most {MOST_TAGS} tags of {LONGEST_TAG} characters."
    return ""


class NotesForm(forms.Form):
    """What a person says of a backtest."""

    tags = forms.CharField(
        label="Tags", required=False, max_length=LONGEST_TAGS, help_text="Separated by commas."
    )
    notes = forms.CharField(
        label="Notes", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 4})
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        style(self)

    def clean_tags(self) -> list[str]:
        tags = tags_of(self.cleaned_data["tags"])
        if problem := tags_error(tags):
            raise forms.ValidationError(problem)
        return list(tags)

    def save(self, backtest: Backtest) -> None:
        """Store what a valid form says."""
        Backtest.objects.filter(pk=backtest.pk).update(**self.cleaned_data)

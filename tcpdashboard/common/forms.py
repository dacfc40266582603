"""How the fields of all forms look."""

from __future__ import annotations

from django import forms


def style(form: forms.Form) -> None:
    """Give the widgets of a form the classes of the style sheet."""
    for field in form.fields.values():
        widget = field.widget
        if isinstance(widget, forms.CheckboxInput):
            name = "form-check-input"
        elif isinstance(widget, forms.Select):
            name = "form-select form-select-sm"
        else:
            name = "form-control form-control-sm"
        widget.attrs.setdefault("class", name)

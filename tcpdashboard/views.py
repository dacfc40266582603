"""Pages that belong to no app. Error pages are the templates 400, 403, 404 and 500."""

from __future__ import annotations

from django.contrib.auth.views import LoginView

from tcpdashboard.common.attempts import LoginForm


class LoginPage(LoginView):
    """The one page that is shown without logging in."""

    template_name = "login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

"""Every address of the Django half. In front of both, a proxy sends /django/ here and the rest to Koa."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

import views

urlpatterns = [
    path("django/login/", LoginView.as_view()),
    path("django/logout/", LogoutView.as_view()),
    path("django/me/", views.me),
    path("django/ops/", views.ops),
    path("django/csrf/", views.csrf),
    path("django/signed-cookie/", views.signed_cookie),
    path("django/messages/", views.show_messages),
    path("django/told/", views.told),
    path("django/cookies/", views.cookies),
    path("django/users/", views.users),
    path("django/groups/", views.groups),
    path("django/may/", views.may),
    path("django/password/", views.password),
]

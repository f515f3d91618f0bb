"""Connection to a mail server."""

from __future__ import annotations

from registry.sdk.trigger import CredentialType

SMTP = CredentialType(
    key="smtp",
    title="Mail server",
    description="A mail server (SMTP) that sends emails in your name.",
    icon="server",
    config_schema={
        "type": "object",
        "properties": {
            "host": {
                "type": "string",
                "title": "Server",
                "description": "The name of the mail server, such as smtp.example.com.",
                "x-ui": "text",
                "minLength": 1,
                "maxLength": 253,
            },
            "port": {
                "type": "integer",
                "title": "Port",
                "description": "Usually 587, or 465 for a connection that is secure from the start.",
                "x-ui": "number",
                "minimum": 1,
                "maximum": 65535,
                "default": 587,
            },
            "security": {
                "type": "string",
                "title": "Security",
                "description": "How the connection is protected.",
                "x-ui": "choice",
                "enum": ["starttls", "tls"],
                "x-labels": {"starttls": "STARTTLS (port 587)", "tls": "TLS (port 465)"},
                "default": "starttls",
            },
            "user": {
                "type": "string",
                "title": "User name",
                "description": "The name you sign in with, often the email address.",
                "x-ui": "text",
                "maxLength": 320,
            },
            "password": {
                "type": "string",
                "title": "Password",
                "description": "The password of the mail account.",
                "x-ui": "secret",
                "maxLength": 2000,
            },
            "sender": {
                "type": "string",
                "title": "Sender",
                "description": "The address that emails come from.",
                "x-ui": "text",
                "maxLength": 320,
            },
        },
        "required": ["host", "password"],
        "additionalProperties": False,
    },
    secret_fields=("password",),
)

CREDENTIAL_TYPES = (SMTP,)

"""Switch traffic and release applications behind nginx and HAProxy, safely."""

__version__ = "0.1.0"

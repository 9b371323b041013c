"""Tell people of a release. Whoever cannot be told, or hangs, neither stops nor fails it: that is reported in a line."""

from proxyswitch.notify.event import Event, words
from proxyswitch.notify.problems import problems
from proxyswitch.notify.sending import tell
from proxyswitch.notify.teller import Teller
from proxyswitch.settings_notify import Kind

__all__ = ["Event", "Kind", "Teller", "problems", "tell", "words"]

"""All references: importing this package registers them."""

from streamcheck.core.references.auto import Auto
from streamcheck.core.references.first import First
from streamcheck.core.references.profile import Profile
from streamcheck.core.references.rolling import Rolling
from streamcheck.core.references.season import Season

__all__ = ["Auto", "First", "Profile", "Rolling", "Season"]

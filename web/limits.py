"""How often one address may ask; counted in Redis, in memory while Redis is dead."""

import math
import time

from flask_babel import ngettext
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(get_remote_address, strategy="moving-window", in_memory_fallback_enabled=True, headers_enabled=True)

SLACK_SECONDS = 3  # the end of a wait is told in whole seconds, a little late: a minute is not to become two


def too_many() -> str:
    """What somebody is told who asked too often: how long to wait."""
    limit = limiter.current_limit
    minutes = math.ceil((limit.reset_at - time.time() - SLACK_SECONDS) / 60) if limit else 1
    return ngettext("Too many tries. Wait a minute.", "Too many tries. Wait %(num)s minutes.", max(1, minutes))

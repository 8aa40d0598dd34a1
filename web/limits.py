"""How often one address may ask; counted in Redis, in memory while Redis is dead."""

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(get_remote_address, strategy="moving-window", in_memory_fallback_enabled=True, headers_enabled=True)

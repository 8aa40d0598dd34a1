"""What the tests of the certificate share."""

from tests.story.conftest import Exchange, pbx  # noqa: F401  the fixtures of a story

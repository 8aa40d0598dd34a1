"""docs/features.md tells the truth."""

from tests import features


def test_every_row_has_a_test():
    tested = features.tests_by_row()
    missing = [row for row in features.ROWS if row not in tested]
    assert missing == []


def test_the_page_of_features_is_up_to_date():
    assert features.PAGE.read_text() == features.page(), "run: python -m tests.features"


def test_only_known_rows_wait():
    assert set(features.WAITING) <= set(features.ROWS)

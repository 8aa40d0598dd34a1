"""Every test of imports begins with an empty folder of files."""

import pytest

from appliance.imports import model


@pytest.fixture(autouse=True)
def no_files_left(app):
    for path in model.folder().iterdir():
        path.unlink()

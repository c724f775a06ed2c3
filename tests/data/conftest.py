"""Folders of images, written once for all tests of this folder."""

import pytest
from folders import BROKEN, GOOD, MIXED
from image_files import write_tree


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """A folder of 21 training and 12 test images, all of which can be read."""
    return write_tree(tmp_path_factory.mktemp("good"), GOOD)


@pytest.fixture(scope="session")
def bad(tmp_path_factory):
    """The same images, but three and one of them are broken."""
    return write_tree(tmp_path_factory.mktemp("bad"), GOOD | MIXED | BROKEN)

"""Shows for the workflow tests. The models come into one store per machine, by wheel, file or network."""

from __future__ import annotations

from pathlib import Path

import pytest
from shows import TestShow, add_movie, add_sequence, copy_of, new_show

SIZE = (480, 270)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, store: Path) -> TestShow:
    """A show of two short shots, rendered undisturbed: the reference for everything that disturbs one."""
    show = new_show(tmp_path_factory.mktemp("finished"), store)
    add_movie(show, "mov", 20, SIZE, "astronaut")
    add_sequence(show, "seq", 14, SIZE, "hopper")
    show.config["chunk"] = 7
    show.write()
    show.run()
    return show


@pytest.fixture
def fresh(tmp_path: Path, finished: TestShow) -> TestShow:
    """The same show, not rendered yet."""
    return copy_of(finished, tmp_path, rendered=False)


@pytest.fixture
def rendered(tmp_path: Path, finished: TestShow) -> TestShow:
    """A copy of the finished show that a test may break."""
    return copy_of(finished, tmp_path, rendered=True)

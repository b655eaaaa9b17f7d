"""Sweeper of a search by optuna, in which some trials may fail."""

from __future__ import annotations

import importlib
import logging

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lrx.cli.errors import failed_jobs
from lrx.cli.replaced import replaced

TARGET = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
LOGGER = "hydra_plugins.hydra_optuna_sweeper._impl"


class SearchSweeper(Sweeper):
    """Hydra's sweeper for optuna, without its repetitions of the line of a failed trial.

    A grid whose last trial failed ends as any other (the sweeper handles optuna's call to stop after a good one alone).
    ValueError in one line when all trials failed.
    """

    def __init__(self, sweeper: Sweeper) -> None:
        self._sweeper = sweeper

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hand on what Hydra hands over before a sweep."""
        self._sweeper.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> object:
        """Search; the value of a trial is its last loss, and one whose job failed has none."""
        study = importlib.import_module("optuna.study").Study
        logger = logging.getLogger(LOGGER)
        with replaced(study, "stop", lambda self: None), replaced(logger, "disabled", True):
            try:
                return self._sweeper.sweep(arguments)
            except ValueError as error:
                if failed_jobs and "No trials are completed" in str(error):
                    raise ValueError("no trial of this search ended well, see above; it has no best values") from error
                raise

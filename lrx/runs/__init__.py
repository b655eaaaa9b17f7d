"""Run folders: configs, status, locks, shards, the catalog of runs, and tables of many."""

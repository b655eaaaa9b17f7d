"""Hydra configs, installed as lrx.configs."""

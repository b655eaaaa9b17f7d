"""Established disentanglement metrics: one file each, pure functions of codes and factor classes."""

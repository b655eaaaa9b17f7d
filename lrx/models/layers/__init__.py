"""Layers and sub-networks that networks and objectives share."""

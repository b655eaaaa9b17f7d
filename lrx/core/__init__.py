"""Contracts, factors, validation, text and devices: what every other room builds on."""

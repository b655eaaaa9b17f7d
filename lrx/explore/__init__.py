"""Exploration of a model by hand: a page on loopback, with sliders of latents and the responses that they move."""

"""Assay `latent_graph`."""

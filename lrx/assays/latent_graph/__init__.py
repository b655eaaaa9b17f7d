"""The assay `latent_graph`."""

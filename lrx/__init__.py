"""lrx: a command-line laboratory for the latent spaces of autoencoders."""

__version__ = "0.1.0"

"""Trainable autoencoders: one file per objective, chosen by `model=`, over the networks of lrx.models.networks."""

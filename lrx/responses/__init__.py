"""Latent responses: encoding, draws, interventions, and the estimators on them."""

"""Encoders and decoders: one file each, chosen by `network=`."""

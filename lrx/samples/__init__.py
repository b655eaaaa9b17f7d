"""How samples are compared with images: spaces of features, and distances in them."""

"""What runs leave behind: their folders, how each is going, shards, and tables of many of them."""

"""What each command of lrx does with a composed config."""

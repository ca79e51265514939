"""What a run says of its training labels: mined distributions and suspects."""

"""What is joined around the parts of `app.bootstrap`."""

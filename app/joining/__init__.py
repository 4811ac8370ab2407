"""Parts of `app.bootstrap.build`, which alone calls them."""

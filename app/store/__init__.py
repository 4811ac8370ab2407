"""The database: how it is opened, and what the app room keeps in it."""

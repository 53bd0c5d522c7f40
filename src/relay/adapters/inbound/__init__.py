"""What calls the application: HTTP routes and the command line."""

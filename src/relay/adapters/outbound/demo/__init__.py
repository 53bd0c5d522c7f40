"""What `relay demo` serves without keys or network: a real small model, and scripted providers."""
